"""Two versions on the latest rows of a table of which a sample is looked at."""

import datetime as dt
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from assets.live_model import contenders
from assets.model_tags import TRAINED_THROUGH
from bikecast.core.onnx.contract import model_digest
from bikecast.core.onnx.scoring import score_table
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import simulate
from resources.lake.local import LocalLake
from resources.registry.port import ModelVersion
from tests.unit.sql_pool.onnx_models import weighted_sum

MODEL = weighted_sum(
    {"season": "bigint", "temp": "real", "hum": "real", "windspeed": "real"},
    812.25,
    output=SPEC.model_output,
)
HELD_BACK = 100


class OneModel:
    def download(self, name, version):
        return MODEL


@pytest.mark.parametrize("most", [1000, 365])
def test_the_held_back_rows_of_a_sample_are_those_of_the_table(tmp_path, monkeypatch, most):
    """The model is off by 1 on the rows that its training held back, and by 100 before."""
    table = simulate(2, seed=3)
    errors = np.where(np.arange(table.num_rows) < table.num_rows - HELD_BACK, 100, 1)
    place = table.schema.get_field_index(SPEC.target.name)
    target = score_table(MODEL, SPEC, table).astype(np.float64) + errors
    table = table.set_column(place, SPEC.target.name, pa.array(target, pa.float64()))
    lake = LocalLake(root=str(tmp_path))
    write_deltalake(lake.url(SPEC.training_table_path), table)
    last = str(table[SPEC.time_key][-1].as_py())
    version = ModelVersion(
        *(SPEC.model_name, 1, "job", model_digest(MODEL), dt.datetime.now(dt.UTC)),
        scores={"time_ordered_rows": HELD_BACK},
        tags={TRAINED_THROUGH: last},
    )
    monkeypatch.setattr(contenders, "sample_of", partial(contenders.sample_of, most=most))
    monkeypatch.setattr(contenders, "compare", lambda target, old, new, *rest: old)
    champion = contenders.compare_versions(version, version, OneModel(), lake, SPEC)
    assert champion.learnt_rmse < 50
