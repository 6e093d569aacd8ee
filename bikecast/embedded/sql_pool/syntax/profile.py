"""What does not run, undeclared variables among it; the causes are in constructs.tsv."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, failure, refused, refused_words
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.values.types import SqlType

_STATEMENTS = {
    "SAVE": "A savepoint",
    **dict.fromkeys(("OPEN", "CLOSE", "FETCH", "DEALLOCATE"), "A cursor"),
    "CREATE TRIGGER": "A trigger",
    "CREATE SEQUENCE": "A sequence",
    "CREATE SYNONYM": "A synonym",
    "CREATE TYPE": "A user-defined type",
    "CREATE OR": "CREATE OR ALTER",
    "CREATE UNIQUE": "A unique index",
}
#: The first words of collation names (fn_helpcollations of SQL Server).
COLLATION_FAMILIES = frozenset(
    "ALBANIAN ARABIC ASSAMESE AZERI BASHKIR BENGALI BOSNIAN BRETON CHINESE CORSICAN CROATIAN "
    "CYRILLIC CZECH DANISH DARI DIVEHI ESTONIAN FINNISH FRENCH FRISIAN GEORGIAN GERMAN GREEK "
    "HEBREW HUNGARIAN ICELANDIC INDIC JAPANESE KAZAKH KHMER KOREAN LAO LATIN1 LATVIAN LITHUANIAN "
    "MACEDONIAN MALTESE MAORI MAPUDUNGAN MODERN MOHAWK NEPALI NORWEGIAN PASHTO PERSIAN POLISH "
    "ROMANIAN ROMANSH SAMI SERBIAN SLOVAK SLOVENIAN SQL SYRIAC TAMAZIGHT TATAR THAI TIBETAN "
    "TRADITIONAL TURKISH TURKMEN UIGHUR UKRAINIAN UPPER URDU UZBEK VIETNAMESE WELSH YAKUT".split()
)
_SET_OPTIONS = {
    "NOCOUNT": ("ON", "OFF"),
    "XACT_ABORT": ("ON",),
    "IMPLICIT_TRANSACTIONS": ("OFF",),
    "ROWCOUNT": ("0",),
    "DATEFIRST": ("7",),
    "DATEFORMAT": ("MDY", "DMY", "YMD", "YDM", "MYD", "DYM"),
    **dict.fromkeys(("QUOTED_IDENTIFIER", "CONCAT_NULL_YIELDS_NULL", "ARITHABORT"), ("ON",)),
    **dict.fromkeys(("ANSI_NULLS", "ANSI_PADDING", "ANSI_WARNINGS"), ("ON",)),
    "TRANSACTION ISOLATION LEVEL READ": ("UNCOMMITTED", "COMMITTED"),
}
_QUERY_OPTIONS = frozenset({"LABEL", "MAXDOP", "HASH", "MERGE", "LOOP", "FORCE", "DISABLE"})


def refused_statement(words: list[str]) -> SqlError | None:
    """The error for a statement that starts with these words, or None for a plain parse error."""
    for count in (2, 1):
        if name := _STATEMENTS.get(" ".join(words[:count])):
            return refused(name)
    return refused_words(words)


def check_set_option(name: str, value: str) -> None:
    """Refuse SET options that change how queries work and are not emulated."""
    if value in _SET_OPTIONS.get(name, ()):
        return
    if name == "DATEFORMAT":
        raise SqlError(2741, f"SET DATEFORMAT date order '{value.lower()}' is invalid.")
    raise refused(f"SET {name} {value}")


def collation_rules(name: str) -> set[str]:
    """The rules of a collation, such as CI and AS.

    Raises SqlError 448 for a name that is no collation.
    """
    family, *rules = name.upper().split("_")
    if name.upper() == "DATABASE_DEFAULT":
        return {"CI", "AS"}
    if family not in COLLATION_FAMILIES or not {"CI", "CS", "BIN", "BIN2"} & set(rules):
        raise failure("448", name)
    return set(rules)


def check_column_collation(name: str, type_: SqlType) -> None:
    """Take a column's collation that compares as the database's does, and refuse any other."""
    if not type_.is_text and name.upper() != "DATABASE_DEFAULT":
        raise SqlError(452, "COLLATE clause cannot be used on a column of this type.")
    if not {"CI", "AS"} <= collation_rules(name):
        raise refused(f"The collation {name} of a column")


def only(node: exp.Expression, *arguments: str) -> None:
    """Refuse a node that carries anything beyond the arguments a compiler step reads.

    Nothing that sqlglot understood is dropped silently.
    """
    for name, value in node.args.items():
        if name in arguments or value is None or value is False or value == []:
            continue
        raise refused(_ARGUMENTS.get(name, f"{node.key.upper()} with {name.strip('_')}"))


#: Names for the arguments of sqlglot's trees.
_ARGUMENTS = {
    "default": "INSERT ... DEFAULT VALUES",
    "offset": "OFFSET ... FETCH",
    "for_": "FOR XML or FOR JSON",
    "match": "MATCH",
    "into": "SELECT ... INTO",
    "qualify": "QUALIFY",
    "using": "JOIN ... USING",
    "method": "NATURAL JOIN",
    "pivots": "PIVOT or UNPIVOT",
    "sample": "TABLESAMPLE",
    "laterals": "APPLY",
    "returning": "The OUTPUT clause",
    "windows": "A named WINDOW",
    "catalog": "A cross-database name",
    "rollup": "GROUP BY ... WITH ROLLUP",
    "cube": "GROUP BY ... WITH CUBE",
    "recursive": "WITH RECURSIVE",
}


def check_query_options(options: list[exp.Expression] | None) -> None:
    """Refuse hints that a dedicated pool does not document.

    Source: https://learn.microsoft.com/sql/t-sql/queries/option-clause-transact-sql
    """
    for option in options or ():
        name = option.name.split(" ")[0].upper()
        if name not in _QUERY_OPTIONS:
            raise refused(f"OPTION ({option.name.upper()})")


def check_declared(statements: Iterable[st.Statement], variables: Iterable[str]) -> None:
    """Raise SqlError 137 for a variable that neither `variables` nor a DECLARE before it names."""
    names = {name.lower() for name in variables}
    for declared, used in _uses(tuple(statements)):
        if used and used.lower() not in names:
            raise failure("137", used)
        if declared:
            names.add(declared.lower())


def _uses(item: object) -> Iterator[tuple[str, str]]:
    """Declared and used names in the order of the text; one of the two is empty."""
    if isinstance(item, exp.Expression):
        for node in item.find_all(exp.Parameter, bfs=False):
            if not isinstance(node.this, exp.Parameter) and not isinstance(
                node.parent, exp.Parameter
            ):
                yield "", node.name
    elif isinstance(item, tuple | list):
        for part in item:
            yield from _uses(part)
    elif isinstance(item, st.Declare):
        for _, _, value in item.variables:
            yield from _uses(value)
        for name, _, _ in item.variables:
            yield name, ""
    elif isinstance(item, st.CreateProcedure | st.CreateFunction | st.CreateView):
        return  # a definition has variables of its own
    elif dataclasses.is_dataclass(item):
        if isinstance(item, st.SetVariable):
            yield "", item.name
        if isinstance(item, st.ExecuteProcedure) and item.status:
            yield "", item.status
        for field in dataclasses.fields(item):
            yield from _uses(getattr(item, field.name))
