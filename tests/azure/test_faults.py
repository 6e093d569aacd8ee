"""What single calls make of Azure's faults: they succeed after a retry, or say what mends it."""

import base64
import json
from contextlib import suppress

import pytest

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobState
from bikecast.core.sql import SqlError
from pipelines.bike_rentals import BIKE_RENTALS
from resources.azure.credentials import TIMEOUTS
from resources.lake.adls import Conflict
from resources.spark.synapse import SynapseSpark
from tests.azure.cloud import faults
from tests.azure.cloud.machine_learning import QUEUED_SECONDS
from tests.azure.cloud.sql_endpoint import PAUSED, WARMING_UP
from tests.azure.workspace import automl, lake, power, spark, training_request, write_training_table

BUSY = SqlError(40613, "Database 'sqlpool' on server 'bikesynapse' is not currently available.")
TEMPORARY = {
    "429": faults.TOO_MANY,
    "500": faults.INTERNAL,
    "503": faults.UNAVAILABLE,
    "dropped": faults.DROPPED,
}
#: A call of each service, and the request that it makes.
CALLS = {
    "Azure ML": (lambda folder: automl(folder).status("job-1"), "/jobs/job-1"),
    "Livy": (lambda folder: recorded_batch().status("batch-1"), "/batches"),
    "SQL pool": (lambda folder: power().status(), "/sqlPools/"),
}
ROLES = {
    "Azure ML": "AzureML Data Scientist",
    "SQL pool": "Contributor",
    "lake": "Storage Blob Data Contributor",
}


def recorded_batch() -> SynapseSpark:
    """The pool, with the record of a batch that it does not have any more."""
    record = json.dumps({"at": 1.0, "livy_id": 7}).encode()
    with suppress(Conflict):
        lake().put_if("jobs/spark/batch-1/submission.json", record, None)
    return spark()


@pytest.fixture(params=CALLS)
def call(request, cloud, tmp_path):
    """A service's name, the call, and what its path contains."""
    work, where = CALLS[request.param]
    return request.param, lambda: work(tmp_path), where


@pytest.mark.parametrize("fault", TEMPORARY)
def test_a_passing_fault_is_tried_again(call, cloud, fault):
    _, work, where = call
    cloud.faults.add("GET", where, TEMPORARY[fault])

    assert work().state is JobState.NOT_FOUND


def test_a_slow_answer_is_not_waited_for(call, cloud, monkeypatch):
    _, work, where = call
    work()
    monkeypatch.setitem(TIMEOUTS, "read_timeout", 0.3)
    cloud.faults.add("GET", where, seconds=1.0)

    assert work().state is JobState.NOT_FOUND


def test_the_lake_is_tried_again(cloud, tmp_path):
    cloud.faults.add("HEAD", "/data/days.csv", faults.UNAVAILABLE)

    assert lake().stat("data/days.csv") is None


@pytest.fixture
def refused(cloud, tmp_path):
    """The texts of refused calls, by service."""

    def texts(answer) -> dict[str, str]:
        write_training_table(tmp_path)
        cloud.faults.add("GET", "/sqlPools/", answer, times=2)
        cloud.faults.add("PUT", "/jobs/", answer, times=2)
        cloud.faults.add("PATCH", "/data/days.csv", answer)
        works = {
            "SQL pool": power().status,
            "Azure ML": lambda: automl(tmp_path).submit(training_request("job-1")),
            "lake": lambda: lake().put("data/days.csv", tmp_path / "days.csv"),
        }
        cloud.faults.add("PATCH", ".days.csv", answer)
        found = {}
        for name, work in works.items():
            with pytest.raises(BikecastError) as caught:
                work()
            found[name] = str(caught.value)
        return found

    return texts


def test_a_missing_role_is_named_with_the_command_that_gives_it(refused):
    texts = refused(faults.FORBIDDEN)

    for name, role in ROLES.items():
        assert f'--role "{role}"' in texts[name]
        assert "az role assignment create --assignee 33333333" in texts[name]


