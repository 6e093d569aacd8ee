"""What makes a code version another one, and which files decide what an adapter makes."""

from pathlib import Path

import grimp
import pytest

from bikecast.core import code_version as module
from bikecast.core.code_version import LIBRARY, code_version
from bikecast.embedded.automl import TRAINING_CODE
from resources.automl.azure_ml import AzureAutoML
from resources.automl.embedded import LocalAutoML
from resources.spark.preparation_code import PREPARATION_CODE

PROJECT = Path(__file__).parents[2]
PACKAGES = ("pipelines", "assets", "resources", "bikecast")
ADAPTERS = [LocalAutoML, AzureAutoML]
#: What a training imports and no model depends on, and why not.
DECIDES_NOTHING = {
    "bikecast/core/errors.py": "texts",
    "bikecast/core/files.py": "how a file is written",
    "bikecast/core/jobs.py": "states of a job",
    "bikecast/core/locks.py": "when a file is written",
    "bikecast/core/operations.py": "schedules and limits of checks",
    "bikecast/core/output_type.py": "how predictions are stored",
    "bikecast/core/processes.py": "how long a process lives",
    "bikecast/core/sql.py": "how a record's names are quoted",
    "bikecast/core/spec.py": "the job's name has the columns and the settings themselves",
    "bikecast/core/spec_json.py": "the spec, unchanged",
    "bikecast/core/training.py": "how a result is handed over",
    "bikecast/embedded/mlflow/__init__.py": "a record of what was trained",
    "bikecast/embedded/mlflow/store.py": "the same",
    "bikecast/embedded/mlflow/tracking.py": "the same",
}
SCORING = "for scoring"
#: The same for the preparation of a table on this machine.
DECIDES_NO_TABLE = {
    "bikecast/core/code_version.py": "names of jobs",
    "bikecast/core/errors.py": "texts",
    "bikecast/core/files.py": "how a file is written",
    "bikecast/core/jobs.py": "states of a job",
    "bikecast/core/locks.py": "when a file is written",
    "bikecast/core/onnx/session.py": SCORING,
    "bikecast/core/onnx/versions.py": "a part of the spec",
    "bikecast/core/operations.py": "schedules and limits of checks",
    "bikecast/core/output_type.py": SCORING,
    "bikecast/core/spec.py": "the table's recorded input has the spec itself",
    "bikecast/core/spec_json.py": "the spec, unchanged",
    "bikecast/core/sql.py": "what a query answers",
    "resources/adapter.py": "how settings are kept",
    "resources/lake/local.py": "where a file lies",
    "resources/lake/paths.py": "where a file lies",
    "resources/lake/port.py": "what a lake can do",
    "resources/spark/connect_scoring.py": SCORING,
    "resources/spark/delta_rows.py": SCORING,
    "resources/spark/errors.py": "texts",
    "resources/spark/onnx_rows.py": SCORING,
    "resources/spark/port.py": "how a result is handed over",
    "resources/spark/preparation_code.py": "this list",
    "resources/spark/preparations.py": "whether a table is made again",
    "resources/lake/table_files.py": "the same",
    "resources/spark/scoring.py": SCORING,
}


@pytest.fixture(autouse=True)
def _forgotten():
    code_version.cache_clear()
    yield
    code_version.cache_clear()


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """Edit one of the project's files in a copy of those that an adapter names."""

    def edit(path):
        for source in {source for adapter in ADAPTERS for source in paths(adapter.training_code)}:
            for file in files_of(source):
                copy = tmp_path / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes((PROJECT / file).read_bytes())
        monkeypatch.setattr(module, "_ROOT", tmp_path)
        before = {adapter: code_version(*adapter.training_code) for adapter in ADAPTERS}
        code_version.cache_clear()
        with (tmp_path / path).open("a") as file:
            file.write("\n# edited\n")
        return {a for a in ADAPTERS if code_version(*a.training_code) != before[a]}

    return edit


def paths(code):
    return [source for source in code if not source.startswith(LIBRARY)]


def files_of(source):
    """The Python files that a listed path stands for, relative to the project."""
    path = PROJECT / source
    files = [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [file.relative_to(PROJECT).as_posix() for file in files]


def imported_by(*roots):
    """Files of ours that these modules import, directly or not; a package's own is one too."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    modules = set(roots).union(*(graph.find_upstream_modules(root) for root in roots))
    files = set()
    for name in modules:
        path = PROJECT / name.replace(".", "/")
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        files.add(file.relative_to(PROJECT).as_posix())
    return files


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


def test_a_folder_that_a_move_left_without_code_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    (tmp_path / "old" / "__pycache__").mkdir(parents=True)
    (tmp_path / "old" / "__pycache__" / "gone.cpython-311.pyc").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="old decides a result"):
        code_version("old")


@pytest.mark.parametrize("library", ["lightgbm", "numpy", "onnx", "scikit-learn", "scipy"])
def test_an_upgraded_library_is_another_training(library, monkeypatch):
    installed = module.version
    first = code_version(*TRAINING_CODE)
    code_version.cache_clear()
    monkeypatch.setattr(
        module, "version", lambda name: "99.0" if name == library else installed(name)
    )
    assert code_version(*TRAINING_CODE) != first


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_path_that_decides_a_model_is_there(adapter):
    assert len(code_version(*adapter.training_code)) == 12
    assert all(files_of(source) for source in paths(adapter.training_code))


@pytest.mark.parametrize("name", ["azure_job", "azure_ml"])
def test_an_edit_for_azure_trains_no_local_model_again(edited, name):
    assert edited(f"resources/automl/{name}.py") == {AzureAutoML}


@pytest.mark.parametrize("path", ["search.py", "export/trees.py"])
def test_an_edit_of_the_embedded_automl_trains_no_azure_model_again(edited, path):
    assert edited(f"bikecast/embedded/automl/{path}") == {LocalAutoML}


def test_all_that_a_training_imports_decides_its_model_or_is_named_as_deciding_nothing():
    package = "bikecast.embedded.automl"
    imported = imported_by(f"{package}.driver", f"{package}.preload")
    listed = {file for source in paths(TRAINING_CODE) for file in files_of(source)}

    assert imported - listed == set(DECIDES_NOTHING)


def test_all_that_a_preparation_imports_decides_its_table_or_is_named_as_deciding_nothing():
    listed = {file for source in paths(PREPARATION_CODE) for file in files_of(source)}

    assert len(code_version(*PREPARATION_CODE)) == 12
    assert imported_by("resources.spark.connect") - listed == set(DECIDES_NO_TABLE)
