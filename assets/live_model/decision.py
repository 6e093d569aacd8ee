"""The rules by which a version becomes the live one; people read them in docs/operations.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assets.live_model.comparison import Comparison
from assets.model_tags import DATA_VERSION
from bikecast.core.spec import ModelSpec
from resources.registry.port import ModelVersion
from resources.sql_pool.model_table import Action, AuditEntry

#: What a challenger's data are to the champion's: newer ones have later or more rows.
DataOfChallenger = Literal["same", "newer", "other"]


@dataclass(frozen=True)
class Decision:
    """What happens with a candidate; `action` is None where nothing changes at all."""

    candidate: ModelVersion
    action: Action | None
    reason: str
    comparison: Comparison | None = None
    changed: bool = False
    """It was carried out, and the candidate became the live version."""


def judge(
    comparison: Comparison,
    champion: int,
    challenger: ModelVersion,
    spec: ModelSpec,
    *,
    data: DataOfChallenger,
) -> Decision:
    """The rule: on the same data the challenger has to win; with new data it must not lose."""
    number, measured = challenger.version, _measured(comparison, champion, challenger, spec)
    if comparison.broken_floors:
        floors = "; ".join(comparison.broken_floors)
        reason = f"version {number} is below a floor: {floors}"
        return Decision(challenger, "keep", reason, comparison)
    if comparison.is_better:
        reason = f"version {number} beats version {champion} {measured}"
        return Decision(challenger, "promote", reason, comparison)
    if data != "same" and not comparison.is_worse:
        knows = (
            "knows newer data" if data == "newer" else "was trained on the data that is there now"
        )
        reason = f"version {number} {knows} and is not worse than version {champion}"
        return Decision(challenger, "promote", f"{reason} {measured}", comparison)
    verb = "is worse than" if comparison.is_worse else "does not beat"
    beyond = "" if comparison.is_worse else " beyond noise"
    reason = f"version {number} {verb} version {champion}{beyond} {measured}"
    return Decision(challenger, "keep", reason, comparison)


def another_source(
    champion: int, challenger: int, sources: tuple[str | None, str | None], *, is_known: bool
) -> str:
    """Why a challenger of another source waits; `sources` are the champion's and its own.

    `is_known` is False where the champion's rows are no longer there to be compared.
    """
    old, new = (source or "a source that was not recorded" for source in sources)
    if is_known:
        reason = (
            f"version {challenger} was trained on other data ({new}) than version {champion} "
            f"({old}), so their errors say nothing about which is better"
        )
    else:
        reason = (
            f"version {challenger} was trained on {new}, version {champion} on {old}, and whether "
            "these are the same data cannot be told: the older rows cannot be compared"
        )
    return f"{reason}; it waits. `bikecast run --promote` or BIKECAST_ALWAYS_PROMOTE makes it live"


def _measured(
    comparison: Comparison, champion: int, challenger: ModelVersion, spec: ModelSpec
) -> str:
    """The numbers, and what is to be known about them."""
    numbers = (
        f"on the latest {comparison.rows} rows of {spec.training_table}: RMSE "
        f"{comparison.challenger_rmse:.4g} against {comparison.champion_rmse:.4g}, gain "
        f"{comparison.gain:.4g} (95% interval {comparison.low:.4g} to {comparison.high:.4g})"
    )
    if comparison.is_flattered:
        return (
            f"{numbers}; trained on these rows and without an error on rows held back, a model "
            "looks better than it is"
        )
    if comparison.seen_by_champion:
        return (
            f"{numbers}; version {champion} was trained on {comparison.seen_by_champion} of them "
            f"and version {challenger.version} on all, so errors count as those on rows held back "
            "in training"
        )
    return numbers


def settled_before(
    trail: Sequence[AuditEntry],
    candidate: ModelVersion,
    live: int,
    versions: Sequence[ModelVersion],
) -> str:
    """Why a version is not looked at again, or an empty text.

    `trail` is newest first; `versions` are all registered ones. A rollback settles the versions
    known then, and later ones of the same bytes.
    """
    changes = [entry for entry in trail if entry.action != "keep"]
    if changes and changes[0].action == "rollback":
        undo = changes[0]
        earlier = {
            version
            for entry in trail
            if entry.entry <= undo.entry
            for version in (entry.candidate, entry.to_version)
        } | {undo.from_version or 0}
        twins = {e.version for e in versions if e.digest and e.digest == candidate.digest}
        if same := earlier & (twins | {candidate.version}):
            twin = "" if candidate.version in same else f", the same model as {max(same)},"
            return (
                f"{undo.actor} rolled back from version {undo.from_version} to version {live}, "
                f"which holds until a newer version; `bikecast rollback {candidate.version}` "
                f"makes version {candidate.version}{twin} live"
            )
    for entry in trail:
        if entry.action != "keep":
            break
        same_data = entry.data_version == candidate.tags.get(DATA_VERSION, "")
        if entry.candidate == candidate.version and same_data:
            return entry.reason
    return ""


def version_before(trail: Sequence[AuditEntry], live: int) -> int | None:
    """The version that was live before this one; None where there was none."""
    became_live = [entry for entry in trail if entry.to_version == live and entry.action != "keep"]
    # By promotion first: rolling back twice goes two versions back, not to and fro.
    became_live.sort(key=lambda entry: entry.action == "rollback")
    return became_live[0].from_version if became_live else None
