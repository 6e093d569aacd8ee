"""Writes tests/arm/types.json from the schemas in ../shared.

python -m pytest tests/arm/renew_types.py
"""

from tests.arm.types import write_types


def test_renew_the_types():
    write_types()
