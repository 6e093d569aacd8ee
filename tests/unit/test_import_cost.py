"""Loading the code location is quick: what is heavy is imported where it is used."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
HEAVY = (
    "azure azureml dagster_azure deltalake duckdb lightgbm matplotlib mlflow numpy onnx "
    "onnxmltools onnxruntime pandas py4j pyarrow pyodbc pysail pyspark pyspark.sql.connect scipy "
    "skl2onnx sklearn sqlalchemy sqlglot"
).split()

#: What Dagster and dagster-pyspark import by themselves is measured first, and exempt.
CODE = """
import json, sys
import dagster, dagster_pyspark
heavy = sys.argv[1:]
before = [name for name in heavy if name in sys.modules]
import pipelines.definitions
after = [name for name in heavy if name in sys.modules]
keys = pipelines.definitions.defs.resolve_asset_graph().get_all_asset_keys()
print(json.dumps([before, after, [key.to_user_string() for key in keys]]))
"""


def load_code_location(home):
    environment = os.environ | {"BIKECAST_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:pipelines", "-c", CODE, *HEAVY],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_loading_the_code_location_imports_nothing_heavy_and_creates_nothing(tmp_path):
    home = tmp_path / "home"

    exempt, imported, assets = load_code_location(home)

    assert set(imported) - set(exempt) == set()
    assert "mlflow" not in exempt
    assert {"raw_bike_rentals", "predicted_rentals"} <= set(assets)
    assert not home.exists()
