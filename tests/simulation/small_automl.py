"""AutoML at its smallest: one ridge regression a job, really fitted, tested and exported."""

import hashlib
import json
from pathlib import Path
from typing import ClassVar

import dagster as dg
import numpy as np

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.spec import ModelSpec
from bikecast.core.spec_json import spec_from_json, spec_to_json
from bikecast.core.sql_types import type_names
from bikecast.core.training import TrainingResult
from resources.automl.port import TrainingRequest
from resources.lake.local import LocalLake
from resources.lake.tables import open_table

HELD_BACK = 0.2
#: Files in the jobs folder that make the next training go wrong.
SHUFFLED, SCALED, BROKEN = "shuffle-next", "scale-next", "break-next"


class SmallAutoML(dg.ConfigurableResource):
    """Implements the port AutoML: a job is a folder, and `work` is the cluster that trains.

    The logarithm of the target is linear in the numbers, their squares and the codes. A file in
    the jobs folder spoils the next job: `shuffle-next` and `scale-next` let it train on a
    shuffled or a hundredfold target (models that are fitted and bad), `break-next` lets it fail.
    """

    training_code: ClassVar[tuple[str, ...]] = ("tests/simulation/small_automl.py",)

    jobs_dir: str
    lake_root: str

    def submit(self, request: TrainingRequest) -> JobStatus:
        """Record the job; it is queued until the cluster works."""
        folder = self._folder(request.job_id)
        if not folder.exists():
            folder.mkdir(parents=True)
            job = {"spec": spec_to_json(request.spec), "table": request.table_path}
            (folder / "job.json").write_text(json.dumps(job))
        return self.status(request.job_id)

    def status(self, job_id: str) -> JobStatus:
        """What the folder says."""
        folder = self._folder(job_id)
        if not (folder / "job.json").exists():
            return JobStatus(job_id, JobState.NOT_FOUND)
        if (folder / "error.txt").exists():
            error = (folder / "error.txt").read_text()
            return JobStatus(job_id, JobState.FAILED, str(folder), error)
        done = (folder / "result.json").exists()
        return JobStatus(job_id, JobState.COMPLETED if done else JobState.QUEUED, str(folder))

    def cancel(self, job_id: str) -> JobStatus:
        """End a job that has not begun."""
        if not self.status(job_id).state.is_terminal:
            (self._folder(job_id) / "error.txt").write_text("canceled on request")
        return self.status(job_id)

    def result(self, job_id: str) -> TrainingResult:
        """The fitted model."""
        status = self.status(job_id)
        if status.state is not JobState.COMPLETED:
            raise BikecastError(f"training job {job_id} is {status.state}: {status.error}")
        folder = self._folder(job_id)
        found = json.loads((folder / "result.json").read_text())
        return TrainingResult(
            job_id, folder / "model.onnx", found["digest"], [found["scores"]], found["all"], {}
        )

    def work(self) -> list[str]:
        """Train all queued jobs; returns their ids."""
        queued = [
            path.parent.name
            for path in sorted(Path(self.jobs_dir).glob("*/job.json"))
            if not self.status(path.parent.name).state.is_terminal
        ]
        for job_id in queued:
            self._train(self._folder(job_id))
        return queued

    def _train(self, folder: Path) -> None:
        if self._asked(BROKEN):
            (folder / "error.txt").write_text("the node was lost")
            return
        job = json.loads((folder / "job.json").read_text())
        spec = spec_from_json(job["spec"])
        table = open_table(LocalLake(root=self.lake_root), job["table"]).to_table()
        if spec.time_key:
            table = table.sort_by(spec.time_key)
        columns = {name: table[name].to_numpy() for name in spec.feature_names}
        matrix = _matrix(columns, spec)
        target = table[spec.target.name].to_numpy().astype(np.float64)
        learnt = target
        if self._asked(SHUFFLED):
            learnt = np.random.default_rng(0).permutation(target)
        if self._asked(SCALED):
            learnt = target * 100
        split = round(len(target) * (1 - HELD_BACK))
        tested = np.exp(matrix[split:] @ _fit(matrix[:split], learnt[:split]))
        scores = _scores(learnt[split:], tested)
        model = _export(_fit(matrix, learnt), spec)
        (folder / "model.onnx").write_bytes(model)
        result = {
            "digest": hashlib.sha256(model).hexdigest(),
            "scores": scores,
            "all": {"cv": scores, "holdout": scores, "time_ordered": scores},
        }
        (folder / "result.tmp").write_text(json.dumps(result))
        (folder / "result.tmp").rename(folder / "result.json")

    def _asked(self, name: str) -> bool:
        mark = Path(self.jobs_dir) / name
        if not mark.exists():
            return False
        mark.unlink()
        return True

    def _folder(self, job_id: str) -> Path:
        return Path(self.jobs_dir) / job_id


def _blocks(spec: ModelSpec) -> list[tuple[str, tuple[int, ...]]]:
    """(feature, codes) of each feature; without codes for a number."""
    return [(each.name, tuple(int(code) for code in each.codes)) for each in spec.features]


def _matrix(columns: dict[str, np.ndarray], spec: ModelSpec) -> np.ndarray:
    parts = []
    for name, codes in _blocks(spec):
        values = columns[name].astype(np.float64)
        parts += [values == code for code in codes] if codes else [values, values**2]
    return np.column_stack(parts).astype(np.float64)


def _fit(matrix: np.ndarray, target: np.ndarray, penalty: float = 1.0) -> np.ndarray:
    square = matrix.T @ matrix + penalty * np.eye(matrix.shape[1])
    weights: np.ndarray = np.linalg.solve(square, matrix.T @ np.log(np.maximum(target, 1)))
    return weights


def _scores(target: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    from scipy.stats import spearmanr

    errors = target - predicted
    return {
        "spearman": float(spearmanr(target, predicted).statistic),
        "rmse": float(np.sqrt(np.mean(errors**2))),
        "r2": float(1 - np.mean(errors**2) / np.var(target)),
        "rows": len(target),
    }


def _export(weights: np.ndarray, spec: ModelSpec) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, parts = [], [], []
    for name, codes in _blocks(spec):
        if codes:
            constants.append(numpy_helper.from_array(np.array([codes]), f"/{name}_codes"))
            nodes.append(helper.make_node("Equal", [name, f"/{name}_codes"], [f"/{name}_is"]))
            nodes.append(helper.make_node("Cast", [f"/{name}_is"], [f"/{name}"], to=1))
            parts.append(f"/{name}")
        else:
            nodes.append(helper.make_node("Mul", [name, name], [f"/{name}"]))
            parts += [name, f"/{name}"]
    column = weights.astype(np.float32)[:, None]
    constants.append(numpy_helper.from_array(column, "/weights"))
    nodes += [
        helper.make_node("Concat", parts, ["/matrix"], axis=1),
        helper.make_node("MatMul", ["/matrix", "/weights"], ["/logarithm"]),
        helper.make_node("Exp", ["/logarithm"], [spec.output]),
    ]
    inputs = [
        helper.make_tensor_value_info(
            each.name, TensorProto.DataType.Value(type_names(each).onnx or ""), [None, 1]
        )
        for each in spec.features
    ]
    output = helper.make_tensor_value_info(spec.output, TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph(nodes, "small", inputs, [output], constants)
    versions = spec.training.onnx_versions
    opsets = [helper.make_opsetid("", versions.opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=versions.ir_version)
    data: bytes = model.SerializeToString()
    return data
