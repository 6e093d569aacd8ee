"""The fake cloud for the adapters that need it."""

from tests.azure.calls import PARTLY_RUN, file_of
from tests.azure.fixtures import cloud, location, old_sdk, proxy, user

__all__ = ["cloud", "location", "old_sdk", "proxy", "user"]


def pytest_deselected(items):
    left_out = (item for item in items if item.get_closest_marker("slow") is None)
    PARTLY_RUN.update(file_of(item.nodeid) for item in left_out)


def pytest_collection_modifyitems(config):
    named = (argument for argument in config.args if "::" in argument)
    PARTLY_RUN.update(file_of(argument) for argument in named)


def pytest_runtest_logreport(report):
    if report.skipped or report.failed:
        PARTLY_RUN.add(file_of(report.nodeid))
