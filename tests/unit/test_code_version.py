"""What makes a code version another one."""

import pytest

from assets.training import TRAINING_CODE
from bikecast.core import code_version as module
from bikecast.core.code_version import code_version


@pytest.fixture(autouse=True)
def _forgotten():
    code_version.cache_clear()
    yield
    code_version.cache_clear()


def test_a_changed_file_is_another_version(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    (tmp_path / "a.py").write_text("1")
    first = code_version("a.py")
    code_version.cache_clear()
    (tmp_path / "a.py").write_text("2")
    assert code_version("a.py") != first


def test_a_path_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"assets/gone\.py decides a result"):
        code_version("assets/gone.py")


@pytest.mark.parametrize("library", ["lightgbm", "numpy", "onnx", "scikit-learn", "scipy"])
def test_an_upgraded_library_is_another_training(library, monkeypatch):
    installed = module.version
    first = code_version(*TRAINING_CODE)
    code_version.cache_clear()
    monkeypatch.setattr(
        module, "version", lambda name: "99.0" if name == library else installed(name)
    )
    assert code_version(*TRAINING_CODE) != first
