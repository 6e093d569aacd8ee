"""The contract of estimates: what the parts of a run take and cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from bikecast.core.errors import InvalidInput


@dataclass(frozen=True)
class CostItem:
    """One part of a run: `minutes` that it takes, `cost` in the currency of the prices."""

    name: str
    minutes: float
    cost: float
    basis: str
    """How the cost follows from the minutes, in words."""


class Costs(Protocol):
    """Estimates from minutes; a part that costs nothing here has the cost 0."""

    @property
    def currency(self) -> str:
        """Of all costs; empty where nothing costs anything."""
        ...

    @property
    def limit(self) -> float | None:
        """The most that one run may cost; None for any."""
        ...

    def spark(self, minutes: float | None = None) -> CostItem:
        """A Spark batch; without `minutes`, what one takes as a rule."""
        ...

    def training(self, minutes: float, nodes: int, *, spent: bool = False) -> CostItem:
        """A training job that may train for `minutes` on so many nodes; with `spent`, one that
        took `minutes` in all.
        """
        ...

    def sql_pool(self, minutes: float | None = None) -> CostItem:
        """The SQL pool from its resuming to its pausing."""
        ...


def total(items: Iterable[CostItem]) -> float:
    """The sum of the costs, to cents."""
    return round(sum(item.cost for item in items), 2)


def refuse_beyond_limit(costs: Costs, items: Iterable[CostItem]) -> None:
    """Raise InvalidInput where these parts together may cost more than the limit."""
    parts = list(items)
    if costs.limit is None or total(parts) <= costs.limit:
        return
    costly = ", ".join(f"{item.name} {item.cost:.2f} ({item.basis})" for item in parts if item.cost)
    raise InvalidInput(
        f"This run may cost {total(parts):.2f} {costs.currency}, more than "
        f"BIKECAST_COST_LIMIT={costs.limit:g}: {costly}. Nothing was started. "
        "Raise the limit, or lower BIKECAST_BUDGET; `bikecast plan` shows the estimate."
    )
