"""The registered versions of a model: all, one with its history, and two on the same rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass, field

from bikecast.core.errors import InvalidInput
from bikecast.core.jobs import JobState
from bikecast.core.spec import ModelSpec
from pipelines.environments import Resources
from resources.registry.port import ModelVersion, numbered


@dataclass(frozen=True)
class VersionReport:
    """One version for people and JSON; `decisions` are what was decided about it, newest first."""

    model: str
    version: int
    live: bool
    created_at: dt.datetime
    scores: dict[str, float]
    """By `<kind>_<metric>`, such as `holdout_rmse`."""
    digest: str
    data_version: str
    code_version: str
    trained_on: str
    trained_through: str
    job_id: str
    file: str
    decisions: list[dict[str, object]] = field(default_factory=list)


def version_reports(resources: Resources, spec: ModelSpec) -> tuple[list[VersionReport], str]:
    """All versions, newest first, and a note where the pool could not be asked, else empty.

    The live one is what the pool's procedure uses. A paused pool is not resumed for this: the
    registry's alias tells the version then.
    """
    from assets.live_model.live_model import ALIAS
    from resources.sql_pool.model_table import audit_trail, live_model

    entries = resources.registry.versions(spec.model_name)
    if not entries:
        return [], ""
    live = {entry.version for entry in entries if ALIAS in entry.aliases}
    decisions: dict[int, list[dict[str, object]]] = {}
    power, note = resources.sql_pool_power.status(), ""
    if power.state is JobState.COMPLETED:
        published = live_model(resources.sql_pool, spec)
        live = {published.version} if published else set()
        for each in audit_trail(resources.sql_pool, spec):
            decisions.setdefault(each.candidate, []).append(
                {
                    "when": each.changed_at,
                    "who": each.actor,
                    "action": each.action,
                    "why": each.reason,
                }
            )
    else:
        note = f"The SQL pool is {power.progress['status']}: the live version is the registry's."
    return [
        _report(entry, entry.version in live, decisions.get(entry.version, [])) for entry in entries
    ], note


def version_report(resources: Resources, spec: ModelSpec, number: int) -> VersionReport:
    """One version. Raises InvalidInput that names those that there are."""
    reports, _ = version_reports(resources, spec)
    for report in reports:
        if report.version == number:
            return report
    raise InvalidInput(_unknown(spec, number, [report.version for report in reports]))


def compared(resources: Resources, spec: ModelSpec, old: int, new: int) -> dict[str, object]:
    """Both versions on the latest rows of the training table, as a promotion compares them.

    Raises InvalidInput for an unknown version, and where there is no training table.
    """
    from assets.live_model.contenders import compare_versions
    from resources.lake.tables import open_table_if_any

    entries = resources.registry.versions(spec.model_name)
    numbers = [entry.version for entry in entries]
    for number in (old, new):
        if number not in numbers:
            raise InvalidInput(_unknown(spec, number, numbers))
    if open_table_if_any(resources.lake, spec.training_table_path) is None:
        raise InvalidInput(
            f"{spec.training_table} is not in the lake, so there are no rows to compare on. "
            f"Nothing was changed. Make it: bikecast run --model {spec.name}"
        )
    first, second = (numbered(entries, spec.model_name, number) for number in (old, new))
    comparison = compare_versions(first, second, resources.registry, resources.lake, spec)
    return {"model": spec.model_name, "versions": [old, new], **asdict(comparison)}


def _report(entry: ModelVersion, live: bool, decisions: list[dict[str, object]]) -> VersionReport:
    from assets.model_tags import CODE_VERSION, DATA_VERSION, TRAINED_ON, TRAINED_THROUGH

    tags = (DATA_VERSION, CODE_VERSION, TRAINED_ON, TRAINED_THROUGH)
    data_version, code_version, trained_on, trained_through = (
        entry.tags.get(tag, "") for tag in tags
    )
    return VersionReport(
        model=entry.name,
        version=entry.version,
        live=live,
        created_at=entry.created_at,
        scores=dict(entry.scores),
        digest=entry.digest,
        data_version=data_version,
        code_version=code_version,
        trained_on=trained_on,
        trained_through=trained_through,
        job_id=entry.job_id,
        file=entry.link,
        decisions=decisions,
    )


def _unknown(spec: ModelSpec, number: int, numbers: list[int]) -> str:
    if not numbers:
        return (
            f"{spec.name}: no model is registered yet; nothing was changed. Start with: "
            f"bikecast run --model {spec.name}"
        )
    known = ", ".join(map(str, sorted(numbers)))
    return (
        f"{spec.model_name} has no version {number}; known versions: {known}. Nothing was changed."
    )
