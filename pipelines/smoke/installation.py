"""The installation of the smoke run, with its recorder: a home, event log and names of its own."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipelines.environments import resources_for, scoring_for
from pipelines.home import Home
from pipelines.installation import Installation, open_event_log
from pipelines.settings import AzureSettings, Settings
from pipelines.smoke.calls import call_table
from pipelines.smoke.recording import Recorder
from pipelines.smoke.redaction import Redactor
from pipelines.smoke.spec import SMOKE, SMOKE_MODEL
from pipelines.smoke.sql import HeardSqlPool

#: What stands in a recording for the names of the settings.
PLACEHOLDERS = {
    "subscription_id": "00000000-0000-0000-0000-000000000000",
    "resource_group": "group",
    "ml_workspace": "mlworkspace",
    "ml_compute": "cluster",
    "synapse_workspace": "synapseworkspace",
    "spark_pool": "sparkpool",
    "sql_pool": "sqlpool",
    "sql_user": "sqluser",
    "synapse_link": "synapse",
    "spark_compute": "synapsespark",
    "account": "lakeaccount",
    "container": "files",
}
_OWN = (
    "smoke",
    SMOKE.model_name,
    SMOKE.source_asset,
    SMOKE.training_table,
    SMOKE.run_asset,
    SMOKE.model_table,
    SMOKE.scoring_table,
    SMOKE.procedure,
    SMOKE.predictions_table,
)


def recorder_for(azure: AzureSettings, folder: Path) -> Recorder:
    """A recorder into a new folder of `folder`, named by the time."""
    names = {str(getattr(azure, field)): held for field, held in PLACEHOLDERS.items()}
    for number, variable in enumerate(("AZURE_TENANT_ID", "AZURE_CLIENT_ID"), start=1):
        names[os.environ.get(variable, "")] = f"00000000-0000-0000-0000-{number:012}"
    stamp = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
    kinds = frozenset(row.kind for row in call_table())
    return Recorder(folder / f"smoke-{stamp}", Redactor(names, _OWN), kinds)


@contextmanager
def open_smoke(settings: Settings, home: Home, recorder: Recorder) -> Iterator[Installation]:
    """The installation whose T-SQL is recorded; `home` is open already."""
    silent = resources_for(settings, [SMOKE_MODEL])
    pool = HeardSqlPool(silent.sql_pool, recorder.hear_sql)
    scoring = scoring_for(settings, [SMOKE_MODEL], silent.lake, silent.registry, silent.spark, pool)
    resources = replace(silent, sql_pool=pool, scoring=scoring)
    with open_event_log(home) as instance:
        yield Installation(home, settings, instance, resources, (SMOKE_MODEL,))
