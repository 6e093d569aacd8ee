"""The sensor that starts the main job when the content of a source file has changed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from assets.events import latest_data_version
from resources.files import file_digest
from resources.lake.port import Lake
from resources.lake.sources import SAMPLE, Sources
from resources.spec import ModelSpec

INTERVAL_SECONDS = 30


def file_sensor(spec: ModelSpec, main_job: str) -> dg.SensorDefinition:
    """Watch the source files of a spec by content; off by default.

    A path in the settings is watched, else the file in the lake. A URL and the sample are not:
    they are read when a job runs.
    """

    @dg.sensor(
        name="new_files",
        job_name=main_job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="A new or changed training or forecast CSV, judged by its content, starts "
        "the main job once. Off until switched on here.",
    )
    def new_files(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        sources: dg.ResourceParam[Sources],
    ) -> dg.SensorResult:
        known = _parse(context.cursor)
        found = {
            path: digest
            for path in (spec.source_file, spec.scoring_file)
            if (digest := _digest(path, lake, sources, known)) is not None
        }
        assets = {
            spec.source_file: spec.source_asset,
            spec.scoring_file: f"{spec.scoring_table}_file",
        }
        changed = [
            path
            for path, (_, digest) in found.items()
            if digest != latest_data_version(context.instance, assets[path])
        ]
        cursor = json.dumps(found)
        if not changed:
            return dg.SensorResult(skip_reason=dg.SkipReason("no file changed"), cursor=cursor)
        text = json.dumps([(path, found[path][1]) for path in sorted(found)])
        run_key = hashlib.sha256(text.encode()).hexdigest()[:16]
        tags = {"bikecast/changed_files": ", ".join(Path(path).name for path in changed)}
        request = dg.RunRequest(run_key=f"files-{run_key}", tags=tags)
        return dg.SensorResult(run_requests=[request], cursor=cursor)

    return new_files


def _digest(
    path: str, lake: Lake, sources: Sources, known: Mapping[str, tuple[str, str]]
) -> tuple[str, str] | None:
    """(mark, digest) of a watched file, or None. An unchanged mark saves reading the content."""
    source = sources.paths.get(path)
    if source == SAMPLE or (source is not None and "://" in source):
        return None
    if source is None:
        stored = lake.stat(path)
        return ("lake", stored.digest) if stored else None
    file = Path(source).expanduser()
    if not file.is_file():
        return None
    stat = file.stat()
    mark = f"{file} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"
    before = known.get(path)
    return (mark, before[1]) if before and before[0] == mark else (mark, file_digest(file))


def _parse(cursor: str | None) -> dict[str, tuple[str, str]]:
    try:
        return {str(k): (str(v[0]), str(v[1])) for k, v in json.loads(cursor or "{}").items()}
    except (ValueError, TypeError, AttributeError, IndexError, KeyError):
        return {}
