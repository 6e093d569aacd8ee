"""The public faces of the AutoML and of MLflow's store: their READMEs run, and they are light."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).parents[3]
EMBEDDED = PROJECT / "bikecast" / "embedded"
HEAVY = "dagster deltalake lightgbm mlflow numpy onnx onnxruntime pandas pyarrow sklearn".split()


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


@pytest.mark.parametrize("package", ["automl", "mlflow"])
def test_a_face_imports_nothing_heavy(package):
    code = f"import json, sys, bikecast.embedded.{package}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) & set(HEAVY) == set()
