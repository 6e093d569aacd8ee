"""A model in the pool that nobody registered: what the check on the predictions is there for."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.environments import sql_pool_for
from pipelines.home import Home
from tests.unit.sql_pool.onnx_models import weighted_sum

_TABLE = f"{SPEC.schema}.{SPEC.model_table}"


@contextmanager
def other_model(home: Home) -> Iterator[None]:
    """Put other bytes into the live row of the model table for a while."""
    pool = sql_pool_for(home)
    live = f"FROM {_TABLE} WHERE [is_live] = 1"
    with pool.session() as session:
        [(version, model)] = session.run(f"SELECT [version], [model] {live}")[0].rows

    def store(content: bytes) -> None:
        with pool.session() as session:
            session.run(f"UPDATE {_TABLE} SET [model] = ? WHERE [version] = ?", [content, version])

    store(weighted_sum({"temp": "real"}, 1000.0, output=SPEC.output))
    try:
        yield
    finally:
        store(model)
