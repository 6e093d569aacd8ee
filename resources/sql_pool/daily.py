"""Rows that are scored again, by any registered version: a range of days, or of rows by number.

Beside the scoring table, which holds one file, the tables by day keep the last forecast and the
last prediction of each day. A range changes in one transaction; other days are untouched. A row's
number means nothing in the next file, so the table of rows holds one range, the last one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bikecast.core.errors import InvalidInput
from bikecast.core.onnx.contract import model_digest
from bikecast.core.spec import FORECAST_ROW, ModelSpec
from resources.sql_pool.deployment import (
    drop_another,
    input_columns,
    make_schema,
    make_table,
    model_inputs,
    other_columns,
    prediction_columns,
    scored_columns,
    stage_rows,
    table_name,
)
from resources.sql_pool.port import Session, SqlPool
from resources.sql_pool.scripts import quote_identifier, render


@dataclass(frozen=True)
class Days:
    """A range of days, both included."""

    first: dt.date
    last: dt.date

    def all(self) -> list[dt.date]:
        """The days of the range."""
        return [self.first + dt.timedelta(n) for n in range((self.last - self.first).days + 1)]


@dataclass(frozen=True)
class Scorer:
    """A registered model and what its predictions say of it."""

    version: int
    model: bytes
    data_version: str
    code_version: str


def load_days(pool: SqlPool, spec: ModelSpec, days: Days, *, url: str) -> dict[dt.date, int]:
    """Replace the days of a range that a Parquet file has; returns the rows that each day has then.

    The file is one that `load_scoring_table` takes. A day of the range that the file lacks keeps
    its rows.
    """
    columns, key = input_columns(spec), _key(spec)
    table = table_name(spec, f"{spec.scoring_table}_by_day")
    staging = table_name(spec, f"{spec.scoring_table}_by_day_staging")
    names = ", ".join(columns)
    within = f"{key} BETWEEN ? AND ?"
    limits = [days.first, days.last]
    with pool.session() as session:
        make_schema(session, spec)
        stage_rows(session, staging, columns, url=url)
        _make_days(session, spec, f"{spec.scoring_table}_by_day", columns)
        session.run("BEGIN TRANSACTION")
        session.run(
            f"DELETE FROM {table} WHERE {within} "  # noqa: S608 # quoted names
            f"AND {key} IN (SELECT {key} FROM {staging})",
            limits,
        )
        session.run(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM {staging} "  # noqa: S608 # quoted
            f"WHERE {within}",
            limits,
        )
        session.run("COMMIT TRANSACTION")
        session.run(f"DROP TABLE {staging}")
        counts = session.run(
            f"SELECT {key}, COUNT_BIG(*) FROM {table} "  # noqa: S608 # quoted names
            f"WHERE {within} GROUP BY {key} ORDER BY {key}",
            limits,
        )[0]
    return {_date(day): int(str(rows)) for day, rows in counts.rows}


def score_days(
    pool: SqlPool, spec: ModelSpec, days: Days, scorer: Scorer, *, run_id: str
) -> list[dict[str, object]]:
    """Score the rows of a range with a model, replace its predictions and return them by day.

    The model comes from the registry, so that a version that was never live can score too.
    """
    table = table_name(spec, f"{spec.predictions_table}_by_day")
    columns, key = prediction_columns(spec), _key(spec)
    names = ", ".join(columns)
    with pool.session() as session:
        _make_days(session, spec, f"{spec.predictions_table}_by_day", columns)
        session.run("BEGIN TRANSACTION")
        session.run(
            f"DELETE FROM {table} WHERE {key} BETWEEN ? AND ?",  # noqa: S608 # quoted names
            [days.first, days.last],
        )
        rows = table_name(spec, f"{spec.scoring_table}_by_day")
        _insert(session, spec, table, rows, scorer, run_id, key, [days.first, days.last])
        session.run("COMMIT TRANSACTION")
        query = (
            f"SELECT {names} FROM {table} WHERE {key} BETWEEN ? AND ? "  # noqa: S608 # quoted names
            f"ORDER BY {key}, [forecast_row]"
        )
        return session.run(query, [days.first, days.last])[0].as_dicts()


def score_rows(
    pool: SqlPool, spec: ModelSpec, first: int, last: int | None, scorer: Scorer, *, run_id: str
) -> list[dict[str, object]]:
    """Score rows of the scoring table by number, `last` included (None: to the end), with a model.

    Returns what the table of rescored rows has then: these and no others. Raises InvalidInput,
    and changes nothing, where there is no such row.
    """
    columns, number = prediction_columns(spec), quote_identifier(FORECAST_ROW.name)
    table, rows = table_name(spec, f"{spec.predictions_table}_rescored"), model_inputs(spec)
    names = ", ".join(columns)
    with pool.session() as session:
        [[there]] = session.run(f"SELECT COUNT_BIG(*) FROM {rows}")[0].rows  # noqa: S608 # quoted
        count = int(str(there))
        if max(first, last or 0) > count:
            raise InvalidInput(
                f"There is no row {max(first, last or 0)}: the rows to score are 1 to {count}. No "
                "prediction was changed."
            )
        drop_another(session, spec, f"{spec.predictions_table}_rescored", columns)
        make_table(session, table, columns)
        session.run("BEGIN TRANSACTION")
        session.run(f"DELETE FROM {table}")  # noqa: S608 # quoted name
        _insert(session, spec, table, rows, scorer, run_id, number, [first, last or count])
        session.run("COMMIT TRANSACTION")
        query = f"SELECT {names} FROM {table} ORDER BY {number}"  # noqa: S608 # quoted names
        return session.run(query)[0].as_dicts()


def _insert(
    session: Session,
    spec: ModelSpec,
    table: str,
    rows: str,
    scorer: Scorer,
    run_id: str,
    key: str,
    limits: Sequence[object],
) -> None:
    """Score the rows whose key is within two limits, and add them; all names are quoted."""
    statement = render(
        "score_range.sql",
        table=table,
        names=", ".join(prediction_columns(spec)),
        scored=",\n    ".join(scored_columns(spec)),
        rows=rows,
        output=quote_identifier(spec.model_output),
        key=key,
    )
    values: list[object] = [
        scorer.model,
        scorer.version,
        model_digest(scorer.model),
        scorer.data_version or "unknown",
        scorer.code_version or "unknown",
        run_id,
    ]
    session.run(statement, [*values, *limits])


def _make_days(session: Session, spec: ModelSpec, name: str, columns: Mapping[str, str]) -> None:
    """Make a table of days where it is missing. Raises InvalidInput where it has other columns:
    its days may be nowhere else."""
    if other_columns(session, spec, name, columns):
        raise InvalidInput(
            f"{spec.schema}.{name} has other columns than the model's file says now. Nothing was "
            "changed. Copy its days where they are still wanted, drop it, and score again: "
            f'bikecast sql "DROP TABLE {table_name(spec, name)}"'
        )
    make_table(session, table_name(spec, name), columns)


def _key(spec: ModelSpec) -> str:
    if spec.time_key is None:
        raise ValueError(f"{spec.model_name} has no time key")
    return quote_identifier(spec.time_key)


def _date(value: object) -> dt.date:
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))
