"""What costs by the hour: the SQL pool, Spark, compute instances; and Synapse's firewall."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from resources.provisioning import clients
from resources.provisioning.clients import synapse_client
from resources.provisioning.names import Names
from resources.provisioning.refusals import arm_errors

RULE = "bikecast"
#: The state of what a deployment that broke off did not make.
ABSENT = "absent"
_FREE = ("Paused", ABSENT)


@dataclass(frozen=True)
class Meter:
    """One thing that costs by the hour: what it is, its state, and whether it costs now."""

    name: str
    state: str
    costs: bool
    note: str = ""


def sql_pool_state(names: Names) -> str:
    """The state of the dedicated SQL pool, such as Online or Paused; "absent" without one."""
    from azure.core.exceptions import ResourceNotFoundError

    with arm_errors("cannot ask for the SQL pool", "Nothing was changed."):
        try:
            pool = synapse_client(names.subscription_id).sql_pools.get(
                names.group, names.synapse, names.sql_pool
            )
        except ResourceNotFoundError:
            return ABSENT
    return str(pool.status)


def pause_sql_pool(names: Names) -> str:
    """Pause the pool, wait until it is paused, and return its state."""
    state = sql_pool_state(names)
    if state in ("Paused", "Pausing", ABSENT):
        return state
    with arm_errors("cannot pause the SQL pool", "It is online and costs."):
        synapse_client(names.subscription_id).sql_pools.begin_pause(
            names.group, names.synapse, names.sql_pool, polling_interval=clients.POLL_SECONDS
        ).result()
    return sql_pool_state(names)


def let_address_in(names: Names, address: str) -> None:
    """Let one IPv4 address through the firewall of the workspace."""
    from azure.mgmt.synapse.models import IpFirewallRuleInfo

    rule = IpFirewallRuleInfo(start_ip_address=address, end_ip_address=address)
    with arm_errors("cannot change the firewall", "It is as it was."):
        synapse_client(names.subscription_id).ip_firewall_rules.begin_create_or_update(
            names.group, names.synapse, RULE, rule, polling_interval=clients.POLL_SECONDS
        ).result()


def meters(names: Names) -> list[Meter]:
    """What costs by the hour, with its state; what belongs to others in the group is not asked."""
    state = sql_pool_state(names)
    return [
        Meter(f"SQL pool {names.sql_pool}", state, state not in _FREE, "by started hours"),
        *_spark(names),
        *_computes(names),
    ]


def stop_instances(names: Names) -> list[str]:
    """Stop the compute instances that run; their names."""
    from resources.azure.ml_client import workspace_client

    client = workspace_client(names.subscription_id, names.group, names.machine_learning)
    stopped = []
    for meter in _computes(names):
        if meter.costs and meter.note == _INSTANCE:
            with arm_errors(f"cannot stop {meter.name}", "It runs and costs."):
                client.compute.begin_stop(meter.name).result()
            stopped.append(meter.name)
    return stopped


_INSTANCE = "compute instance"
_IDLE = "idle"


def end_idle_sessions(names: Names) -> list[str]:
    """End the Spark sessions that wait for a statement; their names. Busy ones go on."""
    from resources.spark.livy_sessions import end_session, live_sessions

    if not list(_spark_pool(names)):
        return []
    ended = []
    with arm_errors("cannot end the Spark sessions", "They cost while they are open."):
        for each in live_sessions(names.synapse, names.spark_pool):
            if each.state == _IDLE:
                end_session(names.synapse, names.spark_pool, each.id)
                ended.append(f"{each.id} ({each.name})")
    return ended


def _spark(names: Names) -> Iterator[Meter]:
    """The Spark pool, which costs while sessions are open and batches run, and these."""
    from azure.core.exceptions import HttpResponseError

    from resources.spark.livy import Batches
    from resources.spark.livy_sessions import live_sessions

    pools = list(_spark_pool(names))
    yield from pools
    if not pools:
        return
    with arm_errors("cannot list what runs on the Spark pool", "Nothing was changed."):
        try:
            sessions = live_sessions(names.synapse, names.spark_pool)
            batches = Batches(names.synapse, names.spark_pool).unfinished()
        except HttpResponseError as error:
            if error.status_code != 403:
                raise
            note = "needs the Synapse role Synapse Compute Operator"
            yield Meter("Spark sessions and batches", "not known", False, note)
            return
    for session in sessions:
        note = "`bikecast azure pause` ends it" if session.state == _IDLE else "works"
        yield Meter(f"Spark session {session.id} ({session.name})", session.state, True, note)
    for batch in batches:
        yield Meter(f"Spark batch {batch.name}", str(batch.state), True, "ends by itself")


def _spark_pool(names: Names) -> Iterator[Meter]:
    from azure.core.exceptions import ResourceNotFoundError

    with arm_errors("cannot ask for the Spark pool", "Nothing was changed."):
        try:
            pool = synapse_client(names.subscription_id).big_data_pools.get(
                names.group, names.synapse, names.spark_pool
            )
        except ResourceNotFoundError:
            return
    pause = pool.auto_pause
    minutes = pause.delay_in_minutes if pause is not None and pause.enabled else None
    note = f"pauses by itself after {minutes} idle minutes" if minutes else "never pauses by itself"
    yield Meter(f"Spark pool {names.spark_pool}", "by session and batch", minutes is None, note)


def _computes(names: Names) -> Iterator[Meter]:
    """Clusters and compute instances of Azure ML; attached pools are Synapse's."""
    from azure.core.exceptions import ResourceNotFoundError

    from resources.azure.ml_client import workspace_client

    client = workspace_client(names.subscription_id, names.group, names.machine_learning)
    with arm_errors("cannot list the computes of Azure ML", "Nothing was changed."):
        try:
            computes = list(client.compute.list())
        except ResourceNotFoundError:
            return
        for each in computes:
            kind = str(each.type).lower()
            if kind == "computeinstance":
                state = str(getattr(each, "state", ""))
                yield Meter(str(each.name), state, state == "Running", _INSTANCE)
            elif kind == "amlcompute":
                least = int(getattr(each, "min_instances", 0) or 0)
                note = f"keeps {least} nodes" if least else "has no nodes while idle"
                yield Meter(str(each.name), "cluster", least > 0, note)
