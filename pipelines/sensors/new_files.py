"""The sensor that starts a job when the content of a source file has changed."""

import glob
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import dagster as dg

from assets.events import DATA_VERSION_TAG, latest_materialization
from bikecast.core.errors import InvalidInput
from bikecast.core.files import file_digest
from bikecast.core.spec import ModelSpec
from pipelines.jobs import ModelJobs
from resources.lake.port import Lake
from resources.lake.raw_files import digest_of
from resources.lake.sources import SAMPLE, Sources

INTERVAL_SECONDS = 30


@dataclass(frozen=True)
class WatchedFile:
    """One file as the last tick saw it: a mark that changes with it, its digest, and for what
    change a run was asked."""

    mark: str
    digest: str
    asked: str = ""


def file_sensor(spec: ModelSpec, jobs: ModelJobs) -> dg.SensorDefinition:
    """Watch the source files of a spec by content; off by default.

    New training data starts the main job; a new forecast alone is only scored. A path in the
    settings is watched, else the file in the lake. A URL and the sample are not: they are read
    when a job runs.
    """
    assets = {
        spec.source_file: spec.source_asset,
        spec.scoring_file: f"{spec.scoring_table}_file",
    }

    @dg.sensor(
        name=spec.named("new_files"),
        jobs=[jobs.everything, jobs.score],
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="A new training CSV, judged by its content, starts the main job once; a new "
        "forecast alone is scored once. Off until switched on here.",
    )
    def new_files(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        sources: dg.ResourceParam[Sources],
    ) -> dg.SensorResult:
        before = _parse(context.cursor)
        watched: dict[str, WatchedFile] = {}
        changed: list[str] = []
        for path, asset in assets.items():
            file = _look(path, lake, sources, before.get(path))
            if file is None:
                continue
            stored = latest_materialization(context.instance, asset)
            version = (stored.tags or {}).get(DATA_VERSION_TAG, "") if stored else ""
            # From which content to which: going back to an earlier one is a change too.
            change = f"{version}>{file.digest}" if version != file.digest else ""
            if change and change != file.asked:
                changed.append(path)
            watched[path] = replace(file, asked=change)
        cursor = json.dumps({path: asdict(file) for path, file in watched.items()})
        if not changed:
            return dg.SensorResult(skip_reason=dg.SkipReason("no file changed"), cursor=cursor)
        is_deployed = latest_materialization(context.instance, f"{spec.model_table}_table")
        trains = spec.source_file in changed or is_deployed is None
        request = dg.RunRequest(
            run_key=_run_key(context.instance, [assets[path] for path in changed], cursor),
            job_name=(jobs.everything if trains else jobs.score).name,
            tags={"bikecast/changed_files": ", ".join(Path(path).name for path in changed)},
        )
        return dg.SensorResult(run_requests=[request], cursor=cursor)

    return new_files


def _run_key(instance: dg.DagsterInstance, assets: list[str], cursor: str) -> str:
    """The same for a tick that is evaluated again; another one for the same change later."""
    events = [instance.get_latest_materialization_event(dg.AssetKey(asset)) for asset in assets]
    since = [f"{event.run_id} {event.timestamp}" if event else "" for event in events]
    contents = [file.digest for file in _parse(cursor).values()]
    text = json.dumps([assets, since, contents])
    return f"files-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _look(
    path: str, lake: Lake, sources: Sources, before: WatchedFile | None
) -> WatchedFile | None:
    """A watched file as it is, or None. An unchanged mark saves reading the content."""
    source = sources.paths.get(path)
    if source == SAMPLE or (source is not None and "://" in source):
        return None
    asked = before.asked if before else ""
    if source is None:
        stored = lake.stat(path)
        return WatchedFile("lake", stored.digest, asked) if stored else None
    file = Path(source).expanduser()
    if file.is_dir() or (not file.exists() and glob.has_magic(source)):
        try:
            with sources.fetch(path) as fetched:
                digest = digest_of(fetched)
                return WatchedFile(digest, digest, asked)
        except InvalidInput:  # there is no file yet
            return before and replace(before, mark="")
    if not file.is_file():
        return before and replace(before, mark="")
    stat = file.stat()
    mark = f"{file} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    if before and before.mark == mark:
        return before
    return WatchedFile(mark, file_digest(file), asked)


def _parse(cursor: str | None) -> dict[str, WatchedFile]:
    """A lost or damaged cursor reads as an empty one; the run key still prevents a repetition."""
    try:
        value: Mapping[str, Mapping[str, str]] = json.loads(cursor or "{}")
        return {str(path): WatchedFile(**file) for path, file in value.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
