"""What the pipeline does in the pool: load data, make the procedures, score by PREDICT.

All of it is T-SQL of the folder `sql/`, the same text for the embedded pool and for a Synapse
dedicated pool. A dedicated pool allows no DDL in a transaction, so tables are made first and
their rows change in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bikecast.core.output_type import OutputType
from bikecast.core.spec import FORECAST_ROW, ORIGIN_TYPES, Column, ModelSpec
from bikecast.core.sql import ResultSet, SqlError, text_literal
from resources.sql_pool.port import Session, SqlPool
from resources.sql_pool.scripts import quote_identifier, render, run_script

INVALID_OBJECT = 208
#: What a pool answers to a statement that it does not know.
UNKNOWN_STATEMENT = frozenset({102, 195, 103010})


def load_scoring_table(pool: SqlPool, spec: ModelSpec, *, url: str) -> int:
    """Replace the scoring table's rows by those of a Parquet file; return their number.

    The file has the columns forecast_row, keys, features in this order, whatever their names;
    only a key may be NULL. The rows are loaded into a staging table and then exchanged in one
    transaction, so readers see the old rows or the new ones.
    """
    table = table_name(spec, spec.scoring_table)
    with pool.session() as session:
        _exchange(session, spec, spec.scoring_table, scoring_columns(spec), url=url)
        counted = session.run(f"SELECT COUNT_BIG(*) AS [rows] FROM {table}")  # noqa: S608 # quoted
    return int(str(counted[0].rows[0][0]))


def procedure_script(spec: ModelSpec) -> str:
    """The T-SQL that makes the predictions tables and the procedures, with GO between batches.

    Where the rows to score have other names than the model's inputs, a view gives them these.
    One procedure returns every input, the keys and the prediction. One, named score_
    and the predictions table, scores into a table beside that, which a look may be taken at; and
    one, named save_, exchanges the rows of the table for those.
    """
    predictions = table_name(spec, spec.predictions_table)
    staged = table_name(spec, _staged_name(spec))
    predict, save = table_name(spec, spec.procedure), table_name(spec, _save_name(spec))
    stage = table_name(spec, _stage_name(spec))
    models = table_name(spec, spec.model_table)
    inputs = table_name(spec, _inputs_name(spec))
    stored = prediction_columns(spec)
    return render(
        "procedures.sql",
        predictions=predictions,
        predictions_text=unicode_text(predictions),
        staged=staged,
        staged_text=unicode_text(staged),
        prediction_columns=",\n        ".join(stored.values()),
        prediction_names=", ".join(stored),
        predict=predict,
        predict_text=unicode_text(predict),
        predict_inner=predict.replace("'", "''"),
        stage=stage,
        stage_text=unicode_text(stage),
        stage_inner=stage.replace("'", "''"),
        save=save,
        save_text=unicode_text(save),
        save_inner=save.replace("'", "''"),
        models=models,
        audit=audit_table(spec),
        no_model=unicode_text(f"No model is live in {models}. Publish one, then score again."),
        inputs_text=unicode_text(inputs),
        inputs=inputs,
        make_inputs=_inputs_view(spec),
        scoring=model_inputs(spec),
        scored_columns=",\n        ".join(scored_columns(spec)),
        output=quote_identifier(spec.model_output),
    )


def _inputs_view(spec: ModelSpec) -> str:
    """The batch that makes the view of the scoring table with the inputs' names, if need be."""
    if not spec.inputs:
        return ""
    names = zip(spec.scored_columns, input_columns(spec), strict=True)
    return render(
        "inputs_view.sql",
        inputs=table_name(spec, _inputs_name(spec)),
        scoring=table_name(spec, spec.scoring_table),
        columns=",\n    ".join(f"d.{quote_identifier(c.name)} AS {name}" for c, name in names),
    )


def model_inputs(spec: ModelSpec) -> str:
    """The quoted name of the rows to score with the names of the model's inputs: table or view."""
    return table_name(spec, _inputs_name(spec) if spec.inputs else spec.scoring_table)


