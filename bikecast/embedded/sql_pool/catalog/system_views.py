"""Catalog views of a dedicated pool that tools query: sys.* and INFORMATION_SCHEMA.*."""
# ruff: noqa: S608 # the text is the file's; nothing of a user's comes into it

from __future__ import annotations

import datetime
import functools
import re
from pathlib import Path

from bikecast.embedded.sql_pool.values.scope import BoundQuery, quoted, text_literal
from bikecast.embedded.sql_pool.values.types import BIT, SqlType, nvarchar, parse_declaration
from bikecast.embedded.sql_pool.values.windows_zones import time_zone_info

_FILE = Path(__file__).with_name("system_views.sql")
_COLUMN = re.compile(r" AS (\w+), -- (\S+)$", re.MULTILINE)
_OBJECT_COLUMNS = "-- columns of sys.objects\n"
_ALL = {
    f"all_{name}": name for name in ("objects", "columns", "views", "sql_modules", "parameters")
}


@functools.cache
def _views() -> dict[str, BoundQuery]:
    """The views by lower-case name; columns are named c1, c2, ... as in every compiled query."""
    shared, *sections = _FILE.read_text(encoding="utf-8").split("\n-- view ")
    object_columns, relations = shared.split(_OBJECT_COLUMNS)[1].split("-- relations\n")
    views = {}
    for section in sections:
        name, _, body = section.replace(f"    {_OBJECT_COLUMNS}", object_columns).partition("\n")
        columns = tuple((item[1], _declared(item[2])) for item in _COLUMN.finditer(body))
        body = re.sub(r" -- \S+$", "", body, flags=re.MULTILINE).strip()
        selected = ", ".join(
            f"CAST(q.{quoted(column)} AS {type_.duckdb}) AS c{i}"
            for i, (column, type_) in enumerate(columns, 1)
        )
        sql = f"WITH {relations.strip()} SELECT {selected} FROM ({body}) AS q"
        views[name.strip()] = BoundQuery(sql, columns)
    return views


def _declared(text: str) -> SqlType:
    return parse_declaration("nvarchar(128)" if text == "sysname" else text)


def system_view(schema: str, name: str) -> BoundQuery | None:
    """The catalog view of that name as a query, or None.

    sys.all_objects and its kin hold the users' objects alone.
    """
    if f"{schema}.{name}".lower() == "sys.time_zone_info":
        return _time_zones()
    return _views().get(f"{schema.lower()}.{_ALL.get(name.lower(), name.lower())}")


def _time_zones() -> BoundQuery:
    """sys.time_zone_info: the zones that AT TIME ZONE knows, as they are now."""
    zones = time_zone_info(datetime.datetime.now(datetime.UTC))
    rows = ", ".join(f"({text_literal(name)}, {minutes}, {dst})" for name, minutes, dst in zones)
    columns = (
        ("name", nvarchar(128)),
        ("current_utc_offset", nvarchar(12)),
        ("is_currently_dst", BIT),
    )
    sql = (
        f"SELECT z.n AS c1, tsql_offset_text(z.m) AS c2, z.d AS c3 FROM (VALUES {rows}) z(n, m, d)"
    )
    return BoundQuery(sql, columns)
