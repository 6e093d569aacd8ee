"""Writes tests/azure/shapes: the shapes of the recordings in ../shared.

python -m pytest tests/azure/renew_shapes.py
"""

from tests.azure.recorded_shapes import write_shapes


def test_renew_the_shapes():
    write_shapes()
