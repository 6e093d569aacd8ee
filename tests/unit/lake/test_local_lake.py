import os
import subprocess
import sys
from pathlib import Path

import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import replaced_file
from resources.lake.local import LocalLake


@pytest.fixture
def lake(tmp_path):
    return LocalLake(root=str(tmp_path / "lake"))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_text("content")
    return path


def test_unchanged_content_is_not_written_again(lake, source):
    lake.put("a/x", source)
    os.utime(lake.local_path("a/x"), (1, 1))
    lake.put("a/x", source)
    assert lake.local_path("a/x").stat().st_mtime == 1


def test_the_url_is_an_absolute_readable_file_url(tmp_path):
    lake = LocalLake(root=str(tmp_path / "my läke"))
    assert lake.url("a/x.csv") == f"file://{tmp_path}/my läke/a/x.csv"


def test_a_symbolic_link_out_of_the_lake_is_refused(lake, source, tmp_path):
    lake.put("a/x", source)
    (tmp_path / "lake" / "link").symlink_to(tmp_path)
    with pytest.raises(InvalidInput, match="leads out of the lake"):
        lake.put("link/y", source)


@pytest.mark.parametrize("name", ["50%25", "a[1]", "x*", "a{b}", "q?", "c#1"])
def test_a_root_that_engines_would_misread_is_refused(tmp_path, source, name):
    lake = LocalLake(root=str(tmp_path / name))
    with pytest.raises(InvalidInput, match="Set BIKECAST_HOME to another folder"):
        lake.put("x", source)
    assert not (tmp_path / name).exists()


def test_a_root_that_cannot_be_made_is_a_clear_error(tmp_path, source):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BikecastError, match="What was there before is unchanged"):
        LocalLake(root=str(tmp_path / "file")).put("a/x", source)


def test_a_failed_write_leaves_the_old_content_and_no_temporary_file(tmp_path):
    target = tmp_path / "x"
    target.write_text("old")

    def write_half():
        with replaced_file(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert target.read_text() == "old"


def test_a_full_disk_is_a_clear_error(tmp_path):
    target = tmp_path / "x"
    target.write_text("old")
    with (
        pytest.raises(BikecastError, match=r"No space left on device.*unchanged"),
        replaced_file(target),
        Path("/dev/full").open("w") as full,
    ):
        full.write("a" * 100_000)
    assert target.read_text() == "old"


def test_a_killed_writer_leaves_the_old_content_and_its_rest_is_swept(tmp_path):
    target = tmp_path / "x"
    target.write_text("old")
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from bikecast.core.files import replaced_file\n"
        "with replaced_file(Path(sys.argv[1])) as t:\n"
        "    t.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(target)])
    assert killed.returncode == -9
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2
    with replaced_file(target) as temporary:
        temporary.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert target.read_text() == "new"
