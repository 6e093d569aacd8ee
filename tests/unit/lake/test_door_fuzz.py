"""Files that nobody meant: no traceback, no hang, and nothing stored of what is refused."""

import gzip
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bikecast.core.errors import InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import simulate, write_csv
from resources.lake.csv_file import read_training_csv, write_canonical
from resources.lake.local import LocalLake
from resources.lake.port import CsvFormat
from resources.lake.raw_files import engine_path, store

PIECES = [
    *(b",", b";", b"\t", b'"', b'""', b"\n", b"\r\n", b"\r", b" ", b".", b"-", b"0", b"\x00"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xc2\xa0", b"\xff", b"NA", b"1e999", b"0x1F", b"sep=;\n"),
    *(b"2011-01-01T00:00:00Z", b"331.0", b"1,234", b"\xef\xbc\x91", b"rentals", b"PK\x03\x04"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "in.csv"
    write_csv(simulate(years=1).slice(0, 30), path)
    return path.read_bytes()


def through_the_door(folder, content: bytes) -> bool:
    """Whether the file is taken; then its copy reads as the same rows, else nothing is stored."""
    path, lake = folder / "in.csv", LocalLake(root=str(folder / "lake"))
    path.write_bytes(content)
    before = sorted(folder.rglob("*"))
    try:
        content_read = read_training_csv(path, SPEC, source_name="in.csv")
    except InvalidInput as error:
        told = str(error)
    else:
        told = ""
    if told:
        assert "in.csv" in told
        assert sorted(folder.rglob("*")) == before
        return False
    write_canonical(path, content_read, SPEC, folder / "copy.csv")
    copy = read_training_csv(folder / "copy.csv", SPEC, source_name="copy.csv")
    assert copy.is_canonical
    assert copy.table.equals(content_read.table)
    store(lake, SPEC.source_file, path, content_read, SPEC, CsvFormat())
    with lake.local_copy(engine_path(lake, SPEC.source_file, SPEC, "training")) as engines:
        assert read_training_csv(engines, SPEC, source_name="e").table.equals(content_read.table)
    return True


def mutated(content: bytes, seed: int) -> bytes:
    """The file with a few pieces put in, cut out or exchanged, at times compressed or cut off."""
    rng = random.Random(seed)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 5))):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.choice((0, 0, 1, 1, 3, 40)))
        content = content[:start] + rng.choice((b"", *PIECES)) + content[end:]
    way = rng.random()
    if way < 0.1:
        content = content.replace(b",", rng.choice((b";", b"\t", b"|")))
    elif way < 0.2:
        content = content.decode("latin-1").encode(rng.choice(("utf-16", "utf-16-le", "utf-32")))
    elif way < 0.3:
        content = gzip.compress(content)
        content = content[: rng.choice((None, -1, -9, len(content) // 2))]
    return content


def test_some_mutations_of_a_file_are_taken_and_some_refused(whole, tmp_path):
    assert through_the_door(tmp_path, whole)
    taken = []
    for seed in range(60):
        folder = tmp_path / str(seed)
        folder.mkdir()
        taken.append(through_the_door(folder, mutated(whole, seed)))
    assert 10 < sum(taken) < 55


@pytest.mark.slow
def test_thousands_of_mutations_are_taken_or_refused(whole, tmp_path):
    for seed in range(7000):
        folder = tmp_path / str(seed)
        folder.mkdir()
        through_the_door(folder, mutated(whole, 1000 + seed))


@pytest.mark.slow
@settings(
    max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    header=st.booleans(),
    parts=st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=60),
)
def test_any_bytes_are_taken_or_refused(whole, tmp_path_factory, header, parts):
    first = whole.partition(b"\n")[0] + b"\n"
    content = (first if header else b"") + b"".join(parts)
    through_the_door(tmp_path_factory.mktemp("any"), content)