def test_a_storage_firewall_is_named_beside_the_role(cloud, tmp_path):
    (tmp_path / "days.csv").write_text("a\n")
    answer = faults.arm_error(
        403,
        "AuthorizationFailure",
        "This request is not authorized.",
        x_ms_error_code="AuthorizationFailure",
    )
    cloud.faults.add("HEAD", "/data/days.csv", answer, times=9)
    cloud.faults.add("PUT", "days.csv", answer, times=9)

    with pytest.raises(BikecastError) as caught:
        lake().put("data/days.csv", tmp_path / "days.csv")
    assert '--role "Storage Blob Data Contributor"' in str(caught.value)
    assert "network-rule add --account-name bikelake" in str(caught.value)


def test_an_expired_login_says_how_to_log_in_again(refused):
    for text in refused(faults.EXPIRED).values():
        assert "`az login`" in text
        assert "AZURE_TOKEN_CREDENTIALS" in text


def tokens(cloud) -> int:
    return len(cloud.calls("POST", "/oauth2/v2.0/token"))


def test_a_token_that_is_refused_is_renewed_once(call, cloud):
    _, work, where = call
    work()
    before = tokens(cloud)
    cloud.faults.add("GET", where, faults.EXPIRED)

    assert work().state is JobState.NOT_FOUND
    assert tokens(cloud) == before + 1
    cloud.faults.add("GET", where, faults.EXPIRED, times=2)
    with pytest.raises(BikecastError, match="az login"):
        work()
    cloud.faults.clear()
    assert work().state is JobState.NOT_FOUND


def test_a_token_that_the_lake_refuses_is_renewed_once(cloud, tmp_path):
    lake().stat("data/days.csv")
    before = tokens(cloud)
    challenge = (
        f"Bearer authorization_uri=https://login.microsoftonline.com/{cloud.login.tenant}"
        "/oauth2/authorize resource_id=https://storage.azure.com"
    )
    refusal = faults.arm_error(401, "InvalidAuthenticationInfo", "", WWW_Authenticate=challenge)
    cloud.faults.add("HEAD", "/data/days.csv", refusal)

    assert lake().stat("data/days.csv") is None
    assert tokens(cloud) == before + 1


def test_claims_that_a_service_asks_for_are_in_the_new_token_s_request(call, cloud):
    _, work, where = call
    work()
    wanted = base64.urlsafe_b64encode(b'{"access_token": {"nbf": {"value": "1"}}}').decode()
    challenge = f'Bearer error="insufficient_claims", claims="{wanted}"'
    refusal = faults.arm_error(401, "TokenRevoked", "Revoked.", WWW_Authenticate=challenge)
    cloud.faults.add("GET", where, refusal)

    assert work().state is JobState.NOT_FOUND
    assert b"nbf" in cloud.calls("POST", "/oauth2/v2.0/token")[-1].body


def test_a_submission_whose_answer_was_lost_is_one_job(cloud, tmp_path):
    write_training_table(tmp_path)
    cloud.faults.add("PUT", "/jobs/job-1", faults.DROPPED, late=True)

    assert automl(tmp_path).submit(training_request("job-1")).state is JobState.QUEUED
    assert list(cloud.machine_learning.jobs) == ["job-1"]
    assert [call.status for call in cloud.calls("PUT", "/jobs/job-1")] == [201, 409]


def test_a_job_that_another_process_submitted_meanwhile_is_joined(cloud, tmp_path):
    write_training_table(tmp_path)
    automl(tmp_path).submit(training_request("job-1"))
    cloud.clock.advance(QUEUED_SECONDS)
    missing = faults.arm_error(404, "UserError", "RunId job-1 was not found")
    cloud.faults.add("GET", "/jobs/job-1", missing)

    assert automl(tmp_path).submit(training_request("job-1")).state is JobState.RUNNING
    assert len(cloud.machine_learning.jobs) == 1


def test_a_training_beyond_its_limit_is_canceled_and_reported(cloud, tmp_path):
    write_training_table(tmp_path)
    trainer = automl(tmp_path)
    trainer.submit(training_request("job-1"))
    cloud.machine_learning.jobs["job-1"].status = "NotResponding"
    impatient = trainer.model_copy(update={"queue_seconds": -901.0})

    status = impatient.status("job-1")

    assert status.state is JobState.CANCELED
    assert "was canceled" in status.error
    assert len(cloud.calls("POST", "/jobs/job-1/cancel")) == 1


