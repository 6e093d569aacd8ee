"""The stages that are killed: each takes a home from one state to the next, and may be repeated.

`world` makes the home that all start from; `state` is what anybody can see of one, part by part.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from assets.live_model.decision import Decision
from assets.live_model.live_model import LiveModel
from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.locks import exclusive
from bikecast.core.sql import SqlError
from pipelines import backups
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.doctor.damage import damage
from pipelines.environments import registry_for, sql_pool_for
from pipelines.home import Home
from pipelines.repair import repair
from pipelines.sample.simulator import simulate, write_forecast_csv, write_training_csv
from resources.lake.local import LocalLake
from resources.sql_pool.port import Session

OLD, NEW = "job-1", "job-2"
_NO_SUCH_TABLE = 208
#: The stage that starts other processes, and takes seconds.
WHOLE = "a whole run"
#: Parts of the state that a stage takes through more than two states.
STEPS = {"repair": None, WHOLE: {"registry"}}
#: A table of a person, which a transaction changes.
OWN = "dbo.own"


def lake_of(home: Home) -> LocalLake:
    """The home's lake."""
    return LocalLake(root=str(home.lake))


def model_of(home: Home) -> LiveModel:
    """The home's live model."""
    return LiveModel(registry_for(home), sql_pool_for(home), lake_of(home), SPEC)


def world(home: Home, database: Path) -> None:
    """A home with data, a training table, version 1 live, and rows that it scored.

    `database` is an empty registry, whose schema takes seconds to make. The new files and the
    model of the second job lie beside.
    """
    from tests.unit.sql_pool.onnx_models import weighted_sum

    home.lake.mkdir(parents=True)
    beside = home.root / "beside"
    beside.mkdir()
    shutil.copyfile(database, home.root / "mlflow.db")
    shutil.copyfile(database, beside / "empty.db")
    for job, weight in ((OLD, 1500.0), (NEW, 1700.0)):
        (beside / f"{job}.onnx").write_bytes(
            weighted_sum({"temp": "real"}, weight, output=SPEC.model_output)
        )
    for years in (1, 2):
        write_training_csv(beside / f"training-{years}.csv", years)
        write_forecast_csv(beside / f"forecast-{years}.csv", years)
    _store(home, "training", 1)
    _store(home, "scoring", 1)
    _prepare(home, 1)
    _register(home, OLD)
    model = model_of(home)
    model.prepare()
    model.change(Decision(_version(home, OLD), "promote", "first"), actor="chaos", run_id="1")
    _load(home)
    _score(home, "before")
    with sql_pool_for(home).session() as session:
        session.run(f"CREATE TABLE {OWN} (a int NOT NULL, b int)")
        session.run(f"INSERT INTO {OWN} SELECT 1, 10")


def _store(home: Home, purpose: Any, years: int) -> None:
    from resources.lake.port import CsvFormat
    from resources.lake.raw_files import reader, store

    name = "training" if purpose == "training" else "forecast"
    path = SPEC.source_file if purpose == "training" else SPEC.scoring_file
    source, told = home.root / f"beside/{name}-{years}.csv", CsvFormat()
    content = reader(purpose)(source, SPEC, source_name=source.name, told=told)
    store(lake_of(home), path, source, content, SPEC, told)


def _prepare(home: Home, years: int) -> None:
    """The training table of the simulated years; the engine's files are written by Arrow."""
    import pyarrow.parquet as pq

    from bikecast.core.sql_types import arrow_schema
    from resources.spark.content import Content
    from resources.spark.delta_table import commit_folder

    columns = SPEC.training_columns
    table = simulate(years).select([c.name for c in columns]).cast(arrow_schema(columns))
    place, folder = home.lake / SPEC.training_table_path, f"prepared-{uuid4().hex}"
    (place / folder).mkdir(parents=True)
    pq.write_table(table, place / folder / "part.parquet")
    content = Content(table.num_rows, (years, years))
    arguments = (SPEC.training_table_path, place, folder, columns, content)
    commit_folder(lake_of(home), *arguments, lambda _: Content(0, (0, 0)))


def _register(home: Home, job: str) -> None:
    path = home.root / f"beside/{job}.onnx"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    registry = registry_for(home)
    registry.register(SPEC.model_name, path, job_id=job, digest=digest, scores={}, tags={})


