"""`bikecast`: the list of its commands, each of which lives in a module of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from bikecast.core.errors import BikecastError, Damaged, InvalidInput
from pipelines.cli.streams import is_text, print_any_text

#: Each command's module and the first line of its help. The module has a function, or a group of
#: commands, of the command's name.
COMMANDS = {
    "run": ("run", "Run the whole pipeline and print the forecast."),
    "validate": ("validate", "Read files as `bikecast run` would, and say how; nothing is stored."),
    "profile": (
        "profile",
        "Look at a file or a table of the lake: values, gaps, ranges, drift, ties to the target.",
    ),
    "notebook": (
        "notebook",
        "Look at the data, or train step by step, in a notebook of Jupyter or of Synapse.",
    ),
    "ui": ("ui", "Open the Dagster UI: web server, daemon, sensors and schedules, on 127.0.0.1."),
    "sql": ("sql", "Run T-SQL on the SQL pool."),
    "models": (
        "models",
        "List the registered model versions, newest first, with scores and the live one marked.",
    ),
    "rollback": (
        "models",
        "Make an earlier model version live again, in one step, with an audit row.",
    ),
    "rescore": (
        "models",
        "Score a range of days again, with the live model or any other version, in one run.",
    ),
    "explain": (
        "inspect",
        "Walk back from one prediction to its model, run, data version and source lines.",
    ),
    "status": (
        "inspect",
        "Show how all is: models, last run, jobs, freshness, switches; exit code 1 on problems.",
    ),
    "simulate": (
        "data",
        "Write a simulated training CSV with the seasons, weeks and weather of real bike rentals.",
    ),
    "fetch-lab-data": (
        "data",
        "Download the two CSV files of Microsoft's lab and check their SHA-256.",
    ),
    "automl": ("automl", "Train the best model for one column of any CSV, with honest scores."),
    "predict": ("predict", "Score the rows of a CSV by a trained model."),
    "sql-server": (
        "sql_server",
        "Serve the SQL pool to SQL Server's drivers (TDS): pyodbc, mssql-python, sqlcmd.",
    ),
    "plan": ("plan", "Show what a run would do and cost in the current state; nothing is started."),
    "new-model": (
        "new_model",
        "Make the file of a new model from a CSV: columns, types and settings, with comments.",
    ),
    "script": (
        "script",
        "Show the T-SQL that makes a model's predictions table and its PREDICT procedures.",
    ),
    "check": ("check", "Check the models' files: each fault by file, line and field."),
    "backup": (
        "backups",
        "Write all of the home into one file with checksums; it may be in use meanwhile.",
    ),
    "restore": (
        "backups",
        "Make the home of a backup, where there is none yet; every file is checked first.",
    ),
    "repair": (
        "repair",
        "Mend a damaged home: what can be made again is, and what is lost is named.",
    ),
    "doctor": (
        "doctor",
        "Check this installation: machine, settings and, in azure, identity, services and roles.",
    ),
    "smoke": (
        "smoke",
        "Make the smallest real run in Azure, and record and check what Azure answers.",
    ),
    "mlflow-ui": (
        "ui",
        "Open MLflow's UI on the trainings of this home, on 127.0.0.1; stop with Ctrl-C.",
    ),
    "env": (
        "ui",
        'Print the exports that plain `dagster` and `dg` commands need: `eval "$(bikecast env)"`.',
    ),
    "azure": (
        "azure",
        "Make the azure environment in an empty subscription, pause it, and take it away.",
    ),
    "link": ("link", "Link the Synapse and the Azure ML workspace, and attach the Spark pool."),
    "roles": (
        "roles",
        "Check the roles that the azure environment needs, and give the missing ones.",
    ),
}
#: The groups of `--help`, in its order; each command is in one.
GROUPS: Final = {
    "Run": ("run", "validate", "plan", "ui"),
    "Models": ("models", "rollback", "rescore", "explain", "new-model", "check"),
    "Look": ("profile", "notebook", "status", "sql", "sql-server", "script", "mlflow-ui"),
    "Azure": ("azure", "link", "roles", "smoke"),
    "Tools": (
        "automl",
        "predict",
        "simulate",
        "fetch-lab-data",
        "doctor",
        "backup",
        "restore",
        "repair",
        "env",
    ),
}
MARKUP: Final = "markdown"


class LazyGroup(TyperGroup):
    """The commands by name; the module of one is imported where that one is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {
            name: TyperCommand(
                name, help=COMMANDS[name][1], rich_markup_mode=MARKUP, rich_help_panel=group
            )
            for group, names in GROUPS.items()
            for name in names
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, and what is left of them."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(str(name)), rest


def load(name: str) -> Any:
    """The command or group of this name."""
    module, _ = COMMANDS[name]
    loaded = getattr(import_module(f"pipelines.cli.{module}"), name.replace("-", "_"))
    parent = typer.Typer(rich_markup_mode=MARKUP)
    if isinstance(loaded, typer.Typer):
        parent.add_typer(loaded, name=name)
    else:
        parent.command(name)(loaded)
    return typer.main.get_group(parent).commands[name]


app = typer.Typer(
    name="bikecast",
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=MARKUP,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"bikecast {version('bikecast')}")
        raise typer.Exit


@app.callback()
def bikecast(
    version: Annotated[  # the callback acts on it
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Forecast bike rentals: CSV, Spark table, AutoML, ONNX model, T-SQL PREDICT.

    Start with `bikecast run`. Everything it makes lives in the folder BIKECAST_HOME
    (default `.bikecast` in the project); delete that folder to start again.
    """


def _check_texts(arguments: Sequence[str]) -> None:
    """Raise InvalidInput for arguments and settings whose bytes are no text here.

    No database or log takes them; only files may have such names. Such variables of other tools
    are left out, because the embedded Spark reads all variables as text.
    """
    texts = {f"Argument {number}": text for number, text in enumerate(arguments, start=1)}
    texts |= {name: text for name, text in os.environ.items() if name.startswith("BIKECAST_")}
    for name, text in texts.items():
        is_file = name.startswith("Argument") and os.path.exists(text)  # noqa: PTH110  # never raises
        if not (is_text(text) or is_file):
            raise InvalidInput(
                f"{name} is not text in UTF-8: {os.fsencode(text)!r}. Nothing was done. Give it "
                "in UTF-8. A file of such a name is taken after --csv or --forecast, if it exists."
            )
    for name in [name for name, text in os.environ.items() if not is_text(name + text)]:
        del os.environ[name]


def main() -> None:
    """Entry point: errors meant for people end without a stack trace."""
    print_any_text()
    try:
        _check_texts(sys.argv[1:])
        app(prog_name="bikecast")
    except BikecastError as error:
        from rich.markup import escape

        from pipelines.cli.output import stderr_console
        from pipelines.logs import LOGGER

        if LOGGER.handlers:
            LOGGER.error(str(error))
        stderr_console().print(f"[bold red]Error:[/] {escape(str(error))}", highlight=False)
        if not isinstance(error, (InvalidInput, Damaged)):
            tell_of_damage()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not lacks_memory(error):
            if tell_of_damage():
                sys.exit(1)
            raise
        text = "There is not enough memory" + memory_limit()
        print(  # noqa: T201  # no console: it needs memory too
            f"Error: {text}. What was complete before is kept. Close other programs or raise the "
            "limit, and run again.",
            file=sys.stderr,
        )
        sys.exit(1)


def tell_of_damage() -> bool:
    """Say what is damaged in the home of a command that failed, and what mends it.

    Returns whether there is something. Errors of libraries seldom name the file.
    """
    from pathlib import Path

    from pipelines.cli.output import say
    from pipelines.doctor.damage import QUICK_BYTES, damage, line
    from pipelines.home import Home

    home = Home(Path(os.environ.get("BIKECAST_HOME", "")))
    if home.root == Path() or not home.root.is_dir():
        return False
    try:
        damaged = damage(home, QUICK_BYTES)
    except Exception:  # noqa: BLE001  # it may lack memory or rights; the error itself is told
        return False
    for finding in damaged:
        say(f"Damaged: {home.root / line(home, finding)}")
    if damaged:
        say("`bikecast repair` mends it; `bikecast repair --dry-run` says how")
    return bool(damaged)


def lacks_memory(error: BaseException) -> bool:
    """Whether this error, or what caused it, is that memory or threads are not to be had."""
    texts = ("cannot allocate memory", "failed to map segment", "can't start new thread")
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or any(text in str(seen).lower() for text in texts):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def memory_limit() -> str:
    """The limit of this process, as `ulimit -v` sets it, in words; empty where there is none."""
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return ""
    return f": this process may have {limit >> 20:,} MiB (ulimit -v)"
