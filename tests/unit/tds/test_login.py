"""Who may log in, and how."""

import struct
import subprocess
import sys

import pytest

from bikecast.embedded.sql_pool import Pool
from bikecast.embedded.sql_pool.tds import session as sessions
from resources.sql_pool.synapse import SynapseSqlPool
from tests.tds_server import PASSWORD, TOKEN, connection_string, sql_server, synapse_pool
from tests.unit.tds.sessions import answer, batch, log_in, login, prelogin, raw, text

pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)


def token_attribute(token):
    data = token.encode("utf-16-le")
    return {1256: struct.pack("<I", len(data)) + data}


def test_the_right_password_opens_an_encrypted_connection(connect):
    assert connect().execute("SELECT 1 AS a").fetchval() == 1


@pytest.mark.parametrize(
    "changes",
    [{"PWD": "wrong"}, {"UID": "other"}, {"UID": "", "PWD": ""}, {"PWD": PASSWORD.upper()}],
    ids=["password", "user", "nothing", "upper case"],
)
def test_wrong_credentials_are_refused_with_their_sqlstate(connect, changes):
    with pytest.raises(pyodbc.Error, match="18456") as caught:
        connect(**changes)
    assert caught.value.args[0] == "28000"
    assert PASSWORD not in str(caught.value)


def test_the_database_of_a_login_is_the_pool_or_left_out(connect):
    assert connect(Database="Pool").execute("SELECT DB_NAME()").fetchval() == "pool"
    with pytest.raises(pyodbc.Error, match=r'4060.*"other"|"other".*4060'):
        connect(Database="other")


def test_an_access_token_is_accepted_if_it_is_the_servers(connect):
    nobody = {"UID": "", "PWD": ""}
    found = connect(token_attribute(TOKEN), **nobody).execute("SELECT 1 AS a").fetchval()
    assert found == 1
    with pytest.raises(pyodbc.Error, match="18456"):
        connect(token_attribute(TOKEN + "x"), **nobody)


def test_a_client_that_asks_for_no_encryption_is_encrypted_all_the_same(connect):
    assert connect(Encrypt="no").execute("SELECT 1 AS a").fetchval() == 1


def test_tds_8_starts_with_tls(connect):
    certificate = {"Encrypt": "strict", "TrustServerCertificate": ""}
    with pytest.raises(pyodbc.Error, match=r"certificate|SSL"):  # self-signed, so not trusted
        connect(**certificate)


def test_without_tls_a_client_that_wants_it_is_turned_away(tmp_path):
    with sql_server(tmp_path, tls=False) as server:
        plain = pyodbc.connect(connection_string(server, tls=False), timeout=15)
        assert plain.execute("SELECT 1 AS a").fetchval() == 1
        plain.close()
        with pytest.raises(pyodbc.Error, match="ncryption"):
            pyodbc.connect(connection_string(server, tls=True), timeout=15)


def test_the_azure_adapter_logs_in_by_an_entra_token(server, monkeypatch):
    class Credential:
        def get_token(self, scope):
            assert scope == "https://database.windows.net/.default"
            return type("Token", (), {"token": TOKEN})()

    monkeypatch.setattr("resources.sql_pool.synapse.azure_credential", Credential)
    pool = synapse_pool(server, authentication="entra", user="", password="")
    with pool.session() as session:
        assert session.run("SELECT 1 AS a")[0].rows == [(1,)]


def test_the_azure_adapter_trusts_no_self_signed_certificate_by_default(server):
    from bikecast.core.sql import SqlError

    assert SynapseSqlPool(server="s", database="d").trust_server_certificate is False
    with (
        pytest.raises(SqlError, match="certificate"),
        synapse_pool(server, trust_server_certificate=False).session(),
    ):
        pass


OPEN_WHEN_FREE = """
import duckdb, sys, time
for attempt in range(100):
    try:
        duckdb.connect(sys.argv[1]).close()
        sys.exit(0)
    except duckdb.IOException:
        time.sleep(0.1)
sys.exit(1)
"""


def test_the_pools_file_is_free_while_clients_are_idle(tmp_path, monkeypatch):
    monkeypatch.setattr(sessions, "LINGER_SECONDS", 0.05)
    with sql_server(tmp_path) as server:
        client = pyodbc.connect(connection_string(server), autocommit=True, timeout=15)
        client.execute("SELECT 1 AS a").fetchall()
        other = [sys.executable, "-c", OPEN_WHEN_FREE, str(tmp_path / "pool.duckdb")]

        opened = subprocess.run(other, check=False).returncode == 0

        assert opened
        assert client.execute("SELECT 2 AS a").fetchval() == 2
        client.close()


def test_a_pool_is_reached_by_its_own_name(tmp_path):
    pool = Pool(tmp_path / "pool.duckdb", tmp_path, database="Sales")
    with sql_server(tmp_path, tls=False, pool=pool) as server, raw(server.port) as client:
        client.sendall(prelogin())
        answer(client)
        client.sendall(login(database="pool"))
        assert text("The database here is Sales.") in answer(client)
    with sql_server(tmp_path, tls=False, pool=pool) as server, raw(server.port) as client:
        log_in(client, database="sales")
        client.sendall(batch("SELECT DB_NAME() AS a"))
        assert text("Sales") in answer(client)
