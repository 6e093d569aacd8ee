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
from bikecast.embedded.sql_pool.syntax.names import database
from bikecast.embedded.sql_pool.syntax.statements import ParameterDefinition
from bikecast.embedded.sql_pool.values.types import INT, nvarchar

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
_QUOTES = {"char": ("'", "'"), "n": ("N'", "'"), "hex": ("0x", None), "none": (None, None)}
#: Name, ODBC type, precision, quotes, create parameters, scales, money; in ODBC's order.
_TYPES: tuple[tuple[str, int, int, str, str | None, tuple[int, int] | None, int], ...] = (
    ("datetimeoffset", -155, 34, "char", "scale", (0, 7), 0),
    ("time", -154, 16, "char", "scale", (0, 7), 0),
    ("uniqueidentifier", -11, 36, "char", None, None, 0),
    ("nvarchar", -9, 4000, "n", "max length", None, 0),
    ("sysname", -9, 128, "n", None, None, 0),
    ("nchar", -8, 4000, "n", "length", None, 0),
    ("bit", -7, 1, "none", None, (0, 0), 0),
    ("tinyint", -6, 3, "none", None, (0, 0), 0),
    ("bigint", -5, 19, "none", None, (0, 0), 0),
    ("varbinary", -3, 8000, "hex", "max length", None, 0),
    ("binary", -2, 8000, "hex", "length", None, 0),
    ("char", 1, 8000, "char", "length", None, 0),
    ("numeric", 2, 38, "none", "precision,scale", (0, 38), 0),
    ("decimal", 3, 38, "none", "precision,scale", (0, 38), 0),
    ("money", 3, 19, "none", None, (4, 4), 1),
    ("smallmoney", 3, 10, "none", None, (4, 4), 1),
    ("int", 4, 10, "none", None, (0, 0), 0),
    ("smallint", 5, 5, "none", None, (0, 0), 0),
    ("float", 6, 53, "none", None, None, 0),
    ("real", 7, 24, "none", None, None, 0),
    ("varchar", 12, 8000, "char", "max length", None, 0),
    ("date", 91, 10, "char", None, None, 0),
    ("datetime2", 93, 27, "char", "scale", (0, 7), 0),
    ("datetime", 93, 23, "char", None, (3, 3), 0),
    ("smalldatetime", 93, 16, "char", None, (0, 0), 0),
)


_TYPE_COLUMNS = result_columns(
    "TYPE_NAME:nvarchar DATA_TYPE:smallint PRECISION:int LITERAL_PREFIX:varchar "
    "LITERAL_SUFFIX:varchar CREATE_PARAMS:varchar NULLABLE:smallint CASE_SENSITIVE:smallint "
    "SEARCHABLE:smallint UNSIGNED_ATTRIBUTE:smallint MONEY:smallint AUTO_INCREMENT:smallint "
    "LOCAL_TYPE_NAME:nvarchar MINIMUM_SCALE:smallint MAXIMUM_SCALE:smallint "
    "SQL_DATA_TYPE:smallint SQL_DATETIME_SUB:smallint NUM_PREC_RADIX:int "
    "INTERVAL_PRECISION:smallint USERTYPE:smallint"
)
_RADIX = {"float": 2, "real": 2}
_NUMBERS = frozenset("bit tinyint smallint int bigint numeric decimal money smallmoney".split())
#: ODBC type, precision, whether it is text, whether it is a number, and the radix, by name.
TYPES: dict[str, tuple[int, int, bool, bool, int | None]] = {
    name: (
        code,
        precision,
        quotes in ("char", "n") and code in (-9, -8, 1, 12),
        name in _NUMBERS or name in _RADIX,
        _RADIX.get(name, 10) if name in _NUMBERS or name in _RADIX else None,
    )
    for name, code, precision, quotes, *_ in _TYPES
}


