"""The commands of `bikecast`, with their help; the work is in the modules beside this one."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bikecast.core.errors import BikecastError
from pipelines.cli.planning import add_planning_commands
from pipelines.sample.simulator import MAX_YEARS

app = typer.Typer(
    name="bikecast",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Forecast bike rentals: CSV, Spark table, AutoML, ONNX model, T-SQL PREDICT.\n\n"
    "Start with `bikecast run`. Everything it makes lives in the folder BIKECAST_HOME "
    "(default `.bikecast` in the project); delete that folder to start again.",
)


class TableFormat(StrEnum):
    """How query results are printed."""

    table = "table"
    csv = "csv"
    json = "json"


@app.command()
def run(
    csv: Annotated[
        str | None,
        typer.Option(
            help="Training CSV: a path or a URL.  [default: BIKECAST_CSV, else a simulated sample]",
            show_default=False,
        ),
    ] = None,
    forecast: Annotated[
        str | None,
        typer.Option(
            help="CSV with the days to forecast: a path or a URL.  "
            "[default: BIKECAST_FORECAST, else a simulated sample]",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            min=1,
            max=86_400,
            help="Seconds for the training; it ends earlier when all is tried. Under about 6 s "
            "only the first configurations are tried, and it may take longer.  "
            "[default: BIKECAST_BUDGET, else 20]",
            show_default=False,
        ),
    ] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train again although nothing has changed.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output.")
    ] = False,
) -> None:
    """Run the whole pipeline and print the forecast.

    The files are checked first; a wrong one ends the run with exit code 2 and changes nothing.
    A second run on unchanged data and code trains nothing and takes the model that is there.

    Examples: `bikecast run`, `bikecast run --csv rentals.csv --forecast days.csv --budget 60`,
    `bikecast run --json > forecast.json`
    """
    from pipelines.cli.run import run_command

    run_command(csv=csv, forecast=forecast, budget=budget, retrain=retrain, as_json=as_json)


@app.command()
def ui(
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65_535,
            help="Port on 127.0.0.1.  [default: BIKECAST_UI_PORT, else 3000]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open the Dagster UI: web server, daemon, sensors and schedules, on 127.0.0.1.

    Then choose "Materialize all" on the asset graph. The run ends at the training job; the
    sensor finishes the chain when the job has ended. Stop with Ctrl-C.
    """
    from pipelines.cli.ui import ui_command

    ui_command(port)


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="T-SQL to run.", show_default=False)] = None,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="Run the script in this file; GO separates batches."),
    ] = None,
    output: Annotated[
        TableFormat, typer.Option("--format", help="How results are printed.")
    ] = TableFormat.table,
) -> None:
    """Run T-SQL on the SQL pool.

    Examples: `bikecast sql "EXEC dbo.predict_rentals"`,
    `bikecast sql "SELECT TOP 5 * FROM dbo.predicted_rentals" --format csv`, `bikecast sql -f a.sql`

    With several results, JSON is one array a line, and CSV has an empty line between them. NULL is
    an empty field in CSV, the empty text is `""`. PRINT goes to standard error.
    """
    from pipelines.cli.sql import sql_command

    sql_command(query, file, output.value)


@app.command()
def models() -> None:
    """List the registered model versions, newest first, with scores and the live one marked."""
    from pipelines.cli.models import models_command

    models_command()


@app.command()
def rollback(
    version: Annotated[
        int | None,
        typer.Argument(
            help="Version to make live. Default: the one that was live before.", show_default=False
        ),
    ] = None,
) -> None:
    """Make an earlier model version live again, in one step, with an audit row.

    The next scoring uses it. It stays live until a newer version wins, or until
    `bikecast rollback VERSION` names another one. `bikecast models` lists the versions.
    """
    from pipelines.cli.rollback import rollback_command

    rollback_command(version)


@app.command()
def rescore(
    first: Annotated[str, typer.Option("--from", help="First day (2013-01-01).")],
    last: Annotated[str, typer.Option("--to", help="Last day, included.")],
    version: Annotated[
        int | None,
        typer.Option(help="Model version. Default: the live one.", show_default=False),
    ] = None,
) -> None:
    """Score a range of days again, with the live model or any other version, in one run.

    The result is in `dbo.predicted_rentals_by_day`. Days come from the forecast file, or from
    earlier ones.

    Example: `bikecast rescore --from 2013-01-01 --to 2013-01-10 --version 1`
    """
    from pipelines.cli.rescore import rescore_command

    rescore_command(first, last, version)


