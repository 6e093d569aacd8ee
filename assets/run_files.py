"""The source files of the run that an asset is made in, beside its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from resources.lake.port import FetchedFile, SourceFiles


@contextmanager
def file_of_run(
    context: dg.AssetExecutionContext, sources: SourceFiles, asset: str, lake_path: str
) -> Iterator[FetchedFile | None]:
    """The file that an asset of this run brings, or None where the run does not have that asset.

    Raises InvalidInput and BikecastError like `Sources.fetch`.
    """
    if asset not in {node.name for node in context.job_def.nodes}:
        yield None
        return
    ops: Any = context.run.run_config.get("ops", {})
    override = ops.get(asset, {}).get("config", {}).get("source")
    with sources.fetch(lake_path, override) as fetched:
        yield fetched
