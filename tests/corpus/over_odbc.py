"""Runs the corpus on a TDS endpoint through pyodbc and prints each fault.

python -m tests.corpus.over_odbc 'DRIVER={ODBC Driver 18 for SQL Server};SERVER=...;...'
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import re
import struct
import sys
from functools import partial
from typing import Any

import pyodbc

from tests.corpus.comparison import CASES, DISPUTED, Answer, Rowset, fault

_DATETIMEOFFSET = -155
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("int", "bigint", "smallint", "tinyint"), (int,)),
    **dict.fromkeys(("float", "real"), (float,)),
    **dict.fromkeys(("decimal", "money", "smallmoney"), (decimal.Decimal,)),
    **dict.fromkeys(("varchar", "nvarchar", "char", "nchar", "uniqueidentifier"), (str,)),
    **dict.fromkeys(("binary", "varbinary"), (bytes, bytearray)),
    **dict.fromkeys(("datetime", "datetime2", "smalldatetime"), (datetime.datetime,)),
    "bit": (bool,),
    "date": (datetime.date,),
    "time": (datetime.time,),
}
#: Sizes, with scales where they count, as cursor.description has them.
_SIZES = {"int": {10}, "bigint": {19}, "smallint": {5}, "tinyint": {3}}
_SIZES |= {"float": {53, 15}, "real": {24, 7}}
_SCALED = {"money": (19, 4), "datetime": (23, 3), "smalldatetime": (16, 0)}


def faults(connection: str) -> dict[str, str]:
    """What is wrong, by the id of the case."""
    pyodbc.pooling = False
    texts = {case["id"]: _fault(connection, case) for case in CASES}
    return {name: text for name, text in texts.items() if text}


def _fault(connection: str, case: dict[str, Any]) -> str:
    _clear_up(connection, case)
    try:
        with contextlib.closing(_connect(connection)) as session:
            return fault(case, partial(_run, session), _same_type)
    finally:
        _clear_up(connection, case)


def _clear_up(connection: str, case: dict[str, Any]) -> None:
    if case.get("teardown"):
        with contextlib.closing(_connect(connection)) as session:
            for batch in case["teardown"]:
                _run(session, batch)


def _connect(connection: str) -> pyodbc.Connection:
    session = pyodbc.connect(connection, autocommit=True)
    session.add_output_converter(_DATETIMEOFFSET, _offset_text)
    return session


def _run(session: pyodbc.Connection, batch: str) -> Answer:
    results: list[Rowset] = []
    messages: list[str] = []
    try:
        cursor = session.execute(batch)
        while True:
            messages += [re.sub(r"^(\[[^\]]*\])+", "", text) for _, text in cursor.messages or ()]
            if cursor.description is not None:
                names = [column[0] for column in cursor.description]
                rows = [list(row) for row in cursor.fetchall()]
                results.append(Rowset(names, list(cursor.description), rows))
            if not cursor.nextset():
                return Answer(results, messages)
    except pyodbc.Error as error:
        text = str(error.args[-1])
        number = re.search(r"\((\d+)\) \(SQL", text, re.DOTALL) or re.search(r"\((\d+)\)", text)
        return Answer(error=text, number=int(number[1]) if number else None)


def _same_type(want: str, column: Any) -> bool:
    """Whether a column of cursor.description may have this type of SQL Server."""
    _, python_type, _, _, size, scale, _ = column
    base, _, digits = want.rstrip(")").partition("(")
    if base not in _PYTHON_TYPES:
        return True  # datetimeoffset: not visible in the description
    if python_type not in _PYTHON_TYPES[base]:
        return False
    if digits:
        return (size, scale) == tuple(int(part) for part in digits.split(","))
    if base in _SCALED:
        return (size, scale) == _SCALED[base]
    return size in _SIZES.get(base, {size})


def _offset_text(raw: bytes) -> str:
    year, month, day, hour, minute, second, nanos, zone_hours, zone_minutes = struct.unpack(
        "<6hI2h", raw
    )
    zone = datetime.timezone(datetime.timedelta(hours=zone_hours, minutes=zone_minutes))
    moment = (year, month, day, hour, minute, second, nanos // 1000)
    return datetime.datetime(*moment, tzinfo=zone).isoformat()


if __name__ == "__main__":
    found = faults(sys.argv[1])
    for name, text in found.items():
        sys.stdout.write(f"{name}{' (disputed)' if name in DISPUTED else ''}: {text}\n")
    sys.stdout.write(f"{len(CASES) - len(found)} of {len(CASES)} cases pass\n")
    sys.exit(bool(set(found) - set(DISPUTED)))
