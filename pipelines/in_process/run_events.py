"""What the runs of a command tell while they run: for the watcher, for the outcome, the failure."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import dagster as dg

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.in_process.outcome import Record
from pipelines.in_process.watcher import Watcher


def hear(entry: dg.EventLogEntry, record: Record, watcher: Watcher) -> None:
    """Pass one event of the running job on to the record and the watcher."""
    event = entry.dagster_event
    if event is None:
        if int(entry.level) == logging.WARNING:
            _warn(entry.user_message, record, watcher)
    elif event.event_type is dg.DagsterEventType.STEP_START and event.step_key:
        watcher.stage_started(event.step_key)
    elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        if not check.passed:
            for line in (check.description or check.check_name).splitlines():
                _warn(line, record, watcher)
    elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
        materialization = event.step_materialization_data.materialization
        name = materialization.asset_key.to_user_string()
        if materialization.partition is not None and name in record.metadata:
            return  # a range of days is one step, with an event a day
        metadata: dict[str, object] = {k: v.value for k, v in materialization.metadata.items()}
        record.metadata[name] = metadata
        record.seconds[name] = float(str(metadata.get("seconds", 0)))
        watcher.stage_ended(name, record.seconds[name], _note(metadata))


def _warn(text: str, record: Record, watcher: Watcher) -> None:
    if text not in record.warnings:
        record.warnings.append(text)
        watcher.warning(text)


def _note(metadata: Mapping[str, object]) -> str:
    """What is worth saying of a materialization in half a line."""
    rows = ("dagster/row_count", "training_rows")
    parts = [f"{metadata[name]:,} rows" for name in rows if name in metadata]
    if metadata.get("changed") is False:
        parts.append("unchanged")
    if metadata.get("submission") == "unchanged":
        parts.append("unchanged data, code and settings: nothing to train")
    elif "submission" in metadata:
        parts.append(f"{metadata['submission']} {metadata['job_id']}")
    if "version" in metadata:
        parts.append(f"version {metadata['version']}")
    if "source" in metadata:
        parts.append(str(metadata["source"]))
    return ", ".join(parts)


def failure(result: dg.ExecuteInProcessResult) -> BikecastError:
    """The error of a failed run, with the text of its first failed step."""
    for event in result.all_events:
        if event.event_type is not dg.DagsterEventType.STEP_FAILURE:
            continue
        failure = event.step_failure_data
        reason = failure.user_failure_data
        if reason is not None:
            code = reason.metadata.get("exit_code")
            is_input = code is not None and code.value == 2
            text = reason.description or "the step failed without a reason"
            return InvalidInput(text) if is_input else BikecastError(text)
        error = failure.error
        if error is not None and error.cls_name == "DagsterExecutionInterruptedError":
            raise KeyboardInterrupt
        while error is not None and error.cause is not None:
            error = error.cause
        text = error.message.strip() if error else "no reason given"
        return BikecastError(f"{event.step_key} failed: {text}\nRun {result.run_id} has the trace.")
    return BikecastError(f"run {result.run_id} failed; its log has the reason")