def _version(home: Home, job: str) -> Any:
    versions = registry_for(home).versions(SPEC.model_name)
    return next(each for each in versions if each.job_id == job)


def _promote(home: Home) -> None:
    model, candidate = model_of(home), _version(home, NEW)
    live = model.current()
    model.prepare()
    if live is None or live.version != candidate.version:
        model.change(Decision(candidate, "force", "chaos"), actor="chaos", run_id="2")


def _roll_back(home: Home) -> None:
    model = model_of(home)
    model.prepare()
    try:
        model.roll_back(1, actor="chaos", run_id="3")
    except InvalidInput as error:
        if "is live already" not in str(error):
            raise


def _load(home: Home) -> None:
    from resources.lake.scoring_rows import scoring_rows
    from resources.sql_pool.deployment import load_scoring_table

    lake = lake_of(home)
    staged = scoring_rows(lake, SPEC).file
    load_scoring_table(sql_pool_for(home), SPEC, url=lake.copy_url(staged.path))


def _score(home: Home, run_id: str) -> None:
    from resources.scoring.predict import PredictScoring

    scoring = PredictScoring(sql_pool_for(home))
    scoring.store(SPEC, scoring.score(SPEC, run_id=run_id))


def _rescore(home: Home) -> None:
    """Some rows by the version that is not live."""
    from resources.sql_pool.daily import score_rows

    scorer = model_of(home).scorer(1)
    score_rows(sql_pool_for(home), SPEC, 2, 5, scorer, run_id="rescore")


def _transaction(home: Home) -> None:
    """Two rows change together, once."""
    with sql_pool_for(home).session() as session:
        session.run("BEGIN TRANSACTION")
        if not session.run(f"SELECT a FROM {OWN} WHERE a = 2")[0].rows:
            session.run(f"INSERT INTO {OWN} SELECT 2, 20")
            session.run(f"UPDATE {OWN} SET b = b + 1 WHERE a = 1")
        session.run("COMMIT TRANSACTION")


def _back_up(home: Home) -> None:
    backups.backup(home, home.root.parent / "home.backup")


def _restore(home: Home) -> None:
    """Into another folder, from a backup that was made before."""
    target = Home(home.root.parent / "restored")
    if not target.root.exists():
        backups.restore(home.root.parent / "given.backup", target)


def _repair(home: Home) -> None:
    """Of a registry and a pool that are no databases; the registry's empty schema is copied.

    The command holds the same lock.
    """
    from bikecast.embedded.mlflow import database_path

    def prepared(uri: str) -> None:
        if not database_path(uri).exists():
            shutil.copyfile(home.root / "beside/empty.db", database_path(uri))

    is_prepared = patch("bikecast.embedded.mlflow.store.prepare_store", prepared)
    with is_prepared, exclusive(home.root / "run.lock"):
        list(repair(home, [SPEC]))


def _damage(home: Home) -> None:
    (home.root / "mlflow.db").write_bytes(b"no database" * 999)
    home.pool.write_bytes(b"no database" * 999)


def run_settings(home: Home, years: int) -> dict[str, str]:
    """The variables that name the files of these years for a run."""
    files = {"CSV": "training", "FORECAST": "forecast"}
    return {f"BIKECAST_{n}": f"{home.root}/beside/{f}-{years}.csv" for n, f in files.items()}


def _run(home: Home, years: int) -> None:
    """`bikecast run` with the files of these years, one trial: Spark, training, Dagster's log."""
    from pipelines.cli import main

    of_home = {"BIKECAST_HOME": str(home.root), "BIKECAST_MAX_TRIALS": "1"}
    os.environ.update({**of_home, **run_settings(home, years)})
    sys.argv = ["bikecast", "run", "--promote"]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise BikecastError(f"the run ended with exit code {end.code}") from end


def _register_new(home: Home) -> None:
    _register(home, NEW)


def _live_new(home: Home) -> None:
    _register(home, NEW)
    _promote(home)


def _give_backup(home: Home) -> None:
    backups.backup(home, home.root.parent / "given.backup")


def _nothing(home: Home) -> None:
    del home


