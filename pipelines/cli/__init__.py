"""The command line: `bikecast`."""

from pipelines.cli.app import main

__all__ = ["main"]
