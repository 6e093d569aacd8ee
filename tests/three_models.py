"""Three models in one project: bike rentals, an hourly table with two keys, and coffee without
dates. The last two are made by `bikecast new-model` in a copy of the project."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from pipelines.installation import Installation
from tests.cli import PROJECT, Cli
from tests.second_spec import write_coffee_files

#: What is scored again, by model: days, or rows by number.
AGAIN = {
    "bike_rentals": ("2013-01-01", "2013-01-02"),
    "trips": ("2024-01-01", "2024-01-02"),
    "coffee": ("2", "4"),
}


def write_trips(folder: Path, *, temperature: str = "temperature") -> tuple[str, str]:
    """The training file, and one with the same rows to score, where temp has another name."""
    rows = [
        f"2024-01-{1 + n // 24:02},{n % 24},{5 + n % 24 / 2 + n / 100},{n // 5 % 2},{n % 24 + n}"
        for n in range(24 * 6)
    ]
    training, scoring = folder / "trips.csv", folder / "tomorrow.csv"
    training.write_text("\n".join(["day,hour,temp,busy,trips", *rows, ""]), "utf-8")
    scoring.write_text("\n".join([f"day,hour,{temperature},busy,trips", *rows, ""]), "utf-8")
    return str(training), str(scoring)


def make_models(bikecast: Callable[..., object], folder: Path, defs: Path) -> None:
    """Make trips and coffee of new CSV files by `bikecast new-model`, below `defs`; days of trips
    can be scored again."""
    coffee = write_coffee_files(folder)
    trips, tomorrow = write_trips(folder, temperature="temp")
    keys = ("--key", "day", "--key", "hour")
    for name, target, csv, forecast, options in (
        ("trips", "trips", trips, tomorrow, keys),
        ("coffee", "cups", str(coffee.training), str(coffee.scoring), ()),
    ):
        files = ("--csv", csv, "--forecast", forecast)
        bikecast("new-model", name, *files, "--target", target, *options)
    file = defs / "trips" / "defs.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("  time_key: ", "  first_day: 2024-01-01\n  time_key: "), "utf-8")


def project_with_three_models(folder: Path, *, trials: int) -> Cli:
    """The command line of a copy of the project, on an empty home."""
    copy = folder / "project"
    left_out = shutil.ignore_patterns(".*", "tests", "docs", "benchmarks")
    shutil.copytree(PROJECT, copy, ignore=left_out)
    cli = Cli(folder / "home", trials, copy)

    def call(*arguments: str) -> None:
        done = cli(*arguments, timeout=900)
        assert done.returncode == 0, done.stderr

    make_models(call, folder, copy / "pipelines" / "defs")
    return cli


def home_state(here: Installation) -> dict[str, str]:
    """Everything of a home by name: tables, files, versions and aliases, jobs, assets.

    Not the locks of the one trainer: files beside the jobs' folders.
    """
    state: dict[str, str] = {}
    with here.resources.sql_pool.session() as session:
        names = "SELECT TABLE_SCHEMA + '.' + TABLE_NAME AS n FROM INFORMATION_SCHEMA.TABLES"
        for (name,) in session.run(names)[0].rows:
            rows = session.run(f"SELECT * FROM {name}")[0].rows
            state[f"table {name}"] = repr(sorted(map(repr, rows)))
    for folder in (here.home.lake, here.home.jobs):
        for path in folder.rglob("*"):
            if path.is_file() and path.parent != here.home.jobs:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                state[f"file {path.relative_to(here.home.root)}"] = digest
    for model in here.models:
        for entry in here.resources.registry.versions(model.spec.model_name):
            name = f"version {model.spec.model_name} {entry.version}"
            state[name] = f"{entry.digest} {entry.aliases}"
    for key in here.instance.all_asset_keys():
        event = here.instance.get_latest_materialization_event(key)
        state[f"asset {key.to_user_string()}"] = event.run_id if event else ""
    return state


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Names of what is new, gone or different."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