#: By name: what must have happened before, and what is killed.
STAGES: dict[str, tuple[Callable[[Home], None], Callable[[Home], None]]] = {
    "a CSV into the lake": (_nothing, lambda home: _store(home, "training", 2)),
    "the training table": (_nothing, lambda home: _prepare(home, 2)),
    "registration": (_nothing, _register_new),
    "promotion": (_register_new, _promote),
    "rollback": (_live_new, _roll_back),
    "COPY INTO": (lambda home: _store(home, "scoring", 2), _load),
    "scoring by PREDICT": (_live_new, lambda home: _score(home, "after")),
    "rescored rows": (_live_new, _rescore),
    "a transaction": (_nothing, _transaction),
    "backup": (_nothing, _back_up),
    "restore": (_give_backup, _restore),
    "repair": (_damage, _repair),
    WHOLE: (lambda home: _run(home, 1), lambda home: _run(home, 2)),
}


_MODELS = f"dbo.{SPEC.model_table}"
#: By part of the state: what is asked of the pool.
POOL_QUERIES = {
    "live": f"SELECT version, digest FROM {_MODELS} WHERE is_live = 1",
    "audit": f"SELECT action, to_version FROM {_MODELS}_audit ORDER BY entry",
    "rows": f"SELECT * FROM dbo.{SPEC.scoring_table} ORDER BY 1",
    "predictions": f"SELECT forecast_row, {SPEC.output}, model_version "
    f"FROM dbo.{SPEC.predictions_table} ORDER BY 1",
    "rescored": f"SELECT forecast_row, {SPEC.output}, model_version "
    f"FROM dbo.{SPEC.predictions_table}_rescored ORDER BY 1",
    "own": f"SELECT a, b FROM {OWN} ORDER BY 1",
}


def state(home: Home) -> dict[str, Any]:
    """What can be seen of a home, part by part; times and paths are left out.

    A part that cannot be read is its error. That no backup or restored home is there is None.
    """
    parts: dict[str, Callable[[], Any]] = {
        "training file": lambda: lake_of(home).stat(SPEC.source_file),
        "scoring file": lambda: lake_of(home).stat(SPEC.scoring_file),
        "table": lambda: _table_rows(home),
        "registry": lambda: [
            [each.version, each.job_id.rstrip("0123456789"), each.digest, list(each.aliases)]
            for each in registry_for(home).versions(SPEC.model_name)
        ],
        "models": lambda: [
            len(registry_for(home).download(SPEC.model_name, each.version))
            for each in registry_for(home).versions(SPEC.model_name)
        ],
        "pool": lambda: _pool_rows(home),
        "backup": lambda: _unpacked(home.root.parent / "home.backup"),
        "restored": lambda: _files_of(home.root.parent / "restored"),
        "damage": lambda: sorted(each.path.name for each in damage(home)),
    }
    seen: dict[str, Any] = {}
    for name, look in parts.items():
        try:
            seen[name] = look()
        except Exception as error:  # noqa: BLE001 # what cannot be read is a state too
            seen[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
    pool = seen.pop("pool")
    seen |= pool if isinstance(pool, dict) else dict.fromkeys(POOL_QUERIES, pool)
    return json.loads(json.dumps(seen, default=str))


def _pool_rows(home: Home) -> Any:
    """The rows of each of the pool's queries; None where there is no pool."""
    if not home.pool.exists():
        return None
    with sql_pool_for(home).session() as session:
        return {part: _rows(session, query) for part, query in POOL_QUERIES.items()}


def _rows(session: Session, query: str) -> Any:
    """The rows; of a table that is not there none, as Synapse makes tables in no transaction."""
    try:
        return [list(row) for row in session.run(query)[0].rows]
    except SqlError as error:
        return [] if error.number == _NO_SUCH_TABLE else str(error).splitlines()[0]


def _table_rows(home: Home) -> Any:
    from resources.lake.tables import open_table

    table = open_table(lake_of(home), SPEC.training_table_path).to_table()
    return [table.num_rows, sum(table[SPEC.target.name].to_pylist())]


def _unpacked(path: Path) -> Any:
    """Whether a backup can be restored, and how many files it has."""
    if not path.exists():
        return None
    target = Home(path.with_suffix(".tried"))
    shutil.rmtree(target.root, ignore_errors=True)
    return backups.restore(path, target) > 0


def _files_of(folder: Path) -> Any:
    if not folder.exists():
        return None
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
