"""How often steps are tried again, and what only one run at a time may do."""

from __future__ import annotations

import dagster as dg

#: Concurrency pools; their limits are in dagster.yaml.
TRAINER = "trainer"
POOL_WRITER = "sql_pool_writer"
#: For steps that talk to another system. Errors meant for people are not tried again.
RETRY = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL)
