"""`bikecast sql`: T-SQL on the pool, results as a table, CSV or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.sql import SqlError
from pipelines.cli.output import say

if TYPE_CHECKING:
    from resources.sql_pool.port import Session

#: Invalid object name; could not find stored procedure.
_UNKNOWN_NAME = (208, 2812)


def sql(
    query: Annotated[str | None, typer.Argument(help="T-SQL to run.", show_default=False)] = None,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="Run the script in this file; GO separates batches."),
    ] = None,
    output: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How results are printed.")
    ] = "table",
) -> None:
    """Run T-SQL on the SQL pool.

    Examples: `bikecast sql "EXEC dbo.predict_rentals"`,
    `bikecast sql "SELECT TOP 5 * FROM dbo.predicted_rentals" --format csv`, `bikecast sql -f a.sql`

    With several results, JSON is one array a line, and CSV has an empty line between them. NULL is
    an empty field in CSV, the empty text is `""`. PRINT goes to standard error.
    """
    from pipelines.cli.online import online_pool
    from pipelines.cli.results import ResultPrinter
    from pipelines.environments import sql_pool_of
    from pipelines.home import full_disk_explained, open_home
    from pipelines.settings import load_settings
    from resources.sql_pool.scripts import split_batches

    batches = split_batches(_script(query, file))
    if not batches:
        raise InvalidInput("The query is empty. Nothing was run.")
    settings = load_settings()
    home = open_home(settings)
    pool, power = sql_pool_of(settings)
    printer, printed = ResultPrinter(output), 0
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
                raise BikecastError(text) from error
            for message in session.messages[printed:]:  # of the whole session
                say(message)
            printed = len(session.messages)
            for result in results:
                printer.print(result)


def _has_no_predictions(session: Session) -> bool:
    """Whether no run has ended here yet."""
    from pipelines.bike_rentals import BIKE_RENTALS

    [result] = session.run(
        "SELECT OBJECT_ID(?) AS id", (f"{BIKE_RENTALS.schema}.{BIKE_RENTALS.predictions_table}",)
    )
    return result.rows[0][0] is None


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
