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
        r"(PUT|GET) management\.azure\.com\{ws\}/jobs/\{name\} 20[01]",
        r"lacks properties\.(inputs|jobs|settings|sourceJobId)|"
        r"also has properties\.(environmentId|environmentVariables|notificationSetting|resources|"
        r"taskDetails|queueSettings)",
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
        "sql-pool",
        r"GET .*\{workspace\}/operationResults/\{name\} 20[0124]",
        r".*",
        "the end of making or deleting a pool, which the fake does not; a firewall rule ends here",
    ),
    Reason(
        "aml-workspace",
        r"GET .*/workspaceOperationsStatus/\{name\} 20[02]",
        r".*",
        "the recorded operation also is a diagnosis; the product deletes, and asks for the status",
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

#: Recorded calls that the fake does not answer, by the recording: their pattern, and why.
UNSERVED = {
    "aml-datastores": (
        r"(PUT|DELETE) .*/datastores/\{name\}",
        "the product reads datastores and makes none",
    ),
    "aml-models": (
        r"GET .*\{ws\}/models",
        "models are not listed, only the versions of one",
    ),
    "aml-run-history": (
        r"(POST .*/dataversion/batchGetResolvedUris|PUT .*/components/.*)",
        "components of pipeline jobs, and addresses of data that our trials lack",
    ),
    "aml-spark-job": (
        r"PUT .*\{ws\}/components/\{name\}/versions/\{name\}",
        "components of pipeline jobs",
    ),
    "aml-workspace": (
        r"(PATCH .*\{ws\}|GET .*/workspaces|POST .*/(diagnose|resyncKeys))",
        "workspaces are made by a deployment, and not changed, listed or diagnosed",
    ),
    "arm-deployments": (
        r"(GET .*/deployments/|GET .*/operations/\{name\}|(HEAD|DELETE) .*/deployments/\{name\}"
        r"|POST .*/(cancel|exportTemplate))",
        "deployments are neither listed, cancelled, exported nor deleted",
    ),
    "arm-provider-register": (
        r"POST .*/unregister",
        "a provider stays registered",
    ),
    "arm-resource-group": (
        r"(HEAD .*/resourcegroups/\{name\}|POST .*/exportTemplate)",
        "a group is read, and its template not exported",
    ),
    "arm-role-assignments": (
        r"((GET|DELETE) .*/roleAssignments/\{name\}|GET .*/roleDefinitions)",
        "roles are never taken away, and their ids are known",
    ),
    "livy-sessions-statements": (
        r"(PUT .*/sessions/\{name\}/redacted\d+|GET .*/statements)",
        "a session's time is not reset, and statements are asked for one by one",
    ),
    "sql-pool": (
        r"((PUT|PATCH|DELETE) .*/sqlPools/\{name\}|GET .*/(sqlPools|operation(Results"
        r"|Statuses)/\{name\}))",
        "pools are not made or deleted yet, and the end of a switch is asked of the pool",
    ),
    "storage-blob": (
        r"PUT .*/\{container\}\?restype=container",
        "containers are not made",
    ),
    "storage-dfs": (
        r"PUT .*/\{container\}\?restype=container",
        "file systems are not made",
    ),
    "synapse-linked-services": (
        r"GET .*/linkedservices",
        "links are not listed, only the one of the lab is read",
    ),
    "synapse-notebooks": (
        r"GET .*/(notebooks|bigDataPools/\{name\})",
        "notebooks are not listed, and the pool's name is a setting",
    ),
    "synapse-role-assignments": (
        r"(GET|DELETE) .*/roleAssignments/\{name\}",
        "roles are listed and given, not read one by one or taken away",
    ),
    "synapse-role-definitions": (
        r"GET .*/(rbacScopes|roleDefinitions(/\{tenant\})?)",
        "the ids of roles are known; test_roles holds them against this",
    ),
    "synapse-workspace-arm": (
        r"(PUT .*\{workspace\}|(PUT|DELETE) .*/bigDataPools/\{name\}"
        r"|GET .*/(bigDataPools|bigDataPools/.*/operation.*))",
        "workspaces and pools are made by a deployment",
    ),
}
