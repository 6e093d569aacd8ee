"""What drivers ask about types: sp_datatype_info and sp_describe_undeclared_parameters.

Sources: https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/
sp-datatype-info-transact-sql and sp-describe-undeclared-parameters-transact-sql
"""

from __future__ import annotations

from bikecast.core.sql import ResultColumn, ResultSet, SqlError
from bikecast.embedded.sql_pool.internal import MAX, SqlType
from bikecast.embedded.sql_pool.tds.pool_session import PoolSession


def columns(text: str) -> tuple[ResultColumn, ...]:
    """The columns of a result, each as NAME:type."""
    return tuple(ResultColumn(*item.split(":")) for item in text.split())


_PARAMETER_COLUMNS = columns(
    "parameter_ordinal:int name:nvarchar suggested_system_type_id:int "
    "suggested_system_type_name:nvarchar suggested_max_length:smallint "
    "suggested_precision:tinyint suggested_scale:tinyint suggested_user_type_id:int "
    "suggested_user_type_database:nvarchar suggested_user_type_schema:nvarchar "
    "suggested_user_type_name:nvarchar suggested_assembly_qualified_type_name:nvarchar "
    "suggested_xml_collection_id:int suggested_xml_collection_database:nvarchar "
    "suggested_xml_collection_schema:nvarchar suggested_xml_collection_name:nvarchar "
    "suggested_is_xml_document:bit suggested_is_case_sensitive:bit "
    "suggested_is_fixed_length_clr_type:bit suggested_is_input:bit suggested_is_output:bit "
    "formal_parameter_name:nvarchar suggested_tds_type_id:int suggested_tds_length:int"
)
#: Type: its number in sys.types, its TDS type, its bytes, precision and scale.
_SYSTEM: dict[str, tuple[int, int, int, int, int]] = {
    "tinyint": (48, 0x26, 1, 3, 0),
    "smallint": (52, 0x26, 2, 5, 0),
    "int": (56, 0x26, 4, 10, 0),
    "bigint": (127, 0x26, 8, 19, 0),
    "bit": (104, 0x68, 1, 1, 0),
    "real": (59, 0x6D, 4, 24, 0),
    "float": (62, 0x6D, 8, 53, 0),
    "decimal": (106, 0x6A, 17, 0, 0),
    "money": (60, 0x6E, 8, 19, 4),
    "smallmoney": (122, 0x6E, 4, 10, 4),
    "date": (40, 0x28, 3, 10, 0),
    "time": (41, 0x29, 5, 0, 0),
    "datetime2": (42, 0x2A, 8, 0, 0),
    "datetimeoffset": (43, 0x2B, 10, 0, 0),
    "datetime": (61, 0x6F, 8, 23, 3),
    "smalldatetime": (58, 0x6F, 4, 16, 0),
    "uniqueidentifier": (36, 0x24, 16, 0, 0),
    "varbinary": (165, 0xA5, 0, 0, 0),
    "binary": (173, 0xAD, 0, 0, 0),
    "varchar": (167, 0xA7, 0, 0, 0),
    "char": (175, 0xAF, 0, 0, 0),
    "nvarchar": (231, 0xE7, 0, 0, 0),
    "nchar": (239, 0xEF, 0, 0, 0),
}


def undeclared_parameters(session: PoolSession, text: str, declared: str) -> ResultSet:
    """The types that the parameters of a batch take from the columns that they meet.

    Raises SqlError 11503 for a parameter that meets no column, and the parser's errors.
    """
    names = {
        part.split()[0].lower().removeprefix("@") for part in declared.split(",") if part.split()
    }
    types = session.undeclared_parameters(text, names)
    rows = [
        _row(number, name, sql_type) for number, (name, sql_type) in enumerate(types.items(), 1)
    ]
    return ResultSet(_PARAMETER_COLUMNS, rows)


def _row(number: int, name: str, sql_type: SqlType | None) -> tuple[object, ...]:
    if sql_type is None:
        raise SqlError(
            11503,
            f"The parameter type cannot be deduced because no expression gives '@{name}' a type.",
        )
    system, tds, size, precision, scale = _SYSTEM[sql_type.name]
    if sql_type.length is not None:
        is_wide = sql_type.name.startswith("n") and sql_type.length != MAX
        size = sql_type.length * (2 if is_wide else 1)
    if sql_type.name == "decimal":
        precision, scale = sql_type.precision, sql_type.scale
    elif sql_type.name in ("time", "datetime2", "datetimeoffset"):
        base = {"time": 8, "datetime2": 19, "datetimeoffset": 26}[sql_type.name]
        precision, scale = base + bool(sql_type.scale) + sql_type.scale, sql_type.scale
    head = (number, f"@{name}", system, sql_type.declaration, size, precision, scale)
    flags = (False, False, False, True, False, None, tds, 0xFFFF if size == MAX else size)
    return (*head, *([None] * 9), *flags)
