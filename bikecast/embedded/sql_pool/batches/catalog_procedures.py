"""The procedures by which drivers ask for tables, columns, procedures, keys and types.

Sources: https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/
catalog-stored-procedures-transact-sql and sp-datatype-info-transact-sql
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from sqlglot import exp

from bikecast.core.sql import ResultColumn, ResultSet, result_columns
from bikecast.embedded.sql_pool.catalog.system_views import empty_columns
from bikecast.embedded.sql_pool.syntax.names import database
from bikecast.embedded.sql_pool.syntax.statements import ParameterDefinition
from bikecast.embedded.sql_pool.values.types import APPROXIMATE, EXACT, INT, TYPES, nvarchar

_NAME = nvarchar(384)

#: The parameters of each, which may all be left out.
_TABLE = "table_name table_owner table_qualifier"
_PARAMETERS = {
    "sp_tables": f"{_TABLE} table_type fUsePattern",
    "sp_columns": f"{_TABLE} column_name ODBCVer NameScope fUsePattern",
    "sp_stored_procedures": "sp_name sp_owner sp_qualifier fUsePattern",
    "sp_pkeys": _TABLE,
    "sp_fkeys": "pktable_name pktable_owner pktable_qualifier fktable_name fktable_owner "
    "fktable_qualifier",
    "sp_special_columns": f"{_TABLE} col_type scope nullable ODBCVer",
    "sp_statistics": f"{_TABLE} index_name is_unique accuracy",
    "sp_datatype_info": "data_type ODBCVer",
}
_DEFAULTS = {"fUsePattern": "1", "data_type": "0"}
_VERSION = re.compile(r"_(90|100)$")
_QUOTES = {"char": ("'", "'"), "n": ("N'", "'"), "hex": ("0x", None), "": (None, None)}
_TYPE_COLUMNS = result_columns(
    "TYPE_NAME:nvarchar DATA_TYPE:smallint PRECISION:int LITERAL_PREFIX:varchar "
    "LITERAL_SUFFIX:varchar CREATE_PARAMS:varchar NULLABLE:smallint CASE_SENSITIVE:smallint "
    "SEARCHABLE:smallint UNSIGNED_ATTRIBUTE:smallint MONEY:smallint AUTO_INCREMENT:smallint "
    "LOCAL_TYPE_NAME:nvarchar MINIMUM_SCALE:smallint MAXIMUM_SCALE:smallint "
    "SQL_DATA_TYPE:smallint SQL_DATETIME_SUB:smallint NUM_PREC_RADIX:int "
    "INTERVAL_PRECISION:smallint USERTYPE:smallint"
)
#: What a type takes in a client's buffer (ODBC's transfer octet length), if not its own bytes.
_BYTES = {"date": 6, "time": 10, "datetimeoffset": 20}
_BYTES |= dict.fromkeys(("datetime", "smalldatetime", "datetime2"), 16)
_BY_DIGITS = ("decimal", "numeric", "money", "smallmoney")


def _of_odbc(name: str) -> tuple[int, int | None, int, int | None]:
    """ODBC's precision of a type, the radix of a number, and its type with a code of moments."""
    facts = TYPES[name]
    radix = 2 if name in APPROXIMATE else 10 if name in (*EXACT, "numeric") else None
    precision = facts.precision or (36 if name == "uniqueidentifier" else facts.bytes)
    precision //= 2 if facts.quotes == "n" else 1
    if facts.odbc in (91, 93):
        return precision, radix, 9, 1 if facts.odbc == 91 else 3
    return precision, radix, facts.odbc, None


def data_types(odbc_type: int = 0) -> ResultSet:
    """The types of a dedicated pool as sp_datatype_info returns them; `odbc_type` 0 is all."""
    rows: list[tuple[object, ...]] = []
    for name, facts in sorted(TYPES.items(), key=lambda item: item[1].odbc):
        if not facts.odbc or odbc_type not in (0, facts.odbc):
            continue
        precision, radix, *codes = _of_odbc(name)
        head = (name, facts.odbc, precision, *_QUOTES[facts.quotes], facts.parameters or None)
        searched = 3 if facts.quotes in ("char", "n") else 2
        unsigned = int(name in ("bit", "tinyint")) if radix else None
        signs = (unsigned, int(name.endswith("money")), 0 if radix else None)
        scales = facts.scales or (None, None)
        rows.append((*head, 1, 0, searched, *signs, name, *scales, *codes, radix, None, 0))
    return ResultSet(_TYPE_COLUMNS, rows)


_COLUMNS = result_columns(
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


@functools.cache
def _queries() -> dict[str, str]:
    """The texts of the file."""
    text = Path(__file__).with_name("catalog.sql").read_text(encoding="utf-8")
    sections = text.split("-- procedure ")[1:]
    return {name.strip(): body.strip() for name, _, body in (s.partition("\n") for s in sections)}


def catalog_procedure(name: str) -> str:
    """The lower-case name of a catalog procedure, without a driver's version; "" for any other."""
    plain = _VERSION.sub("", name.lower())
    return plain if plain in _PARAMETERS else ""


def parameters(name: str) -> tuple[ParameterDefinition, ...]:
    """The parameters of a catalog procedure, each with a default."""
    return tuple(
        ParameterDefinition(
            word,
            INT if word in _DEFAULTS else _NAME,
            default=exp.Literal.number(_DEFAULTS[word]) if word in _DEFAULTS else exp.null(),
        )
        for word in _PARAMETERS[name].split()
    )


def query_of(name: str) -> str:
    """The T-SQL that answers a catalog procedure with its parameters; "" where none is needed."""
    return _queries().get(name, "")


def answer(name: str, data_type: object, rows: ResultSet | None) -> ResultSet:
    """What a catalog procedure returns, where `rows` are those of its query, if it has one."""
    if rows is None:
        if name == "sp_datatype_info":
            return data_types(data_type if isinstance(data_type, int) else 0)
        columns = [ResultColumn(column, type_.name) for column, type_ in empty_columns(name)]
        return ResultSet(tuple(columns), [])
    if name == "sp_columns":
        return ResultSet(_COLUMNS, [_column(row) for row in rows.rows])
    return rows


def _column(row: tuple[object, ...]) -> tuple[object, ...]:
    """A row of sp_columns from one of the query."""
    schema, table, name, type_name, size, precision, scale, nullable, place, identity, default = row
    assert isinstance(size, int) and isinstance(precision, int)  # noqa: S101, PT018 # as cast
    type_ = str(type_name)
    facts, (most, radix, *codes), octets = TYPES[type_], _of_odbc(type_), None
    length = precision + 2 if type_ in _BY_DIGITS else _BYTES.get(type_, facts.bytes)
    if "length" in facts.parameters or type_ == "sysname":
        octets = length = max(size, 0)  # 0 stands for (max)
        precision = length // (2 if facts.quotes == "n" else 1)
    elif type_ not in ("decimal", "numeric") and (radix or not scale):
        precision = most
    decimals = None if octets is not None or type_ in APPROXIMATE else scale
    head = (database(), schema, table, name, facts.odbc, type_, precision, length, decimals, radix)
    flags = (int(bool(nullable)), None, default, *codes, octets, place)
    return (
        *head,
        *flags,
        "YES" if nullable else "NO",
        0,
        0,
        0,
        int(bool(identity)),
        *[None] * 6,
        0,
    )
