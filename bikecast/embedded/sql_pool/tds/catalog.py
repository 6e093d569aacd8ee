"""The catalog procedures that drivers call: tables, columns, procedures and keys.

Source: https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/
catalog-stored-procedures-transact-sql
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path

from bikecast.core.sql import ResultColumn, ResultSet
from bikecast.embedded.sql_pool.internal import INT, Variable, nvarchar
from bikecast.embedded.sql_pool.tds.describe import TYPES, columns
from bikecast.embedded.sql_pool.tds.pool_session import Answer, PoolSession
from bikecast.embedded.sql_pool.tds.rpc import Parameter

#: Runs a call with its parameters.
Procedure = Callable[[tuple[Parameter, ...]], Answer]
_NAME = nvarchar(384)
_SECTION = re.compile(r"-- procedure (\w+)\((.*)\)")
_PATTERN = "fusepattern"
#: What a fixed type takes in a client's buffer (ODBC's transfer octet length).
_BYTES = {"bit": 1, "tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "real": 4, "float": 8}
_BYTES |= {"money": 21, "smallmoney": 12, "uniqueidentifier": 16, "date": 6, "time": 10}
_BYTES |= {"datetime": 16, "smalldatetime": 16, "datetime2": 16, "datetimeoffset": 20}


_COLUMNS = columns(
    "TABLE_QUALIFIER:nvarchar TABLE_OWNER:nvarchar TABLE_NAME:nvarchar COLUMN_NAME:nvarchar "
    "DATA_TYPE:smallint TYPE_NAME:nvarchar PRECISION:int LENGTH:int SCALE:smallint "
    "RADIX:smallint NULLABLE:smallint REMARKS:varchar COLUMN_DEF:nvarchar SQL_DATA_TYPE:smallint "
    "SQL_DATETIME_SUB:smallint CHAR_OCTET_LENGTH:int ORDINAL_POSITION:int IS_NULLABLE:varchar "
    "SS_IS_SPARSE:smallint SS_IS_COLUMN_SET:smallint SS_IS_COMPUTED:smallint "
    "SS_IS_IDENTITY:smallint SS_UDT_CATALOG_NAME:nvarchar SS_UDT_SCHEMA_NAME:nvarchar "
    "SS_UDT_ASSEMBLY_TYPE_NAME:nvarchar SS_XML_SCHEMACOLLECTION_CATALOG_NAME:nvarchar "
    "SS_XML_SCHEMACOLLECTION_SCHEMA_NAME:nvarchar SS_XML_SCHEMACOLLECTION_NAME:nvarchar "
    "SS_DATA_TYPE:tinyint"
)
#: A dedicated pool enforces no keys, so nothing identifies a row, and it has no foreign keys.
_NOTHING: dict[str, tuple[ResultColumn, ...]] = {
    "sp_pkeys": columns(
        "TABLE_QUALIFIER:nvarchar TABLE_OWNER:nvarchar TABLE_NAME:nvarchar COLUMN_NAME:nvarchar "
        "KEY_SEQ:smallint PK_NAME:nvarchar"
    ),
    "sp_fkeys": columns(
        "PKTABLE_QUALIFIER:nvarchar PKTABLE_OWNER:nvarchar PKTABLE_NAME:nvarchar "
        "PKCOLUMN_NAME:nvarchar FKTABLE_QUALIFIER:nvarchar FKTABLE_OWNER:nvarchar "
        "FKTABLE_NAME:nvarchar FKCOLUMN_NAME:nvarchar KEY_SEQ:smallint UPDATE_RULE:smallint "
        "DELETE_RULE:smallint FK_NAME:nvarchar PK_NAME:nvarchar DEFERRABILITY:smallint"
    ),
    "sp_special_columns": columns(
        "SCOPE:smallint COLUMN_NAME:nvarchar DATA_TYPE:smallint TYPE_NAME:nvarchar PRECISION:int "
        "LENGTH:int SCALE:smallint PSEUDO_COLUMN:smallint"
    ),
    "sp_statistics": columns(
        "TABLE_QUALIFIER:nvarchar TABLE_OWNER:nvarchar TABLE_NAME:nvarchar NON_UNIQUE:smallint "
        "INDEX_QUALIFIER:nvarchar INDEX_NAME:nvarchar TYPE:smallint SEQ_IN_INDEX:smallint "
        "COLUMN_NAME:nvarchar COLLATION:varchar CARDINALITY:int PAGES:int FILTER_CONDITION:varchar"
    ),
}


@functools.cache
def _queries() -> dict[str, tuple[tuple[str, ...], str]]:
    """The parameters and the text of each section of the file."""
    text = Path(__file__).with_name("catalog.sql").read_text(encoding="utf-8")
    _, *parts = _SECTION.split(text)
    queries = {}
    for name, parameters, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        names = tuple(parameter.strip().lstrip("@") for parameter in parameters.split(","))
        queries[name] = (names, body.strip())
    return queries


def catalog_procedures(session: PoolSession) -> dict[str, Procedure]:
    """The procedures by lower-case name, with those that newer drivers call."""
    procedures: dict[str, Procedure] = {}
    for name in _queries():
        procedures[name] = functools.partial(_run, session, name)
    for name, nothing in _NOTHING.items():
        procedures[name] = functools.partial(_nothing, nothing)
    for name in ("sp_columns", "sp_special_columns", "sp_statistics"):
        procedures |= {f"{name}_{version}": procedures[name] for version in (90, 100)}
    return procedures


def _nothing(header: tuple[ResultColumn, ...], _: tuple[Parameter, ...]) -> Answer:
    return Answer(outcomes=[ResultSet(header, [])])


def _run(session: PoolSession, procedure: str, parameters: tuple[Parameter, ...]) -> Answer:
    names, query = _queries()[procedure]
    variables = {name: Variable(_NAME) for name in names}
    variables["pattern"] = Variable(INT, 1)
    for place, parameter in enumerate(parameters):
        value = parameter.value.value
        if parameter.name.lower() == _PATTERN:
            variables["pattern"] = Variable(INT, int(bool(value)))
        elif not parameter.name and place < len(names) - 1:
            variables[names[place]] = Variable(_NAME, None if value is None else str(value))
    answer = session.run(query, variables)
    if procedure == "sp_columns" and answer.error is None:
        answer.outcomes = [
            ResultSet(_COLUMNS, [_column(row) for row in outcome.rows])
            for outcome in answer.outcomes
            if isinstance(outcome, ResultSet)
        ]
    return answer


def _column(row: tuple[object, ...]) -> tuple[object, ...]:
    """A row of sp_columns from one of the query."""
    schema, table, name, type_name, size, precision, scale, nullable, place, identity, default = row
    assert isinstance(size, int) and isinstance(precision, int)  # noqa: S101, PT018 # as cast
    code, most, text, number, radix = TYPES[str(type_name)]
    octets = None
    length = _BYTES.get(str(type_name), precision + 2)
    if text or str(type_name).endswith("binary"):
        octets = length = max(size, 0)  # 0 stands for (max)
        precision = length // (2 if str(type_name).startswith("n") else 1)
    elif type_name not in ("decimal", "numeric") and not (scale and not number):
        precision = most
    moment = code in (91, 93)
    return (
        "pool",
        schema,
        table,
        name,
        code,
        type_name,
        precision,
        length,
        None if octets is not None or type_name in ("float", "real") else scale,
        radix,
        int(bool(nullable)),
        None,
        default,
        9 if moment else code,
        {91: 1, 93: 3}.get(code),
        octets,
        place,
        "YES" if nullable else "NO",
        0,
        0,
        0,
        int(bool(identity)),
        *[None] * 6,
        0,
    )
