"""The fake cloud for the adapters that need it."""

from tests.azure.fixtures import cloud, proxy

__all__ = ["cloud", "proxy"]
