"""Damage to a home, mended: what can be made again is, and what cannot is named.

What is thrown away is moved to `damaged/TIME/` in the home, by its path there, never deleted. What
is whole is not touched. A kill leaves a state from which the next `bikecast repair` goes on.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.errors import BikecastError
from bikecast.core.files import file_digest, replaced_file
from bikecast.core.sql import SqlError
from pipelines.doctor.damage import Finding, damage
from pipelines.home import Home
from resources.registry.version_memo import last_remembered

if TYPE_CHECKING:
    from bikecast.core.spec import ModelSpec
    from resources.registry.port import ModelVersion

FOLDER = "damaged"
_TEMPORARY = ".repair-"
#: What goes with a database that is moved away.
_BESIDE = ("", "-wal", "-shm", "-journal", ".wal")
_LOST_EVENTS = {
    "index.db": "the history of the assets: which run made what, and when",
    "runs.db": "the list of the runs so far",
    "schedules.db": "which sensors and schedules were switched on or off, and where they were",
}
#: What is done about each kind, in this order: a later one needs the earlier ones.
PLANS = {
    "registry": "made again from what is known of the versions: last reading, pool, trainings",
    "model": "put back from a copy in a training, in MLflow's files or in the pool, if any",
    "job": "put back from MLflow's copy; without one the job is moved away, and trained again",
    "events": "moved away; Dagster makes a new one",
    "manifest": "moved away; the next run reads the file again",
    "table": "taken back to its last whole version; without one the next run makes it again",
    "pool": "made again with the live model; the next run loads the rows and scores them",
}


@dataclass(frozen=True)
class Repair:
    """What was damaged, what was done about it, and what is lost by that, if anything."""

    finding: Finding
    done: str
    lost: str = ""


def repair(home: Home, specs: Sequence[ModelSpec]) -> Iterator[Repair]:
    """Mend what is damaged, one after the other; yields each once it is done.

    Nobody else may use the home meanwhile. Raises BikecastError where the disk does not allow it.
    """
    for old in home.root.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(old, ignore_errors=True)
    mender = _Mender(home, specs, dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ"))
    for _ in range(2):  # a new registry may show what is missing beside it
        findings = damage(home)
        for finding in sorted(findings, key=lambda each: [*PLANS].index(each.kind)):
            if finding.kind == "model" or finding.path.parent.exists():
                done, lost = getattr(mender, finding.kind)(finding.path)
                yield Repair(finding, done, lost)


@dataclass(frozen=True)
class _Mender:
    """One method a kind of damage; each returns what was done, and what is lost."""

    home: Home
    specs: Sequence[ModelSpec]
    moment: str

    def registry(self, path: Path) -> tuple[str, str]:
        from pipelines.environments import registry_for

        with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=self.home.root) as folder:
            new = Path(folder) / path.name
            uri = f"sqlite:///{new}"
            registry = registry_for(self.home).model_copy(update={"tracking_uri": uri})
            versions = {spec.model_name: self._versions(spec) for spec in self.specs}
            for name, entries in versions.items():
                if entries:
                    registry.rebuild(name, entries)
            self._aside(path)
            if new.exists():
                new.rename(path)
        for name in versions:
            registry_for(self.home).versions(name)
        lost = "the trials of trainings in MLflow's UI, and when versions were registered"
        return f"made again with {sum(map(len, versions.values()))} versions", lost

    def model(self, path: Path) -> tuple[str, str]:
        from pipelines.environments import registry_for

        digest = path.parent.name
        data = self._model_bytes(digest)
        self._aside(path)
        if data is not None:
            with replaced_file(path) as temporary:
                temporary.write_bytes(data)
            return "put back from a copy", ""
        numbers = registry_for(self.home).forget(path.parent.parent.name, digest)
        lost = f"version {', '.join(map(str, numbers))}" if numbers else "a model of no version"
        return "moved away; there is no copy of it", lost

    def job(self, path: Path) -> tuple[str, str]:
        result = path.parent
        folder = result.parent if result.name == "result" else result
        if path.parent == folder and path.name != "request.json" and (folder / "result").is_dir():
            self._aside(path)
            return "moved away; the result does not need it", ""
        data = self._result_file(path) if result.name == "result" else None
        if data is not None:
            self._aside(path)
            with replaced_file(path) as temporary:
                temporary.write_bytes(data)
            return "put back from MLflow's copy", ""
        self._aside(folder)
        return "the job was moved away; `bikecast run` trains it again where it is needed", ""

    def events(self, path: Path) -> tuple[str, str]:
        self._aside(path)
        lost = _LOST_EVENTS.get(path.name, f"the log of run {path.stem}")
        return PLANS["events"], lost

    def manifest(self, path: Path) -> tuple[str, str]:
        self._aside(path)
        return PLANS["manifest"], ""

    def table(self, path: Path) -> tuple[str, str]:
        place = next(each for each in (path, *path.parents) if (each / "_delta_log").is_dir())
        log = place / "_delta_log"
        if _is_whole(place):
            return "mended with the table", ""
        commits = sorted(log.glob("*.json"), reverse=True)
        for commit in commits[1:]:
            version = int(commit.stem)
            if _is_whole(place, version):
                for later in log.iterdir():
                    number = later.name.split(".")[0]
                    if later.name == "_last_checkpoint" or (
                        number.isdigit() and int(number) > version
                    ):
                        self._aside(later)
                if path.is_file():
                    self._aside(path)
                done = f"taken back to version {version}; `bikecast run` makes the current one"
                return done, f"{len(commits) - 1 - commits[::-1].index(commit)} later versions"
        self._aside(place)
        return "moved away; `bikecast run` makes it again from the file in the lake", "its history"

    def pool(self, path: Path) -> tuple[str, str]:
        from assets.live_model.live_model import ALIAS
        from assets.model_tags import CODE_VERSION, DATA_VERSION
        from pipelines.environments import registry_for, sql_pool_for
        from resources.sql_pool.model_table import Change, publish_model

        log = path.with_name(f"{path.name}.wal")
        if log.exists():
            self._aside(log)
            if not [each for each in damage(self.home) if each.kind == "pool"]:
                return "its write-ahead log was moved away", "what was committed last"
        registry, names = registry_for(self.home), []
        with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=self.home.root) as folder:
            new = Path(folder) / path.name
            pool = sql_pool_for(self.home).model_copy(update={"path": str(new)})
            for spec in self.specs:
                for entry in registry.versions(spec.model_name):
                    if ALIAS in entry.aliases:
                        reason = "the pool was damaged, and is made again"
                        facts = (entry.tags.get(DATA_VERSION, ""), entry.tags.get(CODE_VERSION, ""))
                        change = Change("force", "bikecast repair", reason, "", *facts)
                        publish_model(
                            pool,
                            spec,
                            version=entry.version,
                            digest=entry.digest,
                            job_id=entry.job_id,
                            model=registry.download(spec.model_name, entry.version),
                            change=change,
                        )
                        names.append(f"version {entry.version} of {spec.name}")
            self._aside(path)
            if new.exists():
                new.rename(path)
        live = " and ".join(names) or "no version"
        lost = "the pool's own tables, days scored before, and who made which version live"
        return f"made again; {live} is live. `bikecast run` loads and scores the rows", lost

    def _aside(self, path: Path) -> None:
        """Move a file with what belongs to it, or a folder, where it is kept."""
        kept = self.home.root / FOLDER / self.moment
        for ending in _BESIDE:
            each = path.with_name(path.name + ending)
            if each.exists():
                target = kept / each.relative_to(self.home.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                each.rename(target)

    def _model_bytes(self, digest: str) -> bytes | None:
        """The model of this SHA-256 from another place of the home."""
        from bikecast.core.onnx.contract import model_digest

        places = ("models/*/*/", "jobs/*/result/", "mlflow-artifacts/*/artifacts/")
        for path in (p for place in places for p in self.home.root.glob(f"{place}model.onnx")):
            with suppress(OSError):
                if file_digest(path) == digest:
                    return path.read_bytes()
        for spec in self.specs:
            for stored, model in self._published(spec, "[digest], [model]"):
                if stored == digest and isinstance(model, bytes) and model_digest(model) == digest:
                    return model
        return None

    def _published(self, spec: ModelSpec, columns: str) -> list[tuple[object, ...]]:
        """Rows of the pool's model table; none where it cannot be read."""
        from pipelines.environments import sql_pool_for
        from resources.sql_pool.deployment import table_name

        if self.home.pool.exists():
            query = f"SELECT {columns} FROM {table_name(spec, spec.model_table)}"  # noqa: S608
            with suppress(SqlError), sql_pool_for(self.home).session() as session:
                return session.run(query)[0].rows
        return []

    def _versions(self, spec: ModelSpec) -> list[ModelVersion]:
        """The versions of a model: as last read, those of the pool, then those of trainings."""
        from assets.live_model.live_model import ALIAS

        memo = self.home.models / spec.model_name / "versions.json"
        versions = {each.version: each for each in last_remembered(memo)}
        trained = {each.job_id: each for each in self._trained(spec)}
        columns = "[version], [digest], [job_id], [is_live]"
        for number, digest, job_id, is_live in self._published(spec, columns):
            version = int(str(number))
            entry = trained.get(str(job_id)) or _version(spec, str(job_id), str(digest))
            entry = versions.get(version, replace(entry, version=version))
            versions[version] = replace(entry, aliases=(ALIAS,) if is_live else ())
        registered = {each.job_id for each in versions.values()}
        for entry in (each for job_id, each in trained.items() if job_id not in registered):
            number = max(versions, default=0) + 1
            versions[number] = replace(entry, version=number)
        return list(versions.values())

    def _trained(self, spec: ModelSpec) -> list[ModelVersion]:
        """The models of ended trainings, oldest first, with what their requests say of them."""
        from assets.model_metadata import flat_scores
        from assets.model_tags import CODE_VERSION, DATA_VERSION, TRAINED_ON
        from resources.automl.embedded import LocalAutoML

        automl = LocalAutoML(jobs_dir=str(self.home.jobs), lake_root=str(self.home.lake))
        entries: list[tuple[float, ModelVersion]] = []
        for path in self.home.jobs.glob("[!.]*/request.json"):
            with suppress(OSError, ValueError, LookupError, BikecastError):
                request = json.loads(path.read_bytes())
                if request["spec"]["model_name"] != spec.model_name:
                    continue
                result, tags = automl.result(path.parent.name), request["tags"]
                names = ((DATA_VERSION,) * 2, (CODE_VERSION,) * 2, ("source", TRAINED_ON))
                entry = replace(
                    _version(spec, result.job_id, result.digest),
                    scores=flat_scores(result),
                    tags={tag: tags[name] for name, tag in names if name in tags},
                )
                entries.append((float(request["submitted_at"]), entry))
        return [entry for _, entry in sorted(entries, key=lambda each: each[0])]

    def _result_file(self, path: Path) -> bytes | None:
        """MLflow's copy of a training's file: beside it are the same model and scores."""
        others = [name for name in ("model.onnx", "scores.json") if name != path.name]
        for folder in (self.home.root / "mlflow-artifacts").glob("*/artifacts"):
            with suppress(OSError, ValueError):
                copy = (folder / path.name).read_bytes()
                if path.suffix == ".json":
                    json.loads(copy)
                elif file_digest(folder / path.name) != _digest(path.parent):
                    continue
                if all(_same(folder / name, path.parent / name) for name in others):
                    return copy
        return None


def _digest(result: Path) -> str:
    return str(json.loads((result / "result.json").read_bytes()).get("digest"))


def _same(path: Path, other: Path) -> bool:
    return path.read_bytes() == other.read_bytes()


def _version(spec: ModelSpec, job_id: str, digest: str) -> ModelVersion:
    from resources.registry.port import ModelVersion

    return ModelVersion(spec.model_name, 0, job_id, digest, dt.datetime.now(dt.UTC))


def _is_whole(place: Path, version: int | None = None) -> bool:
    from resources.lake.table_files import file_problems, open_local_table

    try:
        table = open_local_table(place, version)
        return not any(problem for _, problem in file_problems(place, table))
    except BikecastError:
        return False
