"""Registered versions as contenders: their predictions and scores on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assets.live_model.comparison import Comparison, Contender, PromotionRules, compare
from assets.model_tags import DATA_VERSION, TRAINED_THROUGH
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake
from resources.lake.queries import same_values
from resources.lake.tables import limits_of, open_data_version, open_table, sample_of
from resources.registry.port import ModelVersion, Registry

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def compare_versions(
    champion: ModelVersion,
    challenger: ModelVersion,
    registry: Registry,
    lake: Lake,
    spec: ModelSpec,
) -> Comparison:
    """Score both by ONNX Runtime on the latest rows of the training table, and compare.

    Of a large table these are the latest rows of a sample.
    """
    import numpy as np

    rules = promotion_rules(spec)
    names = [column.name for column in spec.training_columns]
    everything = open_table(lake, spec.training_table_path)
    table = sample_of(everything, spec, names)
    share = table.num_rows / max(1, everything.count_rows())
    rows = _latest_rows(table, spec, rules)
    old = _contender(champion, registry, spec, table, rows, share, all_seen=False)
    new = _contender(challenger, registry, spec, table, rows, share, all_seen=True)
    target = np.asarray(rows[spec.target.name].to_numpy(), dtype=np.float64)
    segments = {name: rows[name].to_pylist() for name in spec.segments}
    return compare(target, old, new, segments, rules)


def knows_the_rows(champion: ModelVersion, lake: Lake, spec: ModelSpec) -> bool | None:
    """Whether the table has the champion's rows still: of those with equal keys, most targets.

    None where that is not known: without keys, or where the champion's table is gone.
    """
    version = champion.tags.get(DATA_VERSION)
    if not spec.keys or version is None:
        return None
    old = open_data_version(lake, spec.training_table_path, version)
    if old is None:
        return None
    now = open_table(lake, spec.training_table_path)
    both, same = same_values(old, now, spec.key_names, spec.target.name)
    return bool(both and 2 * same >= both)


def has_newer_rows(champion: ModelVersion, lake: Lake, spec: ModelSpec) -> bool:
    """Whether the table reaches further in time than the champion's, or has more rows."""
    now = open_table(lake, spec.training_table_path)
    latest = limits_of(now, spec.time_key)[1] if spec.time_key else None
    through = champion.tags.get(TRAINED_THROUGH)
    if through is not None and latest is not None and not _is_seen(latest, through):
        return True
    version = champion.tags.get(DATA_VERSION)
    old = open_data_version(lake, spec.training_table_path, version) if version else None
    if old is None:
        return False
    before = limits_of(old, spec.time_key)[1] if spec.time_key else None
    is_later = latest is not None and before is not None and latest > before
    return bool(is_later or now.count_rows() > old.count_rows())


def promotion_rules(spec: ModelSpec) -> PromotionRules:
    """When a challenger of this model is good enough."""
    limits = spec.thresholds
    return PromotionRules(
        min_gain=limits.min_gain,
        min_spearman=limits.min_spearman,
        max_segment_loss=limits.max_segment_loss,
    )


def _latest_rows(table: pa.Table, spec: ModelSpec, rules: PromotionRules) -> pa.Table:
    """The latest share of the rows, in time order; without a time key a fixed random share."""
    import numpy as np

    count = max(1, round(table.num_rows * rules.holdout_share))
    if spec.time_key is not None:
        return table.sort_by(spec.time_key).slice(table.num_rows - count)
    names = [column.name for column in spec.training_columns]
    order = np.random.default_rng(rules.seed).permutation(table.num_rows)[:count]
    return table.sort_by([(name, "ascending") for name in names]).take(order)


def _contender(
    entry: ModelVersion,
    registry: Registry,
    spec: ModelSpec,
    table: pa.Table,
    rows: pa.Table,
    share: float,
    *,
    all_seen: bool,
) -> Contender:
    from bikecast.core.onnx.scoring import score_table

    through = None if all_seen else entry.tags.get(TRAINED_THROUGH)
    scored_on = "time_ordered" if "time_ordered_rmse" in entry.scores else "holdout"
    model = registry.download(spec.model_name, entry.version)
    return Contender(
        predicted=score_table(model, spec, rows),
        seen=_seen(rows, spec, through),
        held_back_rmse=entry.scores.get(f"{scored_on}_rmse"),
        # Azure AutoML tells the rank correlation of its own cross-validation alone.
        held_back_spearman=entry.scores.get(
            f"{scored_on}_spearman", entry.scores.get("cv_spearman")
        ),
        learnt_rmse=_learnt_rmse(entry, model, spec, table, share),
    )


def _learnt_rmse(
    entry: ModelVersion, model: bytes, spec: ModelSpec, table: pa.Table, share: float
) -> float | None:
    """RMSE on the latest rows that its training held back in time order, if they are known.

    `share` is how many of the rows that there are the table has; so many of these are there.
    """
    import numpy as np

    from bikecast.core.onnx.scoring import score_table

    count = int((entry.scores.get("time_ordered_rows") or 0) * share)
    through = entry.tags.get(TRAINED_THROUGH)
    if spec.time_key is None or through is None or not count:
        return None
    seen = table.filter(_seen(table, spec, through)).sort_by(spec.time_key)
    held_back = seen.slice(max(0, seen.num_rows - count))
    if held_back.num_rows < count:
        return None
    target = np.asarray(held_back[spec.target.name].to_numpy(), dtype=np.float64)
    return float(np.sqrt(np.mean(np.square(target - score_table(model, spec, held_back)))))


def _seen(rows: pa.Table, spec: ModelSpec, through: str | None) -> np.ndarray:
    """Rows up to the last time that a model was trained on; all where that is not known."""
    import numpy as np

    if through is None or spec.time_key is None:
        return np.ones(rows.num_rows, dtype=bool)
    return np.array([_is_seen(time, through) for time in rows[spec.time_key].to_pylist()])


def _is_seen(time: object, through: str) -> bool:
    if isinstance(time, (int, float)):
        return time <= float(through)
    return str(time) <= through
