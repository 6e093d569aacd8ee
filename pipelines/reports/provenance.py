"""From one prediction back to its model, run, data version and the lines of its source files."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import islice

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import ModelSpec
from pipelines.environments import Resources
from pipelines.event_log.port import EventLog
from resources.lake.port import Lake
from resources.sql_pool.port import SqlPool

#: Predictions that are named where the one that is asked for is not there.
_NAMED = 10
#: Materializations of the training table among which the one of a prediction is looked for.
_SEARCHED = 1000


@dataclass(frozen=True)
class Provenance:
    """What is known of one prediction; each part is a dict for people and JSON."""

    prediction: dict[str, object]
    model: dict[str, object]
    why_live: list[dict[str, object]]
    run: dict[str, object]
    training_data: dict[str, object]
    source_line: dict[str, object]


def provenance_of(key: str, log: EventLog, spec: ModelSpec, resources: Resources) -> Provenance:
    """The provenance of the prediction with this time key (or forecast_row number).

    Raises InvalidInput where there is no such prediction; it names those that are there.
    """
    from resources.sql_pool.model_table import audit_trail

    row = _find(key, resources.sql_pool, spec)
    version = row["model_version"]
    versions = {entry.version: entry for entry in resources.registry.versions(spec.model_name)}
    model = versions.get(int(str(version)))
    return Provenance(
        prediction=row | {"predicted_at": _in_utc(row["predicted_at"])},
        model={
            "name": spec.model_name,
            "version": version,
            "digest": row["model_digest"],
            "digest in the registry": model.digest if model else "not registered",
            "job": model.job_id if model else "",
            "code version": row["code_version"],
            "created": model.created_at if model else "",
            "file": model.link if model else "",
            **({f"score {k}": v for k, v in model.scores.items()} if model else {}),
        },
        why_live=[
            {"when": e.changed_at, "who": e.actor, "action": e.action, "why": e.reason}
            for e in audit_trail(resources.sql_pool, spec)
            if e.candidate == version
        ],
        run=_run(log, str(row["run_id"])),
        training_data=_training_data(log, spec, str(row["data_version"])),
        source_line=_source_line(resources.lake, spec, row),
    )


def _in_utc(value: object) -> object:
    """A moment of the pool, which keeps UTC without an offset, with its offset."""
    return value.replace(tzinfo=dt.UTC) if isinstance(value, dt.datetime) else value


def _find(key: str, pool: SqlPool, spec: ModelSpec) -> dict[str, object]:
    from resources.sql_pool.deployment import saved_predictions
    from resources.sql_pool.stored_predictions import find_predictions

    matches = find_predictions(pool, spec, key, limit=_NAMED + 1)
    first = matches or saved_predictions(pool, spec, limit=_NAMED + 1)
    return sole_prediction(key, matches, first, spec)


def sole_prediction(
    key: str,
    matches: list[dict[str, object]],
    first: list[dict[str, object]],
    spec: ModelSpec,
) -> dict[str, object]:
    """The one prediction with this time key or number; `first` are some that are there.

    Raises InvalidInput where there is none, or more than one.
    """
    if len(matches) == 1:
        return matches[0]
    if not first:
        raise InvalidInput(
            f"There are no predictions yet. Start with: bikecast run --model {spec.name}"
        )
    name = spec.time_key if spec.time_key and first[0].get(spec.time_key) else "forecast_row"
    more = " and more" if len(first) > _NAMED else ""
    if matches:
        numbers = ", ".join(str(row["forecast_row"]) for row in matches[:_NAMED])
        raise InvalidInput(
            f"Several predictions have {name} {key}. Say the number of one row instead: "
            f"{numbers}{more}."
        )
    there = ", ".join(str(row[name]) for row in first[:_NAMED])
    raise InvalidInput(f"There is no prediction for {name} {key}. There are: {there}{more}.")


def _run(log: EventLog, run_id: str) -> dict[str, object]:
    run = log.run(run_id)
    if run is None:
        return {"run": run_id, "job": "not in this Dagster instance"}
    return {"run": run_id, "job": run.job, "status": run.status}


def _training_data(log: EventLog, spec: ModelSpec, data_version: str) -> dict[str, object]:
    """The materialization of the training table that had the data version, and its CSV."""
    facts: dict[str, object] = {"table": spec.training_table, "data version": data_version}
    for event in islice(log.materializations(spec.training_table), _SEARCHED):
        if event.data_version == data_version:
            metadata = event.metadata
            rows = metadata.get("dagster/row_count")
            facts |= {
                "Delta version": metadata.get("delta_version"),
                "rows": rows,
                "last time": metadata.get("last_time"),
                "prepared by run": event.run_id,
            }
            dropped = int(str(metadata.get("dropped_rows") or 0))
            facts |= _source_file(log, spec, event.storage_id)
            if isinstance(rows, int):
                facts["source lines"] = f"2 to {rows + dropped + 1}"
            break
    return facts


def _source_file(log: EventLog, spec: ModelSpec, before: int) -> dict[str, object]:
    """The training CSV that was in the lake when an event was written."""
    event = next(log.materializations(spec.source_asset, before=before), None)
    if event is None:
        return {}
    source, file = (event.metadata.get(name) for name in ("source", "file"))
    return {"source": source, "file": file, "file digest": event.data_version}


def _source_line(lake: Lake, spec: ModelSpec, row: dict[str, object]) -> dict[str, object]:
    """The line of the scoring CSV that the prediction was made from, if it is still the same."""
    import pyarrow.dataset as ds

    from resources.lake.raw_files import original_line
    from resources.lake.scoring_rows import scoring_rows

    number = int(str(row["forecast_row"]))
    facts: dict[str, object] = {"file": lake.url(spec.scoring_file)}
    if lake.stat(spec.scoring_file) is None:
        return {**facts, "text": "the file is no longer in the lake"}
    names = [*spec.key_names, *spec.feature_names]
    is_row = ds.field("forecast_row") == number
    scored = scoring_rows(lake, spec).dataset.to_table(columns=names, filter=is_row).to_pylist()
    if scored != [{name: row[name] for name in names}]:
        return {**facts, "text": "the file has changed since the prediction was made"}
    line, text = original_line(lake, spec.scoring_file, spec, "scoring", number) or (None, "")
    return {**facts, "line": line, "text": text}
