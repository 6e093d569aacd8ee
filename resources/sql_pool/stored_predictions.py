"""Questions about the stored predictions that the pool answers, however many there are."""

from __future__ import annotations

from dataclasses import dataclass

from bikecast.core.spec import FORECAST_ROW, ModelSpec
from resources.sql_pool.deployment import prediction_columns, run_or_nothing, table_name
from resources.sql_pool.port import SqlPool
from resources.sql_pool.scripts import quote_identifier

_ENDS = ("MIN", "MAX")


@dataclass(frozen=True)
class StoredPredictions:
    """All stored predictions in figures.

    `outside` of the `rows` lack a prediction or have one beyond the limits; `first_outside` are
    the first of them, with forecast_row and prediction. `lowest` and `highest` are the least and
    the greatest prediction, `is_varied` says whether the rows differ in a feature.
    """

    rows: int
    outside: int
    first_outside: list[dict[str, object]]
    lowest: float | None
    highest: float | None
    is_varied: bool
    model_version: int | None


def stored_predictions(
    pool: SqlPool, spec: ModelSpec, *, minimum: float | None, maximum: float, shown: int = 20
) -> StoredPredictions:
    """The figures of the stored predictions; all zero or None while nothing was stored."""
    table, output = table_name(spec, spec.predictions_table), quote_identifier(spec.output)
    within, limits = f"{output} <= ?", [maximum]
    if minimum is not None:
        within, limits = f"{within} AND {output} >= ?", [maximum, minimum]
    names = [output, *map(quote_identifier, spec.feature_names)]
    ends = [f"{end}({name}) AS [{end}_{n}]" for n, name in enumerate(names) for end in _ENDS]
    counted = run_or_nothing(
        pool,
        f"SELECT COUNT_BIG(*) AS [rows], COUNT_BIG(CASE WHEN {within} THEN 1 END) AS [within], "  # noqa: S608 # quoted
        f"MAX([model_version]) AS [version], {', '.join(ends)} FROM {table}",
        limits,
    )
    [[rows, inside, version, lowest, highest, *features]] = (
        counted.rows if counted else [(0, 0, *[None] * (1 + len(ends)))]
    )
    outside = int(str(rows)) - int(str(inside))
    first = None
    if outside:
        first = run_or_nothing(
            pool,
            f"SELECT TOP ({shown:d}) [{FORECAST_ROW.name}], {output} FROM {table} "  # noqa: S608 # quoted
            f"WHERE {output} IS NULL OR NOT ({within}) ORDER BY [{FORECAST_ROW.name}]",
            limits,
        )
    return StoredPredictions(
        rows=int(str(rows)),
        outside=outside,
        first_outside=first.as_dicts() if first else [],
        lowest=None if lowest is None else float(str(lowest)),
        highest=None if highest is None else float(str(highest)),
        is_varied=features[::2] != features[1::2],
        model_version=None if version is None else int(str(version)),
    )


def find_predictions(
    pool: SqlPool, spec: ModelSpec, key: str, *, limit: int
) -> list[dict[str, object]]:
    """The first stored predictions with this time key, as text, or this forecast_row."""
    texts = [f"CAST([{FORECAST_ROW.name}] AS varchar(20)) = ?"]
    for column in spec.keys:
        if column.name == spec.time_key:
            name = quote_identifier(column.name)
            is_date = column.sql_type == "date"
            text = f"CONVERT(varchar(10), {name}, 23)" if is_date else f"CAST({name} AS varchar)"
            if column.sql_type == "varchar":
                text = name
            texts.append(f"{text} = ?")
    columns = ", ".join(prediction_columns(spec))
    rows = run_or_nothing(
        pool,
        f"SELECT TOP ({limit:d}) {columns} FROM {table_name(spec, spec.predictions_table)} "  # noqa: S608 # quoted
        f"WHERE {' OR '.join(texts)} ORDER BY [{FORECAST_ROW.name}]",
        [key] * len(texts),
    )
    return rows.as_dicts() if rows else []