@pytest.mark.parametrize("error", [PAUSED, WARMING_UP, BUSY], ids=lambda error: str(error.number))
def test_a_login_to_a_pool_that_is_not_ready_is_tried_again(location, user, error):
    user.sql_pools.status = "Online"
    user.sql_logins.answers = [error, error]
    pool = location.resources.sql_pool.model_copy(update={"pause_seconds": 0.0})

    with pool.session() as session:
        assert session.run("SELECT 1 AS a")[0].rows == [(1,)]


@pytest.mark.parametrize("answer", [1.5, ConnectionError()], ids=["silent", "dropped"])
def test_a_login_without_an_answer_is_tried_again(location, user, answer):
    user.sql_pools.status = "Online"
    user.sql_logins.answers = [answer]
    changes = {"pause_seconds": 0.0, "login_seconds": 1}
    pool = location.resources.sql_pool.model_copy(update=changes)

    with pool.session() as session:
        assert session.run("SELECT 1 AS a")[0].rows == [(1,)]


@pytest.mark.parametrize(("answer", "number"), [(1.5, -2), (ConnectionError(), 53)])
def test_a_server_that_never_answers_is_an_error_after_all_attempts(location, user, answer, number):
    user.sql_pools.status = "Online"
    user.sql_logins.answers = [answer, answer]
    changes = {"pause_seconds": 0.0, "login_seconds": 1, "attempts": 2}
    pool = location.resources.sql_pool.model_copy(update=changes)

    with pytest.raises(SqlError) as caught, pool.session():
        pass
    assert caught.value.number == number


def test_the_victim_of_a_deadlock_runs_again(location, user):
    user.sql_pools.status = "Online"
    pool = location.resources.sql_pool.model_copy(update={"pause_seconds": 0.0})
    with pool.session() as session:
        session.run("CREATE TABLE dbo.deadlocks (a int)")
        user.sql_pool.befall(2)
        session.run("INSERT INTO dbo.deadlocks VALUES (1)")

        assert session.run("SELECT a FROM dbo.deadlocks")[0].rows == [(1,)]
        session.run("DROP TABLE dbo.deadlocks")


@pytest.mark.parametrize("batch", ["INSERT INTO t VALUES (1); SELECT 1 AS a", "SELECT 1 AS a"])
def test_a_deadlock_is_told_where_earlier_work_would_be_lost(location, user, batch):
    user.sql_pools.status = "Online"
    pool = location.resources.sql_pool.model_copy(update={"pause_seconds": 0.0})
    with pool.session() as session:
        if batch.startswith("SELECT"):
            session.run("BEGIN TRANSACTION")
        user.sql_pool.befall(1)
        with pytest.raises(SqlError) as caught:
            session.run(batch)

    assert caught.value.number == 1205


@pytest.mark.parametrize("number", [18456, 40615, 42108])
def test_a_login_that_stays_refused_says_what_mends_it(location, user, number):
    user.sql_pools.status = "Paused" if number == 42108 else "Online"
    texts = {
        18456: "Login failed for user '<token-identified>'.",
        40615: "Cannot open server 'w' requested by the login. Client with IP address '192.0.2.1' "
        "is not allowed to access the server.",
    }
    if number in texts:
        user.sql_logins.answers = [SqlError(number, texts[number])]
    pool = location.resources.sql_pool.model_copy(update={"pause_seconds": 0.0})

    with pytest.raises(SqlError) as caught, pool.session():
        pass
    assert caught.value.number == number
    remedies = {
        18456: "FROM EXTERNAL PROVIDER",
        40615: "az synapse workspace firewall-rule create",
        42108: "az synapse sql pool resume",
    }
    assert remedies[number] in caught.value.message


def test_the_specs_table_is_named_when_livy_refuses(cloud, tmp_path):
    from resources.spark.port import Preparation
    from tests.azure.test_spark import store

    store(tmp_path, years=1)
    cloud.faults.add("POST", "/batches", faults.FORBIDDEN)
    asked = Preparation(BIKE_RENTALS, BIKE_RENTALS.source_file, BIKE_RENTALS.training_table_path)

    with pytest.raises(BikecastError, match="bike_data is unchanged") as caught:
        spark().prepare(asked)
    assert "az synapse role assignment create --workspace-name bikesynapse" in str(caught.value)
    assert cloud.livy.batches == []