def scored_columns(spec: ModelSpec) -> list[str]:
    """What PREDICT's rows `d` and outputs `p` give to the predictions: inputs, and the output by
    its name and type."""
    value = OutputType(spec.output_type).converted(f"p.{quote_identifier(spec.model_output)}")
    output = quote_identifier(spec.output)
    return [*(f"d.{name}" for name in input_columns(spec)), f"{value} AS {output}"]


def create_procedures(pool: SqlPool, spec: ModelSpec) -> str:
    """Make or replace the predictions table and the procedures; return the script that ran."""
    script = procedure_script(spec)
    with pool.session() as session:
        make_schema(session, spec)
        drop_another(session, spec, spec.predictions_table, prediction_columns(spec))
        run_script(session, script)
    return script


def deploy_procedures(pool: SqlPool, spec: ModelSpec, *, needs_predict: bool) -> tuple[str, str]:
    """Make the predictions table and the procedures; returns their script, and a refusal.

    The refusal, in the pool's words, is not empty where the pool does not know PREDICT and that is
    not needed: then there are no procedures. Raises SqlError for any other error.
    """
    try:
        return create_procedures(pool, spec), ""
    except SqlError as error:
        if error.number not in UNKNOWN_STATEMENT:
            raise
        drop_procedures(pool, spec)
        if needs_predict:
            raise SqlError(
                error.number,
                f"{error.message} The pool does not know PREDICT, so {spec.procedure} was not "
                "made. Set BIKECAST_SCORING to spark or auto",
            ) from error
        return "", str(error)


def drop_procedures(pool: SqlPool, spec: ModelSpec) -> None:
    """Take the procedures away, where they are."""
    with pool.session() as session:
        for name in (spec.procedure, _stage_name(spec), _save_name(spec)):
            quoted = table_name(spec, name)
            session.run(
                f"IF OBJECT_ID({unicode_text(quoted)}, N'P') IS NOT NULL DROP PROCEDURE {quoted}"
            )


def probe_predict(pool: SqlPool, spec: ModelSpec) -> None:
    """Score one row with the live model; raises the pool's SqlError where PREDICT cannot."""
    probe = render(
        "probe_predict.sql",
        models=table_name(spec, spec.model_table),
        scoring=model_inputs(spec),
        output=quote_identifier(spec.model_output),
    )
    with pool.session() as session:
        session.run(probe)


def predicted_rows(pool: SqlPool, spec: ModelSpec) -> list[dict[str, object]]:
    """Score the scoring table with the live model and store nothing; ordered by forecast_row."""
    with pool.session() as session:
        rows = session.run(f"EXEC {table_name(spec, spec.procedure)}")[-1].as_dicts()
    return sorted(rows, key=lambda row: int(str(row["forecast_row"])))


def stage_predictions(
    pool: SqlPool, spec: ModelSpec, *, run_id: str, limit: int
) -> tuple[int, list[dict[str, object]]]:
    """Score the scoring table with the live model, beside the stored rows.

    Returns the number of rows and the first `limit` of them; `save_predictions` with the same
    run id stores them.
    Raises SqlError 51000 while no model is live; the stored rows stay as they were.
    """
    staged = _staged_name(spec)
    with pool.session() as session:
        session.run(f"EXEC {table_name(spec, _stage_name(spec))} @run_id = ?", [run_id])
        counted = session.run(f"SELECT COUNT_BIG(*) AS [rows] FROM {table_name(spec, staged)}")  # noqa: S608 # quoted
        rows = session.run(_stored_rows(spec, limit, staged))[0].as_dicts()
    return int(str(counted[0].rows[0][0])), rows


def save_predictions(
    pool: SqlPool, spec: ModelSpec, *, run_id: str, limit: int | None = None
) -> list[dict[str, object]]:
    """Store what the run has staged, and return the first `limit` rows of it in order.

    Where it has staged nothing, the scoring table is scored with the live model now.
    Raises SqlError 51000 while no model is live; the stored rows stay as they were.
    """
    with pool.session() as session:
        session.run(f"EXEC {table_name(spec, _save_name(spec))} @run_id = ?", [run_id])
        return session.run(_stored_rows(spec, limit))[0].as_dicts()


