"""Microsoft's clients, as the product uses them, read what the real services answered.

The recordings are in ../shared; without them these tests are skipped, and tests/azure/test_shapes
holds the fake cloud against their shapes.
"""

import json
from collections import defaultdict

import pytest

from bikecast.core.jobs import JobState
from pipelines.smoke.calls import kind_of
from resources.automl.azure_job import best_child
from resources.azure.ml_client import workspace_client
from resources.spark.livy import Batches
from resources.workspace import arm_roles, spark_compute, synapse_link, synapse_roles
from resources.workspace.azure_place import AzurePlace
from resources.workspace.principals import Principal
from tests.azure.cloud.http import Response
from tests.azure.recorded_shapes import RECORDINGS, template
from tests.azure.workspace import PLACE as NAMES
from tests.azure.workspace import automl, lake, power, registry

pytestmark = pytest.mark.skipif(
    not RECORDINGS.exists(), reason=f"needs the recordings: {RECORDINGS} is not there"
)
PLACE = AzurePlace(
    subscription_id=NAMES["subscription_id"],
    resource_group="bikes",
    ml_workspace="bikeml",
    synapse_workspace="bikesynapse",
    spark_pool="sparkpool",
    sql_pool="sqlpool",
    account="bikelake",
)


class Service:
    """Answers each kind of call with its recorded answers in their order; the last one stays."""

    def __init__(self, login) -> None:
        self._login = login
        self._left = defaultdict(list)
        self.asked = []

    def knows(self, kind: str, *, sources=None, status=None, holding="") -> None:
        """Take the answers of a recording: of some sources, with one status, or with a text."""
        recording = json.loads((RECORDINGS / f"{kind}.json").read_text("utf-8"))
        for each in recording["exchanges"]:
            wanted = sources is None or each.get("source_n", 0) in sources
            wanted = wanted and holding in json.dumps(each["response"]["body"])
            if wanted and status in (None, each["response"]["status"]):
                request, answer = each["request"], each["response"]
                call = template({"method": request["method"], "url": request["url"]})
                self._left[request["method"], call].append(answer)

    def handle(self, request):
        """Answer one request."""
        if request.host.startswith("login."):
            return self._login(request)
        address = kind_of(
            request.method, request.host, request.path, request.query, request.headers
        ).address
        self.asked.append((request.method, address, request.query))
        left = self._left[request.method, address]
        if not left:
            return Response(501, f"not recorded: {request.method} {address}".encode())
        answer = left.pop(0) if len(left) > 1 else left[0]
        body = answer["body"]
        if isinstance(body, list) and isinstance(body[0], str):
            body = "".join(body)
        content = b"" if body is None else body.encode() if isinstance(body, str) else None
        headers = {n: v for n, v in answer["headers"].items() if n != "content-length"}
        return Response(
            answer["status"], content or json.dumps(body).encode() * (content is None), headers
        )


@pytest.fixture
def service(cloud, proxy):
    """The service behind the clients; logins are the fake cloud's."""
    recorded = Service(cloud.handle)
    proxy.handle = recorded.handle
    return recorded


@pytest.fixture
def batches(service):
    return Batches("bikesynapse", "sparkpool")


def test_batches_beyond_the_first_page_are_found_although_total_is_the_pages_size(service, batches):
    service.knows("livy-batch-list")
    service.knows("livy-batch-pages")
    [batch] = batches.find("dontnetbatch8853")

    assert batch.id == 4616
    # The second page shares the first one's last batch. Recorded pages share none, so that the
    # product takes the list for one that became shorter, and looks further ahead.
    assert [query["from"] for _, _, query in service.asked][:2] == ["0", "19"]


def test_the_ends_of_batches_are_understood(service, batches):
    service.knows("livy-batch-list")
    page = batches._page(0)
    states = {batch.id: batches.status(batch) for batch in page}

    assert states[0].state is JobState.COMPLETED
    assert states[3].state is JobState.FAILED
    assert states[3].error.endswith("Job failed during run time with state=[dead].")
    assert states[5].state is JobState.CANCELED
    assert states[24].state is JobState.CANCELED


def test_a_batch_is_asked_by_its_id_before_and_after_its_cancellation(service, batches):
    service.knows("livy-batch-lifecycle", sources=[0])
    [batch] = batches.get(423, "WordCount_Java")
    assert batches.status(batch).state is JobState.QUEUED
    batches.cancel(batch)

    [batch] = batches.get(423, "WordCount_Java")
    assert batches.status(batch).state is JobState.CANCELED


def test_synapses_role_assignments_are_read(service):
    service.knows("synapse-role-assignments", status=200)
    principal = Principal("829ae9c5-95e5-4e5b-9f8b-eca27e2cb501")
    scope = "workspaces/clitest000003/bigDataPools/test"
    held = synapse_roles.holding(
        PLACE.synapse_endpoint, "Synapse Compute Operator", principal, scope
    )

    assert held is not None
    assert (held.role, held.scope) == ("Synapse Contributor", "workspaces/clitest000003")


def test_azures_role_assignments_are_read(service):
    service.knows("arm-role-assignments", status=200)
    principal = Principal("00000000-0000-0000-0000-000000000009")

    assert arm_roles.holding(PLACE.subscription_id, "Reader", principal, PLACE.synapse_id) is None


def test_a_link_of_another_kind_is_read_and_deleted(service):
    service.knows("synapse-linked-services", status=200)
    service.knows("synapse-linked-services", status=202)

    assert synapse_link.find(PLACE) is None
    assert synapse_link.unlink(PLACE)


def test_a_missing_link_is_none_although_its_error_has_no_envelope(service):
    service.knows("synapse-linked-services", status=404)

    assert synapse_link.find(PLACE) is None
    assert not synapse_link.unlink(PLACE)


def test_the_states_of_a_sql_pool_are_read(service):
    service.knows("sql-pool", sources=[0], status=200)
    states = [power().status().progress["status"] for _ in range(4)]

    assert states == ["Online", "Online", "Paused", "Online"]


def test_clusters_are_no_spark_pools(service):
    service.knows("aml-compute", sources=[1, 2, 3], status=200)
    service.knows("aml-workspace", status=200)

    assert spark_compute.attached(PLACE) == []


FINISHED = ["automl-regression-job", "automl-classification-job"]


@pytest.mark.parametrize("kind", FINISHED)
def test_a_finished_training_is_read(service, tmp_path, kind):
    service.knows(kind, holding='"Completed"')

    status = automl(tmp_path).status("job")
    assert status.state is JobState.COMPLETED
    assert status.link.startswith("https://ml.azure.com/runs/")


@pytest.mark.parametrize("kind", FINISHED)
def test_a_tag_of_the_job_names_its_best_trial(service, kind):
    service.knows(kind, holding='"Completed"')
    client = workspace_client(**NAMES)
    job = client.jobs.get("job")

    best, found_by = best_child(job, [])
    assert (found_by, str(best).rpartition("_")[2]) == ("tag", "0")


def test_the_versions_of_a_model_are_read(service):
    service.knows("aml-models", sources=[0], status=200)

    assert registry().versions("rental-prediction-model") == []


def test_a_model_without_versions_has_none(service):
    service.knows("aml-models", sources=[2], status=404)

    assert registry().versions("rental-prediction-model") == []


def test_a_file_that_is_not_there_is_none(service):
    service.knows("storage-dfs", sources=[4], status=404)
    service.knows("storage-blob", sources=[0], status=404)

    assert lake().stat("data/days.csv") is None
