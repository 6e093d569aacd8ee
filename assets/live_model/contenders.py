"""Registered versions as contenders: their predictions and scores on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assets.live_model.comparison import Comparison, Contender, PromotionRules, compare
from assets.model_tags import DATA_VERSION, TRAINED_THROUGH
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake
from resources.lake.tables import read_data_version, read_table
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
    """Score both by ONNX Runtime on the latest rows of the training table, and compare."""
    import numpy as np

    rules = promotion_rules(spec)
    table = read_table(lake, spec.training_table_path)
    rows = _latest_rows(table, spec, rules)
    old = _contender(champion, registry, spec, table, rows, all_seen=False)
    new = _contender(challenger, registry, spec, table, rows, all_seen=True)
    target = np.asarray(rows[spec.target.name].to_numpy(), dtype=np.float64)
    segments = {name: rows[name].to_pylist() for name in spec.segments}
    return compare(target, old, new, segments, rules)


def knows_the_rows(champion: ModelVersion, lake: Lake, spec: ModelSpec) -> bool | None:
    """Whether the table has the champion's rows still: of those with equal keys, most targets.

    None where that is not known: without keys, or where the champion's table is gone.
    """
    names = [*spec.key_names, spec.target.name]
    version = champion.tags.get(DATA_VERSION)
    if not spec.keys or version is None:
        return None
    old = read_data_version(lake, spec.training_table_path, version, names)
    if old is None:
        return None
    now = read_table(lake, spec.training_table_path, names)
    same_keys = old.join(now.select(spec.key_names), list(spec.key_names), join_type="left semi")
    same_rows = old.join(now, names, join_type="left semi")
    return bool(same_keys.num_rows and 2 * same_rows.num_rows >= same_keys.num_rows)


def has_newer_rows(champion: ModelVersion, lake: Lake, spec: ModelSpec) -> bool:
    """Whether the table reaches further in time than the champion's, or has more rows."""
    import pyarrow.compute as pc

    names = [spec.time_key or spec.target.name]
    now = read_table(lake, spec.training_table_path, names)
    through = champion.tags.get(TRAINED_THROUGH)
    if through is not None and not _seen(now, spec, through).all():
        return True
    version = champion.tags.get(DATA_VERSION)
    old = read_data_version(lake, spec.training_table_path, version, names) if version else None
    if old is None:
        return False
    latest = [pc.max(table[names[0]]).as_py() for table in (old, now) if table.num_rows]
    is_later = spec.time_key is not None and len(latest) == 2 and latest[1] > latest[0]
    return bool(is_later or now.num_rows > old.num_rows)


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
        learnt_rmse=_learnt_rmse(entry, model, spec, table),
    )


def _learnt_rmse(
    entry: ModelVersion, model: bytes, spec: ModelSpec, table: pa.Table
) -> float | None:
    """RMSE on the latest rows that its training held back in time order, if they are known."""
    import numpy as np

    from bikecast.core.onnx.scoring import score_table

    count = int(entry.scores.get("time_ordered_rows") or 0)
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
    times = rows[spec.time_key].to_pylist()
    if all(isinstance(time, (int, float)) for time in times):
        return np.array([time <= float(through) for time in times])
    return np.array([str(time) <= through for time in times])
