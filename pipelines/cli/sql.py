"""`bikecast sql`: T-SQL on the pool, or Spark SQL on the lake; as a table, CSV or JSON."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.sql import ResultSet, SqlError
from pipelines.cli.output import Wide, plain, print_json, print_table, say, stdout_console

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from resources.sql_pool.port import Session

#: Invalid object name; could not find stored procedure.
_UNKNOWN_NAME = (208, 2812)
_NAME_IN_MESSAGE = re.compile(r"'([^']+)'")
_EMPTY = "The query is empty. Nothing was run."
_QUOTED = re.compile(r'[",\r\n]|^$|^\s|\s$')


def sql(
    query: Annotated[str | None, typer.Argument(help="SQL to run.", show_default=False)] = None,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="Run the script in this file; GO separates batches."),
    ] = None,
    output: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How results are printed.")
    ] = "table",
    wide: Wide = False,
    lake: Annotated[
        bool, typer.Option("--lake", help="Ask the lake's tables, in Spark SQL, not the pool.")
    ] = False,
) -> None:
    """Run T-SQL on the SQL pool.

    Examples: `bikecast sql "EXEC dbo.predict_rentals"`,
    `bikecast sql "SELECT TOP 5 * FROM dbo.predicted_rentals" --format csv`, `bikecast sql -f a.sql`
    and `bikecast sql --lake "SELECT * FROM bike_data LIMIT 5"`

    With several results, JSON is one array a line, and CSV has an empty line between them. NULL is
    an empty field in CSV, the empty text is `""`. PRINT goes to standard error.
    """
    from pipelines.cli.online import online_pool
    from pipelines.environments import sql_pool_of
    from pipelines.home import full_disk_explained, open_home
    from pipelines.settings import load_settings
    from resources.sql_pool.scripts import split_batches

    script, settings = _script(query, file), load_settings()
    if lake:
        _run_on_lake(script, settings, ResultPrinter(output, wide=wide))
        return
    batches = split_batches(script)
    if not batches:
        raise InvalidInput(_EMPTY)
    home = open_home(settings)
    pool, power = sql_pool_of(settings)
    printer, printed = ResultPrinter(output, wide=wide), 0
    with full_disk_explained(home), online_pool(power), pool.session() as session:
        for number, batch in enumerate(batches, start=1):
            try:
                results = session.run(batch)
            except SqlError as error:
                text = str(error)
                if len(batches) > 1:
                    text += f"\nin batch {number} of {len(batches)}; the batches before it ran."
                if error.number in _UNKNOWN_NAME and _has_no_predictions(session):
                    text += "\nNo run has filled the pool yet: `bikecast run` first."
                if error.number == _UNKNOWN_NAME[0]:
                    text += _place_in_lake(error.message, settings)
                raise BikecastError(text) from error
            for message in session.messages[printed:]:  # of the whole session
                say(message)
            printed = len(session.messages)
            for result in results:
                printer.print(result)


def _run_on_lake(script: str, settings: Settings, printer: ResultPrinter) -> None:
    from pipelines.environments import lake_session_of
    from pipelines.model_files import load_models
    from resources.spark.lake_session import check_reads, statements

    queries = statements(script)
    if not queries:
        raise InvalidInput(_EMPTY)
    for query in queries:
        check_reads(query)
    session = lake_session_of(settings, load_models())
    try:
        for query in queries:
            printer.print(session.sql(query))
    finally:
        session.leave()


def _place_in_lake(message: str, settings: Settings) -> str:
    """Where the table of a Msg 208 is, if the lake has one of its name."""
    from pipelines.environments import lake_session_of
    from pipelines.model_files import load_models

    quoted = _NAME_IN_MESSAGE.search(message)
    name = quoted[1].rpartition(".")[2].strip('[]"').casefold() if quoted else ""
    for table in lake_session_of(settings, load_models()).tables():
        if table.casefold() == name:
            return (
                f"\n{table} is a table of the lake, not of the pool: "
                f'bikecast sql --lake "TABLE {table}"'
            )
    return ""


def _has_no_predictions(session: Session) -> bool:
    """Whether no run has ended here yet."""
    from pipelines.model_files import load_models

    for spec in (model.spec for model in load_models()):
        name = f"{spec.schema}.{spec.predictions_table}"
        [result] = session.run("SELECT OBJECT_ID(?) AS id", (name,))
        if result.rows[0][0] is not None:
            return False
    return True


def _script(query: str | None, file: Path | None) -> str:
    if (query is None) == (file is None):
        raise InvalidInput(
            'Give either a query or -f FILE, such as: bikecast sql "SELECT 1 AS one". '
            "Nothing was run."
        )
    if query is not None:
        return query
    try:
        return Path(file or "").read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}. Nothing was run.") from error


class ResultPrinter:
    """Prints result sets one after the other to standard output, as `table`, `csv` or `json`.

    CSV: NULL is an empty field and the empty text is `""`; an empty line stands between two
    results. JSON: an array a line; columns without a name of their own are numbered.
    """

    def __init__(self, output: str, *, wide: bool = False) -> None:
        self._output, self._wide = output, wide
        self._printed = 0

    def print(self, result: ResultSet) -> None:
        """Print one result set."""
        names = [column.name for column in result.columns]
        if self._output == "json":
            unique = unique_names(names)
            print_json([dict(zip(unique, row, strict=True)) for row in result.rows])
        elif self._output == "csv":
            rows: list[Sequence[object]] = [names, *_rows(result)]
            lines = [",".join(map(_field, row)) for row in rows]
            sys.stdout.write("\n" * (self._printed > 0) + "".join(f"{line}\n" for line in lines))
        else:
            print_table(names, _rows(result), exact=True, wide=self._wide)
            count = len(result.rows)
            stdout_console().print(
                f"({count} row{'s' * (count != 1)})", style="dim", highlight=False
            )
        self._printed += 1


def unique_names(names: Sequence[str]) -> list[str]:
    """Each name once: an unnamed third column is `column3`, a repeated `a` is `a_2`."""
    unique: list[str] = []
    for number, name in enumerate(names, start=1):
        base = mine = name or f"column{number}"
        count = 1
        while mine in unique or (mine != name and mine in names):
            count += 1
            mine = f"{base}_{count}"
        unique.append(mine)
    return unique


def _rows(result: ResultSet) -> list[list[object]]:
    """The rows as text shows them: bit as 1 and 0, real with the digits that it has.

    Spark's boolean is a word.
    """
    types = [column.sql_type for column in result.columns]
    return [
        [_shown(value, sql_type) for value, sql_type in zip(row, types, strict=True)]
        for row in result.rows
    ]


def _shown(value: object, sql_type: str) -> object:
    if isinstance(value, bool):
        return str(value).lower() if sql_type == "boolean" else int(value)
    if sql_type == "real" and isinstance(value, float):
        single = struct.pack("f", value)
        texts = (f"{value:.{digits}g}" for digits in range(6, 10))
        return next((float(t) for t in texts if struct.pack("f", float(t)) == single), value)
    return value


def _field(value: object) -> str:
    if value is None:
        return ""
    text = str(plain(value))
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
