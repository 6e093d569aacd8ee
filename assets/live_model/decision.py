"""Which version is live: the decision, the change, and the registry's alias that follows it.

The pool's model table and its audit are the truth. The rules are in docs/operations.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assets.live_model.comparison import Comparison, Contender, PromotionRules, compare
from bikecast.core.errors import InvalidInput, ModelRejected
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake
from resources.registry.port import ModelVersion, Registry
from resources.sql_pool.model_table import (
    Action,
    AuditEntry,
    Change,
    audit_trail,
    live_model,
    publish_model,
)
from resources.sql_pool.port import SqlPool

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from resources.sql_pool.daily import Scorer

ALIAS = "champion"
#: Tags of a registered version: what it was trained from.
DATA_VERSION, CODE_VERSION, TRAINED_THROUGH = "data_version", "code_version", "trained_through"


@dataclass(frozen=True)
class Decision:
    """What happens with a candidate; `action` is None where nothing changes at all."""

    action: Action | None
    reason: str
    comparison: Comparison | None = None


def registered(registry: Registry, spec: ModelSpec, version: int) -> ModelVersion:
    """A version by number. Raises InvalidInput that names the known ones."""
    known = {entry.version: entry for entry in registry.versions(spec.model_name)}
    if version not in known:
        numbers = ", ".join(map(str, sorted(known))) or "none"
        raise InvalidInput(
            f"{spec.model_name} has no version {version}; known versions: {numbers}. "
            "The live model is unchanged."
        )
    return known[version]


def decide(
    candidate: ModelVersion,
    registry: Registry,
    pool: SqlPool,
    lake: Lake,
    spec: ModelSpec,
    *,
    data_version: str | None,
    force: bool = False,
    rules: PromotionRules | None = None,
) -> Decision:
    """Decide whether a registered version becomes the live one.

    `data_version` is that of the training table now. The first version always does. A version
    that was decided against this champion on the same data is not looked at again, and one that
    was there when people rolled back is not brought back but by force.
    """
    live = live_model(pool, spec)
    number = candidate.version
    if live is None:
        return Decision("promote", f"version {number} is the first one")
    if live.version == number:
        return Decision(None, f"version {number} is live already")
    trail = audit_trail(pool, spec)
    if force:
        return Decision("force", f"version {number} was made live without a comparison, as asked")
    settled = _settled(trail, candidate, live.version)
    if settled:
        return Decision(None, settled)
    champion = registered(registry, spec, live.version)
    rules = rules or PromotionRules()
    found = compare_versions(champion, candidate, registry, lake, spec, rules)
    is_current = data_version is not None and candidate.tags.get(DATA_VERSION) == data_version
    is_outdated = champion.tags.get(DATA_VERSION) != data_version
    return judge(found, champion.version, number, spec, new_data=is_current and is_outdated)


def judge(
    found: Comparison, champion: int, challenger: int, spec: ModelSpec, *, new_data: bool
) -> Decision:
    """The rule: on the same data the challenger has to win; with new data it must not lose."""
    measured = (
        f"on the latest {found.rows} rows of {spec.training_table}: RMSE "
        f"{found.challenger_rmse:.4g} against {found.champion_rmse:.4g}, gain {found.gain:.4g} "
        f"(95% interval {found.low:.4g} to {found.high:.4g})"
    )
    if found.is_flattered:
        measured += (
            "; trained on these rows and without an error on rows held back, a model looks better "
            "than it is"
        )
    elif found.seen_by_champion:
        measured += (
            f"; version {champion} was trained on {found.seen_by_champion} of them and version "
            f"{challenger} on all, so errors count as those on rows held back in training"
        )
    if found.broken_floors:
        said = "; ".join(found.broken_floors)
        return Decision("keep", f"version {challenger} is below a floor: {said}", found)
    if found.is_better:
        said = f"version {challenger} beats version {champion} {measured}"
        return Decision("promote", said, found)
    if new_data and not found.is_worse:
        said = f"version {challenger} knows newer data and is not worse than version {champion}"
        return Decision("promote", f"{said} {measured}", found)
    word = "is worse than" if found.is_worse else "does not beat"
    beyond = "" if found.is_worse else " beyond noise"
    said = f"version {challenger} {word} version {champion}{beyond} {measured}"
    return Decision("keep", said, found)


def rollback_target(pool: SqlPool, spec: ModelSpec, version: int | None) -> tuple[int, int]:
    """The live version and the one to go back to: `version`, or the one live before it.

    Raises InvalidInput where no model is live, where it is that version already, and where
    there is no earlier one.
    """
    live = live_model(pool, spec)
    if live is None:
        raise InvalidInput("No model is live, so nothing can be undone. Start with: bikecast run")
    if version is None:
        became = [
            entry
            for entry in audit_trail(pool, spec)
            if entry.to_version == live.version and entry.action != "keep"
        ]
        # By promotion first: rolling back twice goes two versions back, not to and fro.
        became.sort(key=lambda entry: entry.action == "rollback")
        if not became or became[0].from_version is None:
            raise InvalidInput(
                f"No version was live before version {live.version}; nothing was changed. "
                "Name one of those that `bikecast models` lists."
            )
        version = became[0].from_version
    if version == live.version:
        raise InvalidInput(f"Version {version} is live already; nothing was changed.")
    return live.version, version


def make_live(
    candidate: ModelVersion, registry: Registry, pool: SqlPool, spec: ModelSpec, change: Change
) -> bool:
    """Publish a version in the pool, then let the alias follow; False where it was live.

    Raises ModelRejected for a model that PREDICT cannot score; the live one stays.
    """
    model = registry.download(spec.model_name, candidate.version)
    check_contract(model, spec)
    changed = publish_model(
        pool,
        spec,
        version=candidate.version,
        digest=candidate.digest,
        job_id=candidate.job_id,
        model=model,
        change=change,
    )
    reconcile_alias(registry, pool, spec)
    return changed


def scorer(registry: Registry, pool: SqlPool, spec: ModelSpec, version: int | None) -> Scorer:
    """A version with its bytes, ready to score; None is the live one.

    Raises InvalidInput where there is no such version, ModelRejected for one that PREDICT
    cannot score.
    """
    from resources.sql_pool.daily import Scorer

    if version is None:
        live = live_model(pool, spec)
        if live is None:
            raise InvalidInput("No model is live, so nothing was scored. Start with: bikecast run")
        version = live.version
    entry = registered(registry, spec, version)
    model = registry.download(spec.model_name, version)
    check_contract(model, spec)
    return Scorer(
        version, model, entry.tags.get(DATA_VERSION, ""), entry.tags.get(CODE_VERSION, "")
    )


def check_contract(model: bytes, spec: ModelSpec) -> None:
    """Raise ModelRejected unless PREDICT can score the spec's rows with the model."""
    from bikecast.core.onnx.contract import inspect_model

    signature = inspect_model(model)
    unknown = sorted({tensor.name for tensor in signature.inputs} - set(spec.feature_names))
    if unknown:
        raise ModelRejected(
            f"the model asks for {', '.join(unknown)}, which {spec.scoring_table} does not have. "
            "The live model is unchanged."
        )
    if spec.output not in {tensor.name for tensor in signature.outputs}:
        raise ModelRejected(f"the model has no output {spec.output}. The live model is unchanged.")


