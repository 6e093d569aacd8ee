"""The floors of the pool, from its endpoint down to SQL Server's errors: imports go down only.

Imports inside of functions and those for type checking count.
"""

import grimp
import pytest

POOL = "bikecast.embedded.sql_pool"
#: From top to bottom. The parts of one floor do not import each other.
FLOORS = (
    {"tds"},
    {"pool"},
    {"internal", "storage"},
    {"batches", "inference"},
    {"copy"},
    {"statements"},
    {"queries", "work"},
    {"expressions"},
    {"catalog", "predict"},
    {"syntax"},
    {"values"},
    {"results"},
    {"errors", "limits"},
)


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph("bikecast", cache_dir=None)


def test_each_part_of_the_pool_has_a_floor(imports):
    parts = {module.removeprefix(f"{POOL}.") for module in imports.find_children(POOL)}

    assert parts == set().union(*FLOORS)


def test_imports_go_down_the_floors(imports):
    illegal = imports.find_illegal_dependencies_for_layers(layers=FLOORS, containers={POOL})

    assert illegal == set()
