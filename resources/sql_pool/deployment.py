"""What the pipeline does in the pool: publish a model, load data, score by PREDICT.

All of it is T-SQL of the folder `sql/`, the same text for the embedded pool and for a Synapse
dedicated pool. A dedicated pool allows no DDL in a transaction, so tables are made first and
their rows change in one transaction.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from resources.errors import BikecastError
from resources.model_contract import model_digest
from resources.spec import Column, ModelSpec
from resources.sql_pool.port import ResultSet, Session, SqlError, SqlPool
from resources.sql_pool.scripts import quote_identifier, quote_text, render, run_script

INVALID_OBJECT = 208
FORECAST_ROW = Column("forecast_row", "bigint", "Number of the row in the file, from 1")


@dataclass(frozen=True)
class LiveModel:
    """The model version that the procedures use; `published_at` is UTC without an offset."""

    version: int
    digest: str
    job_id: str
    published_at: datetime.datetime


def publish_model(
    pool: SqlPool,
    spec: ModelSpec,
    *,
    version: int,
    digest: str,
    job_id: str,
    model: bytes,
    actor: str,
    reason: str,
) -> bool:
    """Store a version of the model and make it the only live one, in one transaction.

    Returns False where it already was. Raises BikecastError for bytes that do not have the
    digest, and for a version that was published with another digest; nothing changes then.
    """
    if model_digest(model) != digest:
        raise BikecastError(
            f"{spec.model_name} version {version}: the model's bytes do not have the digest "
            f"{digest}. Nothing was published; download the model again."
        )
    table = _table(spec, spec.model_table)
    with pool.session() as session:
        run_script(session, render("model_table.sql", table=table, table_text=_text(table)))
        rows = session.run(
            f"SELECT [version], [digest], [is_live] FROM {table} "  # noqa: S608 # quoted names
            "WHERE [version] = ? OR [is_live] = 1",
            [version],
        )[0].as_dicts()
        known = [row for row in rows if row["version"] == version]
        if any(row["digest"] != digest for row in known):
            raise BikecastError(
                f"{spec.model_name} version {version} is in {table} with another digest, so it was "
                "not replaced. Register the model as a new version."
            )
        if len(rows) == 1 and known and known[0]["is_live"]:
            return False
        _make_live(session, table, bool(known), version, digest, job_id, model, actor, reason)
    return True


def _make_live(
    session: Session,
    table: str,
    known: bool,
    version: int,
    digest: str,
    job_id: str,
    model: bytes,
    actor: str,
    reason: str,
) -> None:
    names = "[version], [digest], [job_id], [model], [is_live], [published_at], [actor], [reason]"
    who = [actor[:200], reason[:400]]
    session.run("BEGIN TRANSACTION")
    session.run(
        f"UPDATE {table} SET [is_live] = 0 WHERE [is_live] = 1 AND [version] <> ?",  # noqa: S608
        [version],
    )
    if known:
        session.run(
            f"UPDATE {table} SET [is_live] = 1, [published_at] = SYSUTCDATETIME(), "  # noqa: S608
            "[actor] = ?, [reason] = ? WHERE [version] = ?",
            [*who, version],
        )
    else:
        session.run(
            f"INSERT INTO {table} ({names}) "  # quoted names
            "SELECT ?, ?, ?, ?, 1, SYSUTCDATETIME(), ?, ?",
            [version, digest, job_id, model, *who],
        )
    session.run("COMMIT TRANSACTION")


def live_model(pool: SqlPool, spec: ModelSpec) -> LiveModel | None:
    """The live version, or None while nothing was published."""
    with pool.session() as session:
        try:
            found = session.run(render("live_model.sql", table=_table(spec, spec.model_table)))
        except SqlError as error:
            if error.number == INVALID_OBJECT:
                return None
            raise
    return LiveModel(*found[0].rows[0]) if found[0].rows else None  # type: ignore[arg-type]


def published_versions(pool: SqlPool, spec: ModelSpec) -> ResultSet:
    """The rows of the model table without the models' bytes, newest version first."""
    table = _table(spec, spec.model_table)
    names = "[version], [is_live], [digest], [job_id], [published_at], [actor], [reason]"
    query = f"SELECT {names} FROM {table} ORDER BY [version] DESC"  # noqa: S608 # quoted names
    with pool.session() as session:
        return session.run(query)[0]


def load_scoring_table(pool: SqlPool, spec: ModelSpec, *, url: str) -> int:
    """Replace the scoring table's rows by those of a CSV file of the lake; return their number.

    The file has a header and the columns forecast_row, keys, features in this order; an empty
    field is NULL, which only a key may be. The rows are loaded into a staging table and then
    exchanged in one transaction, so readers see the old rows or the new ones.
    """
    columns = _scoring_columns(spec)
    table, staging = _table(spec, spec.scoring_table), _table(spec, f"{spec.scoring_table}_staging")
    declared = ",\n        ".join(columns.values())
    names = ", ".join(columns)
    # The pool's own identity reads the lake; no secret is in the text.
    credential = ",\n    CREDENTIAL = (IDENTITY = 'Managed Identity')" if _is_remote(url) else ""
    with pool.session() as session:
        run_script(
            session,
            render(
                "staging_table.sql",
                table=staging,
                table_text=_text(staging),
                columns=declared,
                url=quote_text(url),
                credential=credential,
            ),
        )
        run_script(
            session,
            render("data_table.sql", table=table, table_text=_text(table), columns=declared),
        )
        session.run("BEGIN TRANSACTION")
        session.run(f"DELETE FROM {table}")  # noqa: S608 # quoted name
        session.run(
            f"INSERT INTO {table} ({names}) SELECT {names} FROM {staging}"  # noqa: S608 # quoted
        )
        session.run("COMMIT TRANSACTION")
        counted = session.run(f"SELECT COUNT_BIG(*) AS [rows] FROM {table}")  # noqa: S608 # quoted
        session.run(f"DROP TABLE {staging}")
    return int(str(counted[0].rows[0][0]))


