"""The fake cloud for the adapters that need it."""

from tests.azure.fixtures import cloud, location, old_sdk, proxy, user

__all__ = ["cloud", "location", "old_sdk", "proxy", "user"]