def data_types(odbc_type: int = 0) -> ResultSet:
    """The types of a dedicated pool as sp_datatype_info returns them; `odbc_type` 0 is all."""
    rows: list[tuple[object, ...]] = []
    for name, code, precision, quotes, create, scales, money in _TYPES:
        if odbc_type not in (0, code):
            continue
        prefix, suffix = _QUOTES[quotes]
        text = quotes in ("char", "n")
        *_, number, radix = TYPES[name]
        moment = code in (91, 93)
        head = (name, code, precision, prefix, suffix, create, 1, 0, 3 if text else 2)
        sign = (1 if name in ("bit", "tinyint") else 0) if number else None
        low, high = scales or (None, None)
        odbc = (9 if moment else code, {91: 1, 93: 3}.get(code), radix, None, 0)
        rows.append((*head, sign, money, 0 if number else None, name, low, high, *odbc))
    return ResultSet(_TYPE_COLUMNS, rows)


#: What a fixed type takes in a client's buffer (ODBC's transfer octet length).
_BYTES = {"bit": 1, "tinyint": 1, "smallint": 2, "int": 4, "bigint": 8, "real": 4, "float": 8}
_BYTES |= {"money": 21, "smallmoney": 12, "uniqueidentifier": 16, "date": 6, "time": 10}
_BYTES |= {"datetime": 16, "smalldatetime": 16, "datetime2": 16, "datetimeoffset": 20}


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
#: A dedicated pool enforces no keys, so nothing identifies a row, and it has no foreign keys.
_NOTHING: dict[str, tuple[ResultColumn, ...]] = {
    "sp_pkeys": result_columns(
        "TABLE_QUALIFIER:nvarchar TABLE_OWNER:nvarchar TABLE_NAME:nvarchar COLUMN_NAME:nvarchar "
        "KEY_SEQ:smallint PK_NAME:nvarchar"
    ),
    "sp_fkeys": result_columns(
        "PKTABLE_QUALIFIER:nvarchar PKTABLE_OWNER:nvarchar PKTABLE_NAME:nvarchar "
        "PKCOLUMN_NAME:nvarchar FKTABLE_QUALIFIER:nvarchar FKTABLE_OWNER:nvarchar "
        "FKTABLE_NAME:nvarchar FKCOLUMN_NAME:nvarchar KEY_SEQ:smallint UPDATE_RULE:smallint "
        "DELETE_RULE:smallint FK_NAME:nvarchar PK_NAME:nvarchar DEFERRABILITY:smallint"
    ),
    "sp_special_columns": result_columns(
        "SCOPE:smallint COLUMN_NAME:nvarchar DATA_TYPE:smallint TYPE_NAME:nvarchar PRECISION:int "
        "LENGTH:int SCALE:smallint PSEUDO_COLUMN:smallint"
    ),
    "sp_statistics": result_columns(
        "TABLE_QUALIFIER:nvarchar TABLE_OWNER:nvarchar TABLE_NAME:nvarchar NON_UNIQUE:smallint "
        "INDEX_QUALIFIER:nvarchar INDEX_NAME:nvarchar TYPE:smallint SEQ_IN_INDEX:smallint "
        "COLUMN_NAME:nvarchar COLLATION:varchar CARDINALITY:int PAGES:int FILTER_CONDITION:varchar"
    ),
}


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
        return ResultSet(_NOTHING[name], [])
    if name == "sp_columns":
        return ResultSet(_COLUMNS, [_column(row) for row in rows.rows])
    return rows


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
    decimals = None if octets is not None or type_name in ("float", "real") else scale
    head = (database(), schema, table, name, code, type_name, precision, length, decimals, radix)
    flags = (int(bool(nullable)), None, default, 9 if moment else code, {91: 1, 93: 3}.get(code))
    place_of = (octets, place, "YES" if nullable else "NO", 0, 0, 0, int(bool(identity)))
    return (*head, *flags, *place_of, *[None] * 6, 0)
