"""`bikecast sql`: T-SQL on the pool, results as a table, CSV or JSON."""

from __future__ import annotations

from pathlib import Path

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.sql import SqlError
from pipelines.bike_rentals import BIKE_RENTALS, SAMPLES
from pipelines.cli.console import stderr_console
from pipelines.cli.online import online_pool
from pipelines.cli.results import ResultPrinter
from pipelines.environments import resources_for
from pipelines.home import full_disk_explained, open_home
from pipelines.settings import load_settings
from resources.sql_pool.port import Session
from resources.sql_pool.scripts import split_batches

#: Invalid object name; could not find stored procedure.
_UNKNOWN_NAME = (208, 2812)


def sql_command(query: str | None, file: Path | None, output: str) -> None:
    """Run a query or a file and print each result set.

    Raises InvalidInput without a query, and SqlError as the pool answers.
    """
    script = _script(query, file)
    batches = split_batches(script)
    if not batches:
        raise InvalidInput("The query is empty. Nothing was run.")
    settings = load_settings()
    home = open_home(settings)
    here = resources_for(BIKE_RENTALS, settings, SAMPLES)
    printer = ResultPrinter(output)
    with (
        full_disk_explained(home),
        online_pool(here.sql_pool_power),
        here.sql_pool.session() as session,
    ):
        for number, batch in enumerate(batches, start=1):
            try:
                results = session.run(batch)
            except SqlError as error:
                told = str(error)
                if len(batches) > 1:
                    told += f"\nin batch {number} of {len(batches)}; the batches before it ran."
                if error.number in _UNKNOWN_NAME and _has_no_predictions(session):
                    told += "\nNo run has filled the pool yet: `bikecast run` first."
                raise BikecastError(told) from error
            for text in getattr(session, "messages", ()):  # the embedded pool's PRINT
                stderr_console().print(text, highlight=False, markup=False, soft_wrap=True)
            for result in results:
                printer.print(result)


def _has_no_predictions(session: Session) -> bool:
    """Whether no run has ended here yet."""
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
