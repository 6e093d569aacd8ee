"""A table does not pass through the driver: its memory does not grow with the rows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCALE = Path(__file__).parents[2] / "benchmarks" / "scale.py"


@pytest.mark.slow
def test_four_million_rows_take_no_more_than_100_mib_above_one_million():
    """Each part in a process of its own, and the engine in another one (sc://)."""
    done = subprocess.run(
        [sys.executable, SCALE, "--rows", "4000000"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    more = dict(re.findall(r"^(\w+): (-?[0-9]+) MiB more", done.stdout, re.MULTILINE))
    assert more.keys() == {"door", "preparation", "sample", "scoring"}
    assert {part: mib for part, mib in more.items() if int(mib) > 100} == {}
