"""The fake cloud for the adapters that need it."""

from tests.azure.fixtures import cloud, location, proxy, user

__all__ = ["cloud", "location", "proxy", "user"]