@app.command()
def explain(
    day: Annotated[str, typer.Argument(help="The day (2013-01-01), or the number of the row.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Walk back from one prediction to its model, run, data version and source lines."""
    from pipelines.cli.inspect import explain_command

    explain_command(day, as_json=as_json)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how all is: live model, last run, jobs, freshness, switches; exit code 1 on problems."""
    from pipelines.cli.inspect import status_command

    status_command(as_json=as_json)


@app.command()
def simulate(
    output: Annotated[Path, typer.Option("-o", "--output", help="The CSV file to write.")],
    years: Annotated[
        int, typer.Option(min=1, max=MAX_YEARS, help="Years of days from 2011 on.")
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same file.")] = 0,
) -> None:
    """Write a simulated training CSV with the seasons, weeks and weather of real bike rentals."""
    from pipelines.cli.data import simulate_command

    simulate_command(output, years, seed)


@app.command("fetch-lab-data")
def fetch_lab_data(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the two CSV files.")
    ] = Path("lab-data"),
    url: Annotated[
        str | None, typer.Option(help="Another address of the folder with the files.")
    ] = None,
) -> None:
    """Download the two CSV files of Microsoft's lab and check their SHA-256.

    Then: `bikecast run --csv lab-data/bike-rentals-training.csv
    --forecast lab-data/weather-forecast.csv`
    """
    from pipelines.cli.data import fetch_command

    fetch_command(output, url)


@app.command()
def automl(
    csv: Annotated[Path, typer.Option(help="Any CSV with a header.", show_default=False)],
    target: Annotated[str, typer.Option(help="The number to predict.", show_default=False)],
    features: Annotated[
        str | None,
        typer.Option(help="Columns, separated by commas. Default: all.", show_default=False),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="spearman_correlation, r2_score or a normalized error.")
    ] = "spearman_correlation",
    budget: Annotated[
        float,
        typer.Option(help="Seconds for the training; under about 6 s few algorithms are tried."),
    ] = 60.0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for the results. Default: automl-NAME."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed and trials give the same model.")] = 0,
    allow: Annotated[str, typer.Option(help="Only these algorithms, such as LightGBM,Ridge.")] = "",
    block: Annotated[str, typer.Option(help="Not these algorithms.")] = "",
    best: Annotated[
        bool, typer.Option("--best", help="Take the best, not the simplest that is as good.")
    ] = False,
) -> None:
    """Train the best model for one column of any CSV, with honest scores.

    Leaves model.onnx, leaderboard.csv, model-card.md, scores.json and plots. The same command on
    the same file trains nothing again; after Ctrl-C it goes on from the trials that are done.

    Examples: `bikecast automl --csv houses.csv --target price`,
    `bikecast automl --csv sales.csv --target units --features price,day --metric r2_score`
    """
    from pipelines.cli.automl import Options, automl_command

    names = tuple(filter(None, (features or "").split(",")))
    allowed, blocked = (tuple(filter(None, text.split(","))) for text in (allow, block))
    automl_command(
        Options(csv, target, names, metric, budget, output, seed, allowed, blocked, not best)
    )


@app.command("sql-server")
def sql_server(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 1433,
    tls: Annotated[
        bool, typer.Option("--tls", help="Encrypt, with a self-signed certificate of the home.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Serve the SQL pool to SQL Server's drivers (TDS): pyodbc, mssql-python, sqlcmd.

    Who may log in: BIKECAST_SQL_USER with BIKECAST_SQL_PASSWORD, or the bearer of the access
    token BIKECAST_SQL_TOKEN. Stop with Ctrl-C.

    Example: `BIKECAST_SQL_USER=me BIKECAST_SQL_PASSWORD=... bikecast sql-server --tls`
    """
    from pipelines.cli.sql_server import sql_server_command

    sql_server_command(port, host, tls=tls)


add_planning_commands(app)


@app.command("mlflow-ui")
def mlflow_ui(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open MLflow's UI on the trainings of this home, on 127.0.0.1; stop with Ctrl-C.

    Needs the full `mlflow`; the pipeline itself installs only `mlflow-skinny`.
    """
    from pipelines.cli.mlflow_ui import mlflow_ui_command

    mlflow_ui_command(port)


@app.command("env")
def env() -> None:
    """Print the exports that plain `dagster` and `dg` commands need: `eval "$(bikecast env)"`."""
    from pipelines.cli.ui import env_command

    env_command()


def main() -> None:
    """Entry point: errors meant for people end without a stack trace."""
    try:
        app()
    except BikecastError as error:
        from pipelines.cli.console import stderr_console
        from pipelines.logs import LOGGER

        if LOGGER.handlers:
            LOGGER.error(str(error))
        stderr_console().print(f"[bold red]Error:[/] {_escaped(str(error))}", highlight=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
