"""The packages' public faces: their READMEs run, they are light, and nothing imports past them."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import grimp
import numpy as np
import pytest

PROJECT = Path(__file__).parents[3]
EMBEDDED = PROJECT / "bikecast" / "embedded"
HEAVY = "dagster deltalake lightgbm mlflow numpy onnx onnxruntime pandas pyarrow sklearn".split()
#: A package's own tests may look inside, and so does what measures the search without its job.
INSIDE = {
    "automl": ("bikecast/embedded/automl", "tests/unit/automl", "benchmarks/automl_quality.py"),
    "mlflow": ("bikecast/embedded/mlflow", "tests/unit/registry"),
}


def code_of(package):
    text = (EMBEDDED / package / "README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return code


def test_the_readmes_code_trains_on_a_csv(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    rooms, area = rng.integers(1, 8, 60), rng.uniform(30, 200, 60)
    rows = [f"{r},{a:.1f},{9 * r + 2 * a:.1f}" for r, a in zip(rooms, area, strict=True)]
    (tmp_path / "houses.csv").write_text("\n".join(["rooms,area,price", *rows]))
    monkeypatch.chdir(tmp_path)
    scope = {}
    exec(code_of("automl"), scope)
    result = scope["result"]
    assert (tmp_path / "automl" / "jobs" / result.job_id / "result" / "model.onnx").is_file()
    assert result.scores["holdout"]["spearman"] > 0.9
    assert len(result.leaders(3)) == 3
    assert str(result.model_path) in capsys.readouterr().out
    exec(code_of("automl"), scope)
    assert scope["result"].job_id == result.job_id


def test_the_readmes_code_records_a_training(tmp_path, prepared_database, capsys):
    (tmp_path / "mlflow.db").write_bytes(prepared_database.read_bytes())
    exec(code_of("mlflow"), {"uri": f"sqlite:///{tmp_path}/mlflow.db"})
    assert capsys.readouterr().out == "{'rmse': 2.5}\n"


@pytest.mark.parametrize("package", INSIDE)
def test_a_face_imports_nothing_heavy(package):
    code = f"import json, sys, bikecast.embedded.{package}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) & set(HEAVY) == set()


@pytest.mark.parametrize("package", INSIDE)
def test_a_package_needs_no_dagster_and_nothing_above_it(package):
    name = f"bikecast.embedded.{package}"
    graph = grimp.build_graph("bikecast", include_external_packages=True, cache_dir=None)
    modules = graph.find_descendants(name) | {name}
    imported = {other for m in modules for other in graph.find_modules_directly_imported_by(m)}
    ours = {other for other in imported - modules if other.startswith("bikecast.")}
    assert imported & {"dagster", "resources", "assets", "pipelines"} == set()
    assert {o for o in ours if not o.startswith("bikecast.core.")} <= {"bikecast.embedded.mlflow"}


@pytest.mark.parametrize("package", INSIDE)
def test_nothing_outside_imports_past_a_face(package):
    name = f"bikecast.embedded.{package}"
    face = ast.parse((EMBEDDED / package / "__init__.py").read_text(encoding="utf-8"))
    [public] = [
        ast.literal_eval(node.value)
        for node in face.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    past = []
    for root in ("assets", "benchmarks", "bikecast", "pipelines", "resources", "tests"):
        for path in (PROJECT / root).rglob("*.py"):
            file = path.relative_to(PROJECT).as_posix()
            text = path.read_text(encoding="utf-8")
            if f"embedded.{package}" in text and not file.startswith(INSIDE[package]):
                names = [n for n in imported_names(text) if f"{n}.".startswith(f"{name}.")]
                past += [(file, n) for n in names if n.removeprefix(f"{name}.") not in public]
    assert past == []


def imported_names(text):
    """Dotted names that a file imports, from a module each of its names."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
