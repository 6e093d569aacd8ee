"""What follows the deployment: roles, links, files, tables and users, and the pause at the end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from bikecast.core.errors import BikecastError
from bikecast.core.sql import SqlError
from pipelines.environments import place_of, sources_for, sql_pools_of, workspace_links_for
from pipelines.models import Model
from pipelines.settings import AzureSettings, Settings
from resources.provisioning import clients, power
from resources.provisioning.names import Names
from resources.sql_pool.port import Session, SqlPool
from resources.sql_pool.synapse import FIREWALL
from resources.workspace.roles import GRANTS

if TYPE_CHECKING:
    from resources.lake.adls import AdlsLake

Say = Callable[[str], None]
#: New roles work after some minutes: so long what they allow is tried again.
LONGEST_WAIT = 900.0
#: The number of "User, group, or role already exists in the current database".
USER_EXISTS = 15023
_ADDRESS = re.compile(r"IP address '(\d{1,3}(?:\.\d{1,3}){3})'")
_Result = TypeVar("_Result")


def give_roles(azure: AzureSettings, say: Say) -> None:
    """Give what is missing of the role table; raises BikecastError with what could not be given."""
    from resources.workspace.principals import find_principals
    from resources.workspace.roles import check, grant, missing

    place = place_of(azure)
    failures = []
    for state in missing(check(place, find_principals(place))):
        title = f"{state.need.who}: {state.need.role}"
        try:
            grant(place, state)
            say(f"Role given: {title}")
        except BikecastError as error:
            failures.append(f"{title}: {error}")
    if failures:
        raise BikecastError(
            "Roles are missing, all else stays: bikecast roles apply\n  " + "\n  ".join(failures)
        )


def link(azure: AzureSettings, say: Say) -> None:
    """The lab's linked service in Synapse, and the Spark pool attached to Azure ML by SDK v2."""
    links = workspace_links_for(azure)
    service = patiently(links.link_azureml, say)
    say(f"Linked in Synapse: {service.name}")
    pool = patiently(links.attach_pool, say)
    say(f"Attached to Azure ML: {pool.name}")


def upload(azure: AzureSettings, settings: Settings, model: Model, say: Say) -> None:
    """Check the two files and store them in the lake, as the assets do."""
    from assets.lake import csv_files
    from resources.lake.adls import AdlsLake
    from resources.lake.raw_files import store

    lake, spec = AdlsLake.of(azure.account, azure.container), model.spec
    sources = sources_for(lake, settings, [model])

    def put_all() -> None:
        with sources.hold(spec.source_file, spec.scoring_file) as files:
            for own in csv_files(spec):
                file = files[own.lake_path]
                content = own.read(file, spec, lake)
                if file.kept is None:
                    store(lake, own.lake_path, file.path, content, spec, file.format, file.parts)
                say(f"In the lake: {own.lake_path} ({content.rows} rows of {file.origin})")

    patiently(put_all, say)


def prepare_sql(
    names: Names, azure: AzureSettings, model: Model, users: Sequence[str], say: Say
) -> None:
    """Let this machine through the firewall, and make the forecast's table and the users."""
    from pipelines.cli.online import online_pool
    from resources.lake.adls import AdlsLake
    from resources.lake.scoring_rows import scoring_rows
    from resources.sql_pool.deployment import load_scoring_table

    pool, switch = sql_pools_of(azure)
    lake: AdlsLake = AdlsLake.of(azure.account, azure.container)
    with online_pool(switch):
        _let_in(names, pool, say)
        staged = scoring_rows(lake, model.spec).file

        def load() -> int:
            return load_scoring_table(pool, model.spec, url=lake.copy_url(staged.path))

        rows = patiently(load, say)
        say(f"In the pool: {model.spec.schema}.{model.spec.scoring_table} ({rows} rows)")
        with pool.session() as session:
            for user in users:
                make_user(session, user)
                say(f"User of the pool: {user}")


@contextmanager
def pausing(names: Names, say: Say) -> Iterator[None]:
    """Pause the SQL pool at the end, also of work that fails: a new pool is online."""
    try:
        yield
    except BaseException:
        try:
            pause_pool(names, say)
        except BikecastError as error:
            say(f"{error}\nLook at it: bikecast azure status")
        raise
    pause_pool(names, say)


def pause_pool(names: Names, say: Say) -> bool:
    """Pause the SQL pool unless a run uses it; False where it stays online."""
    state = power.sql_pool_state(names)
    if state in ("Paused", power.ABSENT):
        say(f"The SQL pool is {state}.")
        return True
    _, switch = sql_pools_of(AzureSettings(**names.settings))  # type: ignore[arg-type]
    try:
        leases = switch.leases()
    except BikecastError as error:
        # A pool that stays online costs more than a run that begins again.
        say(f"Whether runs use the SQL pool cannot be seen: {error}")
        leases = {}
    if leases:
        say(f"The SQL pool stays online, because runs use it: {', '.join(sorted(leases))}")
        return False
    say(f"The SQL pool is {power.pause_sql_pool(names)}.")
    return True


def make_user(session: Session, name: str) -> None:
    """An Entra identity as user of the pool, with the rights that the pipeline needs.

    Raises SqlError where the server knows no such identity.
    """
    quoted = "[" + name.replace("]", "]]") + "]"
    for statement in GRANTS:
        try:
            session.run(statement.replace("[NAME]", quoted))
        except SqlError as error:
            if error.number != USER_EXISTS:
                raise


def patiently(work: Callable[[], _Result], say: Say) -> _Result:
    """Do what a new role allows, again and again as long as Azure does not know the role yet."""
    begun, told = time.monotonic(), False
    while True:
        try:
            return work()
        except BikecastError as error:
            cause = getattr(error.__cause__, "status_code", None)
            if cause != 403 or time.monotonic() - begun > LONGEST_WAIT:
                raise
            if not told:
                say("Azure does not know the new roles yet; waiting for some minutes.")
            told = True
        time.sleep(clients.POLL_SECONDS)


def _let_in(names: Names, pool: SqlPool, say: Say) -> None:
    """Open the firewall for the address that the server itself names in its refusal."""
    begun = time.monotonic()
    while True:
        try:
            with pool.session() as session:
                session.run("SELECT 1")
            return
        except SqlError as error:
            address = _ADDRESS.search(str(error))
            if error.number != FIREWALL or not address or time.monotonic() - begun > LONGEST_WAIT:
                raise
            say(f"Letting {address[1]} through the firewall of {names.synapse}")
            power.let_address_in(names, address[1])
        time.sleep(clients.POLL_SECONDS)
