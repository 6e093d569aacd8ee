"""Where the fake cloud's answers are not the recorded ones, each with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why differences stay: patterns of the recording, of the call and of what differs."""

    kind: str
    call: str
    what: str
    reason: str

    def covers(self, kind: str, call: str, what: str) -> bool:
        """Whether a difference is one of these."""
        pairs = ((self.kind, kind), (self.call, call), (self.what, what))
        return all(re.fullmatch(pattern, text) is not None for pattern, text in pairs)


DIFFERENCES = [
    Reason(
        "aml-compute",
        r"GET .*/computes 200",
        r"also has value\[\]\.identity",
        "the recorded computes are clusters without an identity; a Spark pool is attached with one",
    ),
    Reason(
        "aml-job-cancel|aml-run-history|aml-spark-job",
        r".*\{ws\}/jobs/\{name\} 20[01]",
        r"(lacks|also has) .*",
        "recorded of pipeline jobs; AutoML jobs are held against their own recording",
    ),
    Reason(
        "aml-run-history",
        r"GET management\.azure\.com\{ws\} 200",
        r"also has properties\..*",
        "an older api-version; the fake has the fields of aml-workspace, which is newer",
    ),
    Reason(
        "aml-run-history",
        r"GET \{account\}\.blob.*comp=list.* 200",
        r"lacks .*\.Metadata|also has .*\.ResourceType",
        "recorded of an account without folders, by a client that asked for metadata",
    ),
    Reason(
        "aml-spark-job",
        r"(PUT|GET) .*/jobs/\{name\} 404",
        r"status 20[01]",
        "a Spark job is refused for an identity of its own, which no job of ours has",
    ),
    Reason(
        "automl-classification-job",
        r".*/jobs/\{name\} 20[01]",
        r"lacks properties\.taskDetails\.positiveLabel",
        "only of classification; the product trains regressions",
    ),
    Reason(
        "automl-regression-job",
        r"PUT \{account\}\.blob.* 200",
        r"status 201",
        "the recording has blanked the query comp=metadata of this request",
    ),
    Reason(
        "livy-batch-pages",
        r"GET .*/batches.* 200",
        r"lacks .*\.?schedulerInfo\.queuedAt|also has .*(submitterName|tags)",
        "the recordings of Livy differ in this; the fake is as in livy-batch-lifecycle",
    ),
    Reason(
        "sql-pool",
        r"POST .*/sqlPools/\{name\}/(pause|resume) 202",
        r"location is .*|also has the header azure-asyncoperation",
        "a second recording of 2019-06-01-preview; the product's api-version is 2021-03-01",
    ),
    Reason(
        "sql-pool",
        r"GET .*/sqlPools/\{name\} 404",
        r"also has the header content-type",
        "the answer of 2019-06-01-preview has no body; that of 2021-06-01 has one",
    ),
    Reason(
        "synapse-linked-services",
        r"GET .*/linkedservices/\{name\} 200",
        r"also has properties\.description",
        "the recorded link was made without a description",
    ),
    Reason(
        "storage-blob",
        r"HEAD .* 404",
        r"x-ms-error-code is BlobNotFound",
        "containers of the fake are there without being made, so that none is missing",
    ),
    Reason(
        "storage-blob",
        r"HEAD .* 400",
        r"status 200",
        "a snapshot that is not there; the product makes none",
    ),
]

#: Recorded calls that the fake does not answer, by the recording, and why.
UNSERVED = {
    "aml-datastores": "the product reads datastores and makes none",
    "aml-models": "models are not listed, only the versions of one",
    "aml-run-history": "components of pipeline jobs, and addresses of data that our trials lack",
    "aml-spark-job": "components and code of pipeline jobs",
    "aml-workspace": "workspaces are not made, changed or deleted here yet",
    "arm-deployment-errors": "nothing is deployed yet",
    "arm-deployments": "nothing is deployed yet",
    "arm-provider-register": "no provider is registered yet",
    "arm-resource-group": "no resource group is made yet",
    "arm-role-assignments": "roles are never taken away, and their ids are known",
    "livy-sessions-statements": "there are no sessions yet",
    "sql-pool": "pools are not made or deleted yet, and the end of a switch is asked of the pool",
    "storage-blob": "containers are not made",
    "storage-dfs": "file systems are not made",
    "synapse-linked-services": "links are not listed, only the one of the lab is read",
    "synapse-notebooks": "there are no notebooks yet",
    "synapse-role-assignments": "roles are listed and given, not read one by one or taken away",
    "synapse-role-definitions": "the ids of roles are known; test_roles holds them against this",
    "synapse-workspace-arm": "workspaces, pools and firewall rules are not made yet",
}
