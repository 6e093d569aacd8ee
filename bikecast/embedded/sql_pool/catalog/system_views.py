"""Catalog views of a dedicated pool that tools query: sys.* and INFORMATION_SCHEMA.*."""
# ruff: noqa: S608 # the text is the file's; nothing of a user's comes into it

from __future__ import annotations

import datetime
import fnmatch
import functools
import re
from pathlib import Path

from bikecast.embedded.sql_pool.catalog.requests import Requests, declared, rows_query
from bikecast.embedded.sql_pool.errors import refused
from bikecast.embedded.sql_pool.syntax.names import database
from bikecast.embedded.sql_pool.values.formats import offset_text
from bikecast.embedded.sql_pool.values.moments import time_zone_info
from bikecast.embedded.sql_pool.values.scope import BoundQuery, text_literal
from bikecast.embedded.sql_pool.values.types import BIT, TYPES, SqlType, nvarchar

_FILE = Path(__file__).with_name("system_views.sql")
_DECLARED = re.compile(r"(\w+) (\w+(?:\([^)]*\))?)")
_ALL = {
    f"sys.all_{name}": f"sys.{name}"
    for name in ("objects", "columns", "views", "sql_modules", "parameters")
}


@functools.lru_cache(maxsize=8)
def _views(database: str) -> dict[str, BoundQuery]:
    """The views by lower-case name; columns are named c1, c2, ... as in every compiled query."""
    text = _FILE.read_text(encoding="utf-8").replace("'pool'", text_literal(database))
    relations, *sections = text.split("\n-- view ")
    relations = re.sub(r"^--.*\n", "", relations, flags=re.MULTILINE).strip()
    types = ((name, t.number, t.bytes, t.precision, t.scale) for name, t in TYPES.items())
    relations = relations.replace("$types", ", ".join(str(row) for row in types if row[1]))
    columns_of: dict[str, list[tuple[str, str, str]]] = {}
    views = {}
    for section in sections:
        head, _, rows = section.partition("\nFROM ")
        name, _, listed = head.partition("\n")
        columns = columns_of[name] = []
        for item in " ".join(listed.split()).split("; "):
            column, _, expression = item.partition(" = ")
            label, _, type_ = column.partition(" ")
            shared = columns_of[label[1:]] if label[0] == "@" else None
            columns += [(label, type_, expression or label)] if shared is None else shared
        typed = [(label, declared(type_), sql) for label, type_, sql in columns]
        selected = ", ".join(
            f"CAST({e} AS {t.duckdb}) AS c{i}" for i, (_, t, e) in enumerate(typed, 1)
        )
        sql = f"WITH {relations} SELECT {selected} FROM {rows}"
        if rows:
            views[name] = BoundQuery(sql, tuple((label, type_) for label, type_, _ in typed))
    return views


@functools.cache
def _without_rows() -> tuple[dict[str, str], dict[str, str]]:
    """The columns of the empty views by name, and why views of a name or a pattern are refused."""
    lines = _FILE.with_name("views_without_rows.txt").read_text(encoding="utf-8").splitlines()
    empty = dict(line.split(" = ", 1) for line in lines if " = " in line)
    return empty, dict(line.split(" ! ", 1) for line in lines if " ! " in line)


def system_view(schema: str, name: str, requests: Requests | None = None) -> BoundQuery | None:
    """The catalog view of that name as a query, or None.

    sys.all_objects and its kin hold the users' objects alone. Raises SqlError, with the reason,
    for a view that a dedicated pool has and this one has not.
    """
    full = f"{schema}.{name}".lower()
    full = _ALL.get(full, full)
    if full == "sys.time_zone_info":
        return _time_zones()
    if full in Requests.VIEWS:
        return (requests or Requests()).view(full)
    if view := _views(database()).get(full):
        return view
    if columns := empty_columns(full):
        return rows_query(columns, [])
    for pattern, reason in _without_rows()[1].items():
        if fnmatch.fnmatchcase(full, pattern):
            raise refused(f"The view {full}", f"It shows {reason}.")
    return None


def empty_columns(name: str) -> tuple[tuple[str, SqlType], ...]:
    """The columns of a view, or of a procedure's result, in which nothing can be; () of others."""
    listed = _DECLARED.findall(_without_rows()[0].get(name, ""))
    return tuple((column, declared(type_)) for column, type_ in listed)


def _time_zones() -> BoundQuery:
    """sys.time_zone_info: the zones that AT TIME ZONE knows, as they are now."""
    zones = time_zone_info(datetime.datetime.now(datetime.UTC))
    columns = (
        ("name", nvarchar(128)),
        ("current_utc_offset", nvarchar(12)),
        ("is_currently_dst", BIT),
    )
    return rows_query(columns, [[name, offset_text(minutes), dst] for name, minutes, dst in zones])
