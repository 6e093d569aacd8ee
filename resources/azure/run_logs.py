"""What runs of Azure ML printed, from the workspace's artifact store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from resources.azure.credentials import TIMEOUTS
from resources.azure.job_logs import MOST_CHARACTERS, say_log_is_missing, show_log
from resources.azure.ml_client import blob_container

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.storage.blob import ContainerClient

DATASTORE = "workspaceartifactstore"
#: Where a run keeps what its code printed: a trial, and the driver of a Spark job. The second is
#: documented by https://learn.microsoft.com/azure/machine-learning/v1/how-to-use-synapsesparkstep
USER_LOGS, SPARK_LOGS = "user_logs", "logs/azureml"
#: Of the runs that failed, so many are shown.
MOST_FAILED = 2
#: So many logs of a run are looked at, and so many are shown.
MOST_LISTED, MOST_LOGS = 1000, 8


def show_run_logs(
    client: MLClient, job_id: str, runs: Iterable[str], link: str, *, folder: str = USER_LOGS
) -> None:
    """Log the end of what each run printed, where it printed something; raises nothing.

    `folder` is that of the logs among a run's artifacts.
    """
    from azure.core.exceptions import AzureError

    try:
        store: Any = client.datastores.get(DATASTORE, include_secrets=True)
        with blob_container(store) as container:
            for run in runs:
                printed = _printed(container, run, folder)
                if printed:
                    show_log(run, printed, {"All of it": link})
    except AzureError as error:
        say_log_is_missing(job_id, error)


def failed_runs(client: MLClient, job_id: str) -> Iterator[str]:
    """The runs whose logs may say why a job failed: failed trials, the set-up, the job itself.

    They are listed when the first is asked for, so that `show_run_logs` hears of a failure.
    """
    trials = [run for run in client.jobs.list(parent_job_name=job_id) if run is not None]
    failed = [str(run.name) for run in trials if str(run.status) == "Failed"]
    yield from dict.fromkeys([*failed[:MOST_FAILED], f"{job_id}_setup", job_id])


def _printed(container: ContainerClient, run: str, folder: str) -> str:
    """The ends of the newest logs of a run in equal shares, by name; the rest is not downloaded."""
    folder = f"ExperimentRun/dcid.{run}/{folder}/"
    listed = islice(container.list_blobs(name_starts_with=folder, **TIMEOUTS), MOST_LISTED)
    written = sorted((b for b in listed if b.size), key=attrgetter("last_modified"))[-MOST_LOGS:]
    parts = []
    for blob in sorted(written, key=attrgetter("name")):
        head = f"[{blob.name.removeprefix(folder)}]\n"
        share = max(1, MOST_CHARACTERS // len(written) - len(head) - 1)
        start = max(0, blob.size - share)
        content = container.download_blob(blob.name, offset=start, length=blob.size - start)
        text = content.readall().decode("utf-8", errors="replace")
        if start:
            # The rest of a cut line may be the rest of a secret, which nothing tells.
            text = text.partition("\n")[2] or "..."
        parts.append(head + text.rstrip())
    return "\n".join(parts)