def load_predictions(
    pool: SqlPool, spec: ModelSpec, *, url: str, limit: int | None = None
) -> list[dict[str, object]]:
    """Replace the stored predictions by those of a folder of Parquet files in the lake.

    The files have the columns of `prediction_types` in this order. They are loaded by COPY INTO
    into a staging table and exchanged in one transaction, so readers see the old rows or the new
    ones. Returns the stored rows in order, the first `limit` of them.
    """
    table, files = spec.predictions_table, f"{url.rstrip('/')}/*.parquet"
    with pool.session() as session:
        _exchange(session, spec, table, prediction_columns(spec), url=files)
        return session.run(_stored_rows(spec, limit))[0].as_dicts()


def saved_predictions(
    pool: SqlPool, spec: ModelSpec, *, limit: int | None = None
) -> list[dict[str, object]]:
    """The stored predictions ordered by forecast_row; empty while nothing was stored.

    At most `limit` of them; without one all, which memory has to hold.
    """
    result = run_or_nothing(pool, _stored_rows(spec, limit))
    return result.as_dicts() if result else []


def run_or_nothing(
    pool: SqlPool, query: str, parameters: Sequence[object] = ()
) -> ResultSet | None:
    """The result of a query, or None where its table is not there yet."""
    with pool.session() as session:
        try:
            return session.run(query, parameters)[0]
        except SqlError as error:
            if error.number == INVALID_OBJECT:
                return None
            raise


def _exchange(
    session: Session, spec: ModelSpec, name: str, columns: Mapping[str, str], *, url: str
) -> None:
    """Replace the rows of a table by those of files in the lake, by way of a staging table."""
    table, staging = table_name(spec, name), table_name(spec, f"{name}_staging")
    names = ", ".join(columns)
    make_schema(session, spec)
    stage_rows(session, staging, columns, url=url)
    drop_another(session, spec, name, columns)
    make_table(session, table, columns)
    session.run("BEGIN TRANSACTION")
    session.run(f"DELETE FROM {table}")  # noqa: S608 # quoted name
    session.run(f"INSERT INTO {table} ({names}) SELECT {names} FROM {staging}")  # noqa: S608
    session.run("COMMIT TRANSACTION")
    session.run(f"DROP TABLE {staging}")


def stage_rows(session: Session, staging: str, columns: Mapping[str, str], *, url: str) -> None:
    """Make a staging table (a quoted name) anew and load Parquet files of the lake into it.

    The pool's own identity reads a lake behind https; no secret is in the text.
    """
    is_azure = url.startswith("https://")
    script = render(
        "staging_table.sql",
        table=staging,
        table_text=unicode_text(staging),
        columns=",\n        ".join(columns.values()),
        url=text_literal(url),
        credential=", CREDENTIAL = (IDENTITY = 'Managed Identity')" if is_azure else "",
    )
    run_script(session, script)


def make_schema(session: Session, spec: ModelSpec) -> None:
    """Make the spec's schema where it is missing; each database has dbo."""
    if spec.schema.casefold() == "dbo":
        return
    create = unicode_text(f"CREATE SCHEMA {quote_identifier(spec.schema)}")
    session.run(f"IF SCHEMA_ID({unicode_text(spec.schema)}) IS NULL EXEC ({create})")


def make_table(session: Session, table: str, columns: Mapping[str, str]) -> None:
    """Make a table (a quoted name) with these declarations where it is missing."""
    declared = ",\n        ".join(columns.values())
    text = unicode_text(table)
    run_script(session, render("data_table.sql", table=table, table_text=text, columns=declared))


