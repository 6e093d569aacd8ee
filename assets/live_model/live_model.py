"""The live version of a model: decided, changed and rolled back.

The pool's model table and its audit are the truth; the registry's alias follows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assets.live_model.contenders import compare_versions, has_newer_rows, knows_the_rows
from assets.live_model.decision import (
    DataOfChallenger,
    Decision,
    another_source,
    judge,
    settled_before,
    version_before,
)
from assets.model_tags import CODE_VERSION, DATA_VERSION, TRAINED_ON
from bikecast.core.errors import InvalidInput, ModelRejected
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake, names_the_data
from resources.registry.port import ModelVersion, Registry
from resources.sql_pool.daily import Scorer
from resources.sql_pool.model_table import (
    Change,
    LiveVersion,
    audit_trail,
    ensure_tables,
    keep_champion,
    live_model,
    publish_model,
)
from resources.sql_pool.port import SqlPool

ALIAS = "champion"


@dataclass(frozen=True)
class LiveModel:
    """The version of a spec's model that the pool scores with."""

    registry: Registry
    pool: SqlPool
    lake: Lake
    spec: ModelSpec

    def current(self) -> LiveVersion | None:
        """The live version, or None while nothing was published."""
        return live_model(self.pool, self.spec)

    def prepare(self) -> None:
        """Make the pool's tables where they are missing, and correct the alias."""
        ensure_tables(self.pool, self.spec)
        self.align_alias()

    def decide(self, version: int, *, data_version: str | None, force: bool = False) -> Decision:
        """Decide whether a registered version becomes the live one.

        `data_version` is that of the training table now. The first version always does. A version
        that was decided against this champion on the same data is not looked at again, one that
        was trained on other data than the champion waits until people make it live, and one
        that was there when people rolled back, or has the bytes of one, is not brought back but by
        force.
        Raises InvalidInput for a version that is not registered.
        """
        versions = self.registry.versions(self.spec.model_name)
        candidate, live = self._registered(version, versions), self.current()
        if live is None:
            return Decision(candidate, "promote", f"version {version} is the first one")
        if live.version == version:
            return Decision(candidate, None, f"version {version} is live already")
        if force:
            reason = f"version {version} was made live without a comparison, as asked"
            return Decision(candidate, "force", reason)
        trail = audit_trail(self.pool, self.spec)
        settled = settled_before(trail, candidate, live.version, versions)
        if settled:
            return Decision(candidate, None, settled)
        champion = self._registered(live.version, versions)
        if waits := self._trained_on_other_data(champion, candidate):
            return Decision(candidate, "keep", waits)
        comparison = compare_versions(champion, candidate, self.registry, self.lake, self.spec)
        is_current = data_version is not None and candidate.tags.get(DATA_VERSION) == data_version
        is_outdated = champion.tags.get(DATA_VERSION) != data_version
        data: DataOfChallenger = "same"
        if is_current and is_outdated:
            data = "newer" if has_newer_rows(champion, self.lake, self.spec) else "other"
        return judge(comparison, champion.version, candidate, self.spec, data=data)

    def _trained_on_other_data(self, champion: ModelVersion, candidate: ModelVersion) -> str:
        """Why a candidate of another source cannot be compared; empty where it can."""
        if champion.tags.get(DATA_VERSION) == candidate.tags.get(DATA_VERSION):
            return ""
        sources = champion.tags.get(TRAINED_ON), candidate.tags.get(TRAINED_ON)
        if sources[0] == sources[1] and sources[0] is not None and names_the_data(sources[0]):
            return ""
        shared = knows_the_rows(champion, self.lake, self.spec)
        if shared:
            return ""
        is_known = shared is not None or None not in sources
        return another_source(champion.version, candidate.version, sources, is_known=is_known)

    def roll_back(self, version: int | None, *, actor: str, run_id: str) -> Decision:
        """Go back to `version`; None is the one that was live before the live one.

        Raises InvalidInput where no model is live, where it is that version already, and where
        there is no such version.
        """
        live = self.current()
        if live is None:
            raise InvalidInput(
                "No model is live, so nothing can be undone. Start with: bikecast run"
            )
        if version is None:
            version = version_before(audit_trail(self.pool, self.spec), live.version)
        if version is None:
            raise InvalidInput(
                f"No version was live before version {live.version}; nothing was changed. "
                "Name one of those that `bikecast models` lists."
            )
        if version == live.version:
            raise InvalidInput(f"Version {version} is live already; nothing was changed.")
        reason = f"back from version {live.version} to version {version}"
        decision = Decision(self._registered(version), "rollback", reason)
        return self.change(decision, actor=actor, run_id=run_id)

    def change(self, decision: Decision, *, actor: str, run_id: str) -> Decision:
        """Carry out what was decided, with an audit row; `changed` is set where it is due.

        The pool changes first, then the alias follows. Raises ModelRejected for a model that
        PREDICT cannot score; the live one stays.
        """
        if decision.action is None:
            return decision
        candidate, live = decision.candidate, self.current()
        change = Change(
            action=decision.action,
            actor=actor,
            reason=decision.reason,
            run_id=run_id,
            data_version=candidate.tags.get(DATA_VERSION, ""),
            code_version=candidate.tags.get(CODE_VERSION, ""),
        )
        if decision.action == "keep" and live is not None:
            keep_champion(
                self.pool, self.spec, live=live.version, candidate=candidate.version, why=change
            )
            return decision
        changed = publish_model(
            self.pool,
            self.spec,
            version=candidate.version,
            digest=candidate.digest,
            job_id=candidate.job_id,
            model=self._scorable(candidate.version),
            change=change,
        )
        self.align_alias()
        return replace(decision, changed=changed)

    def scorer(self, version: int | None = None) -> Scorer:
        """A version with its bytes, ready to score; None is the live one.

        Raises InvalidInput where there is no such version, ModelRejected for one that PREDICT
        cannot score.
        """
        if version is None:
            live = self.current()
            if live is None:
                raise InvalidInput(
                    "No model is live, so nothing was scored. Start with: bikecast run"
                )
            version = live.version
        tags = self._registered(version).tags
        model = self._scorable(version)
        return Scorer(version, model, tags.get(DATA_VERSION, ""), tags.get(CODE_VERSION, ""))

    def align_alias(self) -> int | None:
        """Point the registry's alias at the live version; returns it where it was wrong."""
        live = self.current()
        if live is None:
            return None
        for entry in self.registry.versions(self.spec.model_name):
            if entry.version == live.version and ALIAS not in entry.aliases:
                self.registry.set_alias(self.spec.model_name, ALIAS, live.version)
                return live.version
        return None

    def _registered(
        self, version: int, versions: Sequence[ModelVersion] | None = None
    ) -> ModelVersion:
        """A version by number. Raises InvalidInput that names those that there are."""
        name = self.spec.model_name
        by_number = {entry.version: entry for entry in versions or self.registry.versions(name)}
        if version not in by_number:
            numbers = ", ".join(map(str, sorted(by_number))) or "none"
            raise InvalidInput(
                f"{name} has no version {version}; known versions: {numbers}. "
                "The live model is unchanged."
            )
        return by_number[version]

    def _scorable(self, version: int) -> bytes:
        """The bytes of a version. Raises ModelRejected where PREDICT cannot score the rows."""
        from bikecast.core.onnx.contract import inspect_model

        model = self.registry.download(self.spec.model_name, version)
        signature = inspect_model(model)
        inputs = {tensor.name for tensor in signature.inputs}
        if unknown := sorted(inputs - set(self.spec.feature_names)):
            raise ModelRejected(
                f"the model asks for {', '.join(unknown)}, which {self.spec.scoring_table} does "
                "not have. The live model is unchanged."
            )
        outputs = [tensor.name for tensor in signature.outputs]
        if self.spec.model_output not in outputs:
            raise ModelRejected(
                f"the model's output is {', '.join(outputs)}, not {self.spec.model_output}, which "
                "`predict.model_output` in the model's file says. The live model is unchanged."
            )
        return model
