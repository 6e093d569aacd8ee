"""Prices from a file, and estimates by them."""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bikecast.core.errors import InvalidInput
from resources.costs.port import CostItem

DEFAULT = Path(__file__).with_name("prices.toml")
SPARK, TRAINING, SQL_POOL = "Spark", "training", "SQL pool"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SparkPrice(_Strict):
    """A Synapse Spark pool."""

    vcore_hour: float = Field(ge=0)
    vcores: int = Field(ge=1)
    minutes: float = Field(ge=0)


class TrainingPrice(_Strict):
    """A node of Azure ML."""

    node_hour: float = Field(ge=0)
    least_minutes: float = Field(ge=0)
    extra_minutes: float = Field(ge=0)


class SqlPoolPrice(_Strict):
    """A dedicated SQL pool."""

    hour: float = Field(ge=0)
    minutes: float = Field(ge=0)


class Prices(_Strict):
    """All prices, in one currency, as of one day."""

    as_of: dt.date
    currency: str = Field(min_length=1)
    spark: SparkPrice
    training: TrainingPrice
    sql_pool: SqlPoolPrice


def read_prices(path: Path | None = None) -> Prices:
    """Read a price file; None for the one that comes with the project.

    Raises InvalidInput with every problem, each by its name.
    """
    path = path or DEFAULT
    try:
        return Prices.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidInput(f"cannot read the prices {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the prices {path} are no TOML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise InvalidInput(f"the prices {path} are wrong: {problems}") from error


@dataclass(frozen=True)
class PricedCosts:
    """Estimates by prices; implements the port Costs."""

    prices: Prices
    limit: float | None = None

    @property
    def currency(self) -> str:
        """Of all costs."""
        return self.prices.currency

    def spark(self, minutes: float | None = None) -> CostItem:
        """Started minutes of all vCores of a batch."""
        price = self.prices.spark
        minutes = price.minutes if minutes is None else minutes
        cost = math.ceil(minutes) / 60 * price.vcores * price.vcore_hour
        basis = f"{price.vcores} vCores, {price.vcore_hour:g} {self.currency} a vCore and hour"
        return CostItem(SPARK, minutes, cost, basis)

    def training(self, minutes: float, nodes: int, *, spent: bool = False) -> CostItem:
        """Started minutes of all nodes, with the time to make them ready unless `spent`."""
        price = self.prices.training
        whole = minutes if spent else max(minutes, price.least_minutes) + price.extra_minutes
        cost = math.ceil(whole) / 60 * nodes * price.node_hour
        basis = f"{nodes} nodes, {price.node_hour:g} {self.currency} a node and hour"
        return CostItem(TRAINING, whole, cost, basis)

    def sql_pool(self, minutes: float | None = None) -> CostItem:
        """Started hours, each billed whole."""
        price = self.prices.sql_pool
        minutes = price.minutes if minutes is None else minutes
        hours = math.ceil(minutes / 60)
        basis = f"{hours} started hours of {price.hour:g} {self.currency}"
        return CostItem(SQL_POOL, minutes, hours * price.hour, basis)


@dataclass(frozen=True)
class NoCosts:
    """This machine: minutes, and nothing to pay; implements the port Costs."""

    limit: float | None = None
    currency: str = ""

    def spark(self, minutes: float | None = None) -> CostItem:
        """A few seconds."""
        return CostItem(SPARK, minutes or 0.0, 0.0, "on this machine")

    def training(self, minutes: float, nodes: int, *, spent: bool = False) -> CostItem:  # noqa: ARG002
        """The time that the training has."""
        return CostItem(TRAINING, minutes, 0.0, "on this machine")

    def sql_pool(self, minutes: float | None = None) -> CostItem:
        """A few seconds."""
        return CostItem(SQL_POOL, minutes or 0.0, 0.0, "on this machine")
