"""The embedded AutoML: a detached process that searches a portfolio and exports one ONNX graph.

This is its public face; README.md shows it in use. Importing it imports nothing heavy, because the
driver and the workers' server import it before anything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bikecast.embedded.automl.jobs import Jobs
from bikecast.embedded.automl.train import TRAINING_CODE, train_table

if TYPE_CHECKING:
    from bikecast.embedded.automl.reading import CsvTexts, read_csv
    from bikecast.embedded.automl.scoring import score_texts
    from bikecast.embedded.automl.tabular import Tabular, tabular_data

__all__ = [
    "TRAINING_CODE",
    "CsvTexts",
    "Jobs",
    "Tabular",
    "read_csv",
    "score_texts",
    "tabular_data",
    "train_table",
]


def __getattr__(name: str) -> Any:
    """What reads tables; it is imported at its first use, and Arrow with it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    room = {"Tabular": "tabular", "tabular_data": "tabular", "score_texts": "scoring"}
    return getattr(import_module(f"{__name__}.{room.get(name, 'reading')}"), name)
