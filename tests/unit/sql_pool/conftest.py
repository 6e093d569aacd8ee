import shutil

import pytest

from bikecast.embedded.sql_pool import Pool, SqlError


@pytest.fixture
def lake(tmp_path):
    folder = tmp_path / "lake"
    folder.mkdir()
    return folder


@pytest.fixture
def pool(tmp_path, lake, prepared_pool):
    return Pool(shutil.copyfile(prepared_pool, tmp_path / "pool.duckdb"), lake)


@pytest.fixture
def session(pool):
    with pool.session() as session:
        yield session


@pytest.fixture(scope="module")
def shared_session(tmp_path_factory, prepared_pool):
    """One session for the tests of a module that leave nothing behind."""
    folder = tmp_path_factory.mktemp("pool")
    pool = Pool(shutil.copyfile(prepared_pool, folder / "pool.duckdb"), folder)
    with pool.session() as session:
        yield session


@pytest.fixture
def rows(session):
    """The rows of the last result set of a batch."""

    def run(batch, *parameters):
        return session.run(batch, parameters)[-1].rows

    return run


@pytest.fixture
def error_number(session):
    """The number of the error that a batch ends in."""

    def run(batch, *parameters):
        with pytest.raises(SqlError) as caught:
            session.run(batch, parameters)
        return caught.value.number

    return run


@pytest.fixture
def error_of():
    """The error that a batch of a session ends in."""

    def run(session, batch):
        with pytest.raises(SqlError) as caught:
            session.run(batch)
        return caught.value

    return run
