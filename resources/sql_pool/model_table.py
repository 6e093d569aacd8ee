"""The model table and its audit table: which version is live, who made it so, when and why.

Both change in one transaction, so the audit tells the whole truth. A dedicated pool allows no
DDL in a transaction, so the tables are made first.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from typing import Literal

from bikecast.core.errors import BikecastError
from bikecast.core.onnx.contract import model_digest
from bikecast.core.spec import ModelSpec
from bikecast.core.sql import ResultSet
from resources.sql_pool.deployment import (
    audit_table,
    make_schema,
    run_or_nothing,
    table_name,
    unicode_text,
)
from resources.sql_pool.port import Session, SqlPool
from resources.sql_pool.scripts import quote_identifier, render, run_script

#: The columns of the model table that are shown, by name with their SQL types, in order.
PUBLISHED_TYPES = {
    "version": "int",
    "is_live": "bit",
    "digest": "char(64)",
    "job_id": "varchar(200)",
    "published_at": "datetime2(6)",
    "actor": "nvarchar(200)",
    "reason": "nvarchar(400)",
}
Action = Literal["promote", "force", "rollback", "keep"]


@dataclass(frozen=True)
class LiveVersion:
    """The model version that the procedures use; `published_at` is aware, UTC."""

    version: int
    digest: str
    job_id: str
    published_at: datetime.datetime


@dataclass(frozen=True)
class Change:
    """Why the live version changes, or stays: what the audit row says."""

    action: Action
    actor: str
    reason: str
    run_id: str = ""
    data_version: str = ""
    """Of the data that the candidate was trained on."""
    code_version: str = ""
    """Of the code that trained the candidate."""


@dataclass(frozen=True)
class AuditEntry:
    """One row of the audit; `changed_at` is aware, UTC.

    `candidate` is the version that the row is about: the new live one, or for `keep` the one
    that was not promoted. `from_version` is None for the first version.
    """

    entry: int
    changed_at: datetime.datetime
    actor: str
    action: Action
    from_version: int | None
    to_version: int
    candidate: int
    data_version: str
    code_version: str
    run_id: str
    reason: str


def publish_model(
    pool: SqlPool,
    spec: ModelSpec,
    *,
    version: int,
    digest: str,
    job_id: str,
    model: bytes,
    change: Change,
) -> bool:
    """Store a version of the model and make it the only live one, in one transaction.

    Returns False where it already was. Raises BikecastError for bytes that do not have the
    digest, and for a version that was published with another digest; nothing changes then.
    """
    if model_digest(model) != digest:
        raise BikecastError(
            f"{spec.model_name} version {version}: the model's bytes do not have the digest "
            f"{digest}. Nothing was published; download the model again."
        )
    table = table_name(spec, spec.model_table)
    with pool.session() as session:
        _make_tables(session, spec)
        rows = session.run(
            f"SELECT [version], [digest], [is_live] FROM {table} "  # noqa: S608 # quoted names
            "WHERE [version] = ? OR [is_live] = 1",
            [version],
        )[0].as_dicts()
        same_version = [row for row in rows if row["version"] == version]
        if any(row["digest"] != digest for row in same_version):
            raise BikecastError(
                f"{spec.model_name} version {version} is in {table} with another digest, so it was "
                "not replaced. Register the model as a new version."
            )
        if len(rows) == 1 and same_version and same_version[0]["is_live"]:
            return False
        live = [int(str(row["version"])) for row in rows if row["is_live"]]
        session.run("BEGIN TRANSACTION")
        _make_live(session, table, bool(same_version), (version, digest, job_id, model), change)
        _record(session, spec, change, max(live, default=None), version, version)
        session.run("COMMIT TRANSACTION")
    return True


def keep_champion(
    pool: SqlPool, spec: ModelSpec, *, live: int, candidate: int, why: Change
) -> None:
    """Record that a candidate was looked at and the live version stays."""
    with pool.session() as session:
        _make_tables(session, spec)
        session.run("BEGIN TRANSACTION")
        _record(session, spec, why, live, live, candidate)
        session.run("COMMIT TRANSACTION")


def live_model(pool: SqlPool, spec: ModelSpec) -> LiveVersion | None:
    """The live version, or None while nothing was published."""
    query = render("live_model.sql", table=table_name(spec, spec.model_table))
    result = run_or_nothing(pool, query)
    if not result or not result.rows:
        return None
    live = LiveVersion(*result.rows[0])  # type: ignore[arg-type]
    return replace(live, published_at=live.published_at.replace(tzinfo=datetime.UTC))


def published_versions(pool: SqlPool, spec: ModelSpec) -> ResultSet:
    """The rows of the model table without the models' bytes, newest version first."""
    table = table_name(spec, spec.model_table)
    names = ", ".join(map(quote_identifier, PUBLISHED_TYPES))
    query = f"SELECT {names} FROM {table} ORDER BY [version] DESC"  # noqa: S608 # quoted names
    with pool.session() as session:
        return session.run(query)[0]


def audit_trail(pool: SqlPool, spec: ModelSpec) -> list[AuditEntry]:
    """The audit, newest entry first; empty while nothing was published."""
    result = run_or_nothing(pool, render("model_audit.sql", table=audit_table(spec)))
    entries = [AuditEntry(*row) for row in result.rows] if result else []  # type: ignore[arg-type]
    return [replace(e, changed_at=e.changed_at.replace(tzinfo=datetime.UTC)) for e in entries]


def ensure_tables(pool: SqlPool, spec: ModelSpec) -> None:
    """Make the model table and its audit where they are missing."""
    with pool.session() as session:
        _make_tables(session, spec)


def _make_tables(session: Session, spec: ModelSpec) -> None:
    make_schema(session, spec)
    model, audit = table_name(spec, spec.model_table), audit_table(spec)
    for template, table in (("model_table.sql", model), ("model_audit_table.sql", audit)):
        run_script(session, render(template, table=table, table_text=unicode_text(table)))


def _make_live(
    session: Session, table: str, is_known: bool, row: tuple[int, str, str, bytes], change: Change
) -> None:
    """Change the model table's rows, in the caller's transaction."""
    version, digest, job_id, model = row
    names = "[version], [digest], [job_id], [model], [is_live], [published_at], [actor], [reason]"
    who = [change.actor[:200], change.reason[:400]]
    session.run(
        f"UPDATE {table} SET [is_live] = 0 WHERE [is_live] = 1 AND [version] <> ?",  # noqa: S608
        [version],
    )
    if is_known:
        session.run(
            f"UPDATE {table} SET [is_live] = 1, [published_at] = SYSUTCDATETIME(), "  # noqa: S608
            "[actor] = ?, [reason] = ? WHERE [version] = ?",
            [*who, version],
        )
    else:
        session.run(
            f"INSERT INTO {table} ({names}) "  # quoted names
            "SELECT ?, ?, ?, ?, 1, SYSUTCDATETIME(), ?, ?",
            [version, digest, job_id, model, *who],
        )


def _record(
    session: Session,
    spec: ModelSpec,
    change: Change,
    from_version: int | None,
    to_version: int,
    candidate: int,
) -> None:
    """Add the audit row, in the caller's transaction."""
    session.run(
        render("model_audit_entry.sql", table=audit_table(spec)),
        [
            change.actor[:200],
            change.action,
            from_version,
            to_version,
            candidate,
            change.data_version[:100],
            change.code_version[:100],
            change.run_id[:64],
            change.reason[:2000],
        ],
    )
