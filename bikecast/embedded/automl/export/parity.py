"""The gate: the exported graph must predict what the native models predict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bikecast.core.errors import ModelRejected
from bikecast.core.onnx.contract import ModelSignature, inspect_model
from bikecast.core.onnx.policy import EXPORTED
from bikecast.core.onnx.session import one_thread_session
from bikecast.core.spec import Column
from bikecast.core.sql_types import type_names
from bikecast.embedded.automl.data import Dataset, Values
from bikecast.embedded.automl.models import FittedModel
from bikecast.embedded.automl.scores import spearman

MAX_DIFFERENCE = 1e-3
MIN_RANK_CORRELATION = 0.99999
#: Rows compared: at most this many training rows, and as many made up ones as PROBES.
MAX_ROWS = 2000
PROBES = 200


@dataclass(frozen=True)
class Parity:
    """How near the graph is to the native prediction.

    `difference` is the largest |graph - native| / max(|native|, the native predictions' standard
    deviation); `rank_correlation` is Spearman's. `rows_per_second` is the graph's speed on one
    thread, in one batch of the compared rows.
    """

    difference: float
    rank_correlation: float
    rows_per_second: int


def _feed(columns: tuple[Column, ...], values: Values) -> dict[str, np.ndarray]:
    """Arrays by input; a missing text is an empty one. Integers must have no missing values."""
    feed = {}
    for column in columns:
        array = values[column.name]
        if column.sql_type == "varchar":
            array = np.array(["" if text is None else text for text in array], dtype=object)
        feed[column.name] = array.astype(type_names(column).numpy)[:, None]
    return feed


def _run(session: Any, feed: dict[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """The predictions, and the seconds that they took."""
    start = time.perf_counter()
    output = session.run(None, feed)[0]
    seconds = time.perf_counter() - start
    if output.shape != (len(next(iter(feed.values()))), 1):
        raise ModelRejected(f"the model's output has the shape {output.shape}, not [rows, 1]")
    return output.ravel(), seconds


def check_export(
    model: bytes, members: Sequence[tuple[FittedModel, float]], data: Dataset, output: str
) -> Parity:
    """Check contract and parity of an exported model.

    Compares training rows and made up ones: values mixed between rows, missing values, texts
    and codes never seen. Raises ModelRejected that says what failed.
    """
    _check_signature(inspect_model(model, policy=EXPORTED), data.columns, output)
    values = probe_values(data)
    rows = np.arange(len(next(iter(values.values()))))
    native = np.zeros(len(rows))
    for member, weight in members:
        native += weight * member.predict(values, rows)
    if data.target_minimum is not None:
        native = np.maximum(native, data.target_minimum)
    session, feed = one_thread_session(model), _feed(data.columns, values)
    first, seconds = _run(session, feed)
    predicted = first.astype(np.float64)
    floor = float(native.std()) or 1.0
    difference = float(np.max(np.abs(predicted - native) / np.maximum(np.abs(native), floor)))
    seconds = min(seconds, _run(session, feed)[1])
    alike = spearman(native, predicted) if np.ptp(native) else 1.0
    parity = Parity(difference, alike, int(len(rows) / max(seconds, 1e-9)))
    if not difference <= MAX_DIFFERENCE:
        raise ModelRejected(
            f"the graph differs from the model by {difference:.2e} (relative); "
            f"at most {MAX_DIFFERENCE:g} is allowed"
        )
    if parity.rank_correlation < MIN_RANK_CORRELATION:
        raise ModelRejected(
            f"the graph ranks rows unlike the model (correlation {parity.rank_correlation:.6f})"
        )
    return parity


def probe_values(data: Dataset) -> dict[str, np.ndarray]:
    """Training rows (evenly spaced), then made up rows; deterministic."""
    rng = np.random.default_rng(0)
    step = max(1, -(-data.rows // MAX_ROWS))
    result = {}
    for column in data.columns:
        array = data.values[column.name]
        made_up = array[rng.integers(0, data.rows, PROBES)]
        if column.sql_type == "varchar":
            made_up[:10] = "\x00never seen"
            made_up[10:20] = None
        elif column.sql_type in ("real", "float"):
            made_up[:10] = np.nan
            made_up[10:20] += 1000
        else:
            made_up[:10] = 1_000_003
        array = np.concatenate([array[::step], rng.permutation(made_up)])
        if column.sql_type in ("bigint", "int"):
            # PREDICT has no missing integers, so the probe takes the filler of the views.
            numbers = array[~np.isnan(array)]
            array = np.where(np.isnan(array), numbers[0] if len(numbers) else 0, array)
        result[column.name] = array
    return result


def _check_signature(signature: ModelSignature, columns: tuple[Column, ...], output: str) -> None:
    inputs = [(tensor.name, tensor.type, tensor.shape) for tensor in signature.inputs]
    expected = [(column.name, type_names(column).onnx, (None, 1)) for column in columns]
    if inputs != expected:
        raise ModelRejected(f"the model's inputs are {inputs}, not {expected}")
    if [(tensor.name, tensor.type) for tensor in signature.outputs] != [(output, "FLOAT")]:
        raise ModelRejected(f"the model's output is not the float {output!r}")
