"""Estimates: started hours and minutes, the price file, and the limit."""

import pytest

from bikecast.core.errors import InvalidInput
from resources.costs.port import refuse_beyond_limit, total
from resources.costs.prices import DEFAULT, NoCosts, PricedCosts, read_prices


@pytest.fixture
def prices():
    return read_prices()


@pytest.mark.parametrize(("minutes", "hours"), [(1, 1), (60, 1), (60.1, 2), (0, 0)])
def test_the_sql_pool_is_billed_by_started_hours(prices, minutes, hours):
    assert PricedCosts(prices).sql_pool(minutes).cost == pytest.approx(hours * prices.sql_pool.hour)


def test_spark_and_training_are_billed_by_started_minutes(prices):
    costs = PricedCosts(prices)

    per_minute = prices.spark.vcores * prices.spark.vcore_hour / 60
    assert costs.spark(2.5).cost == pytest.approx(3 * per_minute)
    per_minute = 2 * prices.training.node_hour / 60
    assert costs.training(7.5, 2, spent=True).cost == pytest.approx(8 * per_minute)


def test_a_planned_training_takes_what_azure_takes_at_least_and_the_time_around_it(prices):
    item = PricedCosts(prices).training(0.3, 2)

    assert item.minutes == prices.training.least_minutes + prices.training.extra_minutes


def test_a_run_beyond_the_limit_is_refused_with_its_parts(prices):
    costs = PricedCosts(prices, limit=1.0)
    items = [costs.spark(), costs.sql_pool()]

    with pytest.raises(InvalidInput, match=r"BIKECAST_COST_LIMIT=1: Spark 0\.26.*SQL pool 1\.20"):
        refuse_beyond_limit(costs, items)
    refuse_beyond_limit(PricedCosts(prices, limit=total(items)), items)
    refuse_beyond_limit(PricedCosts(prices), items)


def test_this_machine_costs_nothing():
    costs = NoCosts()

    assert total([costs.spark(), costs.training(15, 2), costs.sql_pool()]) == 0
    assert costs.currency == ""


def test_a_wrong_price_file_is_told_by_its_names(tmp_path):
    path = tmp_path / "prices.toml"
    text = DEFAULT.read_text(encoding="utf-8")
    path.write_text(text.replace("hour = 1.20", 'hour = "dear"\nday = 1'), encoding="utf-8")

    with pytest.raises(InvalidInput, match=r"sql_pool\.hour: .*sql_pool\.day"):
        read_prices(path)
    with pytest.raises(InvalidInput, match="cannot read the prices"):
        read_prices(tmp_path / "none.toml")