def other_columns(session: Session, spec: ModelSpec, name: str, columns: Mapping[str, str]) -> bool:
    """Whether a table is there with other columns than these declarations: the model's file was
    changed since."""
    rows = session.run(
        "SELECT [COLUMN_NAME], [DATA_TYPE], [CHARACTER_MAXIMUM_LENGTH], [NUMERIC_PRECISION], "
        "[NUMERIC_SCALE] FROM [INFORMATION_SCHEMA].[COLUMNS] "
        "WHERE [TABLE_SCHEMA] = ? AND [TABLE_NAME] = ? ORDER BY [ORDINAL_POSITION]",
        [spec.schema, name],
    )[0].rows
    declared = []
    for column, kind, length, precision, scale in rows:
        sizes = {
            "varchar": f"({length})",
            "char": f"({length})",
            "decimal": f"({precision},{scale})",
        }
        declared.append(f"{quote_identifier(str(column))} {kind}{sizes.get(str(kind), '')}")
    wanted = [
        text.removesuffix(" NULL")
        .removesuffix(" NOT")
        .replace(", ", ",")
        .replace("datetime2(6)", "datetime2")
        for text in columns.values()
    ]
    return bool(rows) and declared != wanted


def drop_another(session: Session, spec: ModelSpec, name: str, columns: Mapping[str, str]) -> None:
    """Drop a table that has other columns; all its rows are made anew from files and models."""
    if other_columns(session, spec, name, columns):
        session.run(f"DROP TABLE {table_name(spec, name)}")


def _stored_rows(spec: ModelSpec, limit: int | None = None, name: str = "") -> str:
    """The query for the predictions in a table (default: the stored ones), in order."""
    names = ", ".join(prediction_columns(spec))
    table = table_name(spec, name or spec.predictions_table)
    top = "" if limit is None else f"TOP ({limit:d}) "
    return f"SELECT {top}{names} FROM {table} ORDER BY [forecast_row]"  # noqa: S608 # quoted


def scoring_columns(spec: ModelSpec) -> dict[str, str]:
    """Declarations of the scoring table by quoted name; only keys may be NULL."""
    return _declared(_types(spec.scored_columns), nullable=spec.key_names)


def input_columns(spec: ModelSpec) -> dict[str, str]:
    """The same with the names of the model's inputs."""
    return _declared(_input_types(spec), nullable=spec.key_names)


def returned_types(spec: ModelSpec) -> dict[str, str]:
    """SQL types of the columns that the predicting procedure returns, by name, in order."""
    return _input_types(spec) | {spec.output: spec.output_type}


def prediction_types(spec: ModelSpec) -> dict[str, str]:
    """SQL types of the predictions table's columns, by name, in order."""
    return returned_types(spec) | ORIGIN_TYPES


def prediction_columns(spec: ModelSpec) -> dict[str, str]:
    """Declarations of the predictions table by quoted name; keys and the score may be NULL."""
    return _declared(prediction_types(spec), nullable=(*spec.key_names, spec.output))


def _input_types(spec: ModelSpec) -> dict[str, str]:
    return _types((FORECAST_ROW, *spec.keys, *spec.features))


def _types(columns: Sequence[Column]) -> dict[str, str]:
    return {column.name: column.sql_declaration for column in columns}


def _declared(types: Mapping[str, str], *, nullable: Sequence[str]) -> dict[str, str]:
    """Declarations by quoted name of columns by name and SQL type."""
    declared = {}
    for name, sql_type in types.items():
        quoted = quote_identifier(name)
        declared[quoted] = f"{quoted} {sql_type} {'NULL' if name in nullable else 'NOT NULL'}"
    return declared


def table_name(spec: ModelSpec, name: str) -> str:
    """The quoted two-part name of a table or procedure."""
    return f"{quote_identifier(spec.schema)}.{quote_identifier(name)}"


def audit_table(spec: ModelSpec) -> str:
    """The quoted name of the model table's audit."""
    return table_name(spec, f"{spec.model_table}_audit")


def unicode_text(value: str) -> str:
    """An nvarchar literal."""
    return "N" + text_literal(value)


def _inputs_name(spec: ModelSpec) -> str:
    return f"{spec.scoring_table}_inputs"


def _save_name(spec: ModelSpec) -> str:
    return f"save_{spec.predictions_table}"


def _stage_name(spec: ModelSpec) -> str:
    return f"score_{spec.predictions_table}"


def _staged_name(spec: ModelSpec) -> str:
    return f"{spec.predictions_table}_scored"