def reconcile_alias(registry: Registry, pool: SqlPool, spec: ModelSpec) -> int | None:
    """Point the registry's alias at the pool's live version; returns it where it was wrong."""
    live = live_model(pool, spec)
    if live is None:
        return None
    for entry in registry.versions(spec.model_name):
        if entry.version == live.version and ALIAS not in entry.aliases:
            registry.set_alias(spec.model_name, ALIAS, live.version)
            return live.version
    return None


def compare_versions(
    champion: ModelVersion,
    challenger: ModelVersion,
    registry: Registry,
    lake: Lake,
    spec: ModelSpec,
    rules: PromotionRules,
) -> Comparison:
    """Score both by ONNX Runtime on the latest rows of the training table, and compare."""
    import numpy as np

    from resources.lake.tables import read_table

    table = read_table(lake, spec.training_table_path)
    rows = latest_rows(table, spec, rules)
    old = _contender(champion, registry, spec, table, rows, all_seen=False)
    new = _contender(challenger, registry, spec, table, rows, all_seen=True)
    target = np.asarray(rows[spec.target.name].to_numpy(), dtype=np.float64)
    segments = {name: rows[name].to_pylist() for name in spec.segments}
    return compare(target, old, new, segments, rules)


def latest_rows(table: pa.Table, spec: ModelSpec, rules: PromotionRules) -> pa.Table:
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
    kind = "time_ordered" if "time_ordered_rmse" in entry.scores else "holdout"
    model = registry.download(spec.model_name, entry.version)
    # Azure AutoML tells the rank correlation of its own cross-validation alone.
    ranked = entry.scores.get(f"{kind}_spearman", entry.scores.get("cv_spearman"))
    return Contender(
        version=entry.version,
        predicted=score_table(model, spec, rows),
        seen=_seen(rows, spec, through),
        held_back_rmse=entry.scores.get(f"{kind}_rmse"),
        held_back_spearman=ranked,
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
    known = table.filter(_seen(table, spec, through)).sort_by(spec.time_key)
    held_back = known.slice(max(0, known.num_rows - count))
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


def _settled(trail: list[AuditEntry], candidate: ModelVersion, live: int) -> str:
    """Why a version is not looked at again, or an empty text."""
    changes = [entry for entry in trail if entry.action != "keep"]
    if changes and changes[0].action == "rollback":
        undo = changes[0]
        known = {
            each for e in trail if e.entry <= undo.entry for each in (e.candidate, e.to_version)
        }
        known |= {undo.from_version or 0}
        if candidate.version in known:
            return (
                f"{undo.actor} rolled back from version {undo.from_version} to version {live}, "
                f"which holds until a newer version; `bikecast rollback {candidate.version}` "
                f"makes version {candidate.version} live"
            )
    for entry in trail:
        if entry.action != "keep":
            break
        same_data = entry.data_version == candidate.tags.get(DATA_VERSION, "")
        if entry.candidate == candidate.version and same_data:
            return entry.reason
    return ""