def procedure_script(spec: ModelSpec) -> str:
    """The T-SQL that makes the predictions table and both procedures, with GO between batches.

    The first procedure returns every column of the scoring table and the prediction; the second,
    named save_ and the predictions table, replaces the rows of that table.
    """
    predictions = _table(spec, spec.predictions_table)
    predict, save = _table(spec, spec.procedure), _table(spec, _save_name(spec))
    models = _table(spec, spec.model_table)
    output = quote_identifier(spec.output)
    scored = [*(f"d.{name}" for name in _scoring_columns(spec)), f"p.{output}"]
    stored = _prediction_columns(spec)
    return render(
        "procedures.sql",
        predictions=predictions,
        predictions_text=_text(predictions),
        prediction_columns=",\n        ".join(stored.values()),
        prediction_names=", ".join(stored),
        predict=predict,
        predict_text=_text(predict),
        predict_inner=predict.replace("'", "''"),
        save=save,
        save_text=_text(save),
        save_inner=save.replace("'", "''"),
        models=models,
        no_model=_text(f"No model is live in {models}. Publish one, then score again."),
        scoring=_table(spec, spec.scoring_table),
        scored_columns=",\n        ".join(scored),
        output=output,
    )


def create_procedures(pool: SqlPool, spec: ModelSpec) -> str:
    """Make or replace the predictions table and the procedures; return the script that ran."""
    script = procedure_script(spec)
    with pool.session() as session:
        run_script(session, script)
    return script


def save_predictions(pool: SqlPool, spec: ModelSpec, *, run_id: str) -> list[dict[str, object]]:
    """Score the scoring table with the live model, store the rows and return them in order.

    Raises SqlError 51000 while no model is live; the stored rows stay as they were.
    """
    with pool.session() as session:
        session.run(f"EXEC {_table(spec, _save_name(spec))} @run_id = ?", [run_id])
        return _stored_rows(session, spec)


def saved_predictions(pool: SqlPool, spec: ModelSpec) -> list[dict[str, object]]:
    """The stored predictions ordered by forecast_row; empty while nothing was stored."""
    with pool.session() as session:
        try:
            return _stored_rows(session, spec)
        except SqlError as error:
            if error.number == INVALID_OBJECT:
                return []
            raise


def _stored_rows(session: Session, spec: ModelSpec) -> list[dict[str, object]]:
    names = ", ".join(_prediction_columns(spec))
    table = _table(spec, spec.predictions_table)
    query = f"SELECT {names} FROM {table} ORDER BY [forecast_row]"  # noqa: S608 # quoted names
    return session.run(query)[0].as_dicts()


def _scoring_columns(spec: ModelSpec) -> dict[str, str]:
    """Declarations of the scoring table by quoted name; only keys may be NULL."""
    return {
        **_declared([FORECAST_ROW], "NOT NULL"),
        **_declared(spec.keys, "NULL"),
        **_declared(spec.features, "NOT NULL"),
    }


def prediction_types(spec: ModelSpec) -> dict[str, str]:
    """SQL types of the predictions table's columns, by name, in order."""
    stored = (FORECAST_ROW, *spec.keys, *spec.features)
    return {column.name: column.sql_declaration for column in stored} | {
        spec.output: "real",
        "model_version": "int",
        "model_digest": "char(64)",
        "run_id": "varchar(64)",
        "predicted_at": "datetime2(6)",
    }


def _prediction_columns(spec: ModelSpec) -> dict[str, str]:
    """Declarations of the predictions table by quoted name; keys and the score may be NULL."""
    nullable = {*spec.key_names, spec.output}
    return {
        quote_identifier(name): (
            f"{quote_identifier(name)} {kind} {'NULL' if name in nullable else 'NOT NULL'}"
        )
        for name, kind in prediction_types(spec).items()
    }


def _declared(columns: Iterable[Column], null: str) -> dict[str, str]:
    return {
        quote_identifier(column.name): (
            f"{quote_identifier(column.name)} {column.sql_declaration} {null}"
        )
        for column in columns
    }


def _table(spec: ModelSpec, name: str) -> str:
    return f"{quote_identifier(spec.schema)}.{quote_identifier(name)}"


def _text(value: str) -> str:
    return "N" + quote_text(value)


def _save_name(spec: ModelSpec) -> str:
    return f"save_{spec.predictions_table}"


def _is_remote(url: str) -> bool:
    return url.startswith("https://")
