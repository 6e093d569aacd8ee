"""What a Spark pool gets of this project is enough, and no more than the job needs."""

import io
import subprocess
import sys
import zipfile

import pytest

from resources.spark.shipping import job_code, shipped_modules

MAINS = ("resources/spark/batch.py", "resources/spark/scoring_batch.py")


@pytest.mark.parametrize("main", MAINS)
def test_a_job_imports_nothing_of_this_project_that_was_not_shipped(main, tmp_path):
    code = job_code(main)
    (tmp_path / "main.py").write_bytes(code.main)
    (tmp_path / "modules.zip").write_bytes(code.modules)
    program = (
        "import runpy, sys; sys.path.insert(0, 'modules.zip');"
        "runpy.run_path('main.py', run_name='job');"
        "ours = {'bikecast', 'resources'};"
        "print(*[m.__file__ for n, m in sys.modules.items() if n.split('.')[0] in ours])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    paths = done.stdout.split()
    assert any("bikecast" in path for path in paths)
    assert all("modules.zip" in path for path in paths)


@pytest.mark.parametrize("main", MAINS)
def test_no_adapter_is_shipped(main):
    with zipfile.ZipFile(io.BytesIO(job_code(main).modules)) as archive:
        names = archive.namelist()
    assert names == shipped_modules(main)
    assert not {"resources/spark/synapse.py", "resources/spark/batch_jobs.py"} & set(names)
    assert not any(name.startswith(("resources/lake", "resources/sql_pool")) for name in names)


def test_workers_of_a_cluster_without_this_project_can_load_the_scorer():
    program = (
        "import sys, pickle; sys.modules.update(bikecast=None, resources=None);"
        "score = pickle.loads(sys.stdin.buffer.read()); print(list(score(iter([]))))"
    )
    from pyspark import cloudpickle

    import bikecast.core.onnx.session
    from bikecast.core.onnx.contract import model_digest
    from resources.spark.onnx_rows import row_scorer
    from tests.unit.sql_pool.onnx_models import weighted_sum

    cloudpickle.register_pickle_by_value(bikecast.core.onnx.session)
    model = weighted_sum({"temp": "real"}, 2.0)
    scorer = row_scorer(model, model_digest(model), [("temp", "float32")], "y")
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=cloudpickle.dumps(scorer),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.strip() == b"[]"
