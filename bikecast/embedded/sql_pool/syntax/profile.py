"""What a dedicated SQL pool refuses, by name, so that the error says what to do.

Source: https://learn.microsoft.com/azure/synapse-analytics/sql/overview-features and the pages
of the statements. Whatever is neither here nor known to the compiler is refused as well.
"""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, not_emulated, unsupported
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.values.types import SqlType

#: Statements that a dedicated pool does not have.
_NO_STATEMENT = {
    "SAVE": "A savepoint",
    "OPEN": "A cursor",
    "CLOSE": "A cursor",
    "FETCH": "A cursor",
    "DEALLOCATE": "A cursor",
    "GOTO": "GOTO",
    "WAITFOR": "WAITFOR",
    "BACKUP": "BACKUP",
    "RESTORE": "RESTORE",
}
#: Statements that a dedicated pool has and the embedded pool has not.
_NOT_EMULATED = frozenset(
    "GRANT REVOKE DENY DBCC KILL EXPLAIN LABEL CHECKPOINT REVERT RECONFIGURE".split()
)
#: Functions that a dedicated pool lacks.
NO_FUNCTION = frozenset(
    "CHOOSE PARSE TRY_PARSE STRING_ESCAPE TRANSLATE SCOPE_IDENTITY IDENT_CURRENT ERROR_LINE "
    "CHECKSUM_AGG GROUPING_ID "
    "OPENROWSET OPENQUERY OPENXML OPENDATASOURCE OPENJSON GENERATE_SERIES GREATEST LEAST "
    "DATETRUNC DATE_BUCKET".split()
)
#: The first words of collation names (fn_helpcollations of SQL Server).
COLLATION_FAMILIES = frozenset(
    "ALBANIAN ARABIC ASSAMESE AZERI BASHKIR BENGALI BOSNIAN BRETON CHINESE CORSICAN CROATIAN "
    "CYRILLIC CZECH DANISH DARI DIVEHI ESTONIAN FINNISH FRENCH FRISIAN GEORGIAN GERMAN GREEK "
    "HEBREW HUNGARIAN ICELANDIC INDIC JAPANESE KAZAKH KHMER KOREAN LAO LATIN1 LATVIAN LITHUANIAN "
    "MACEDONIAN MALTESE MAORI MAPUDUNGAN MODERN MOHAWK NEPALI NORWEGIAN PASHTO PERSIAN POLISH "
    "ROMANIAN ROMANSH SAMI SERBIAN SLOVAK SLOVENIAN SQL SYRIAC TAMAZIGHT TATAR THAI TIBETAN "
    "TRADITIONAL TURKISH TURKMEN UIGHUR UKRAINIAN UPPER URDU UZBEK VIETNAMESE WELSH YAKUT".split()
)
NO_VARIABLE = frozenset("IDENTITY NESTLEVEL FETCH_STATUS CURSOR_ROWS PROCID".split())
_SET_OPTIONS = {
    "NOCOUNT": ("ON", "OFF"),
    "XACT_ABORT": ("ON",),
    "IMPLICIT_TRANSACTIONS": ("OFF",),
    "ROWCOUNT": ("0",),
    "DATEFIRST": ("7",),
    "DATEFORMAT": ("MDY", "DMY", "YMD", "YDM", "MYD", "DYM"),
    "QUOTED_IDENTIFIER": ("ON",),
    "ANSI_NULLS": ("ON",),
    "ANSI_PADDING": ("ON",),
    "ANSI_WARNINGS": ("ON",),
    "ARITHABORT": ("ON",),
    "CONCAT_NULL_YIELDS_NULL": ("ON",),
    "TRANSACTION ISOLATION LEVEL READ": ("UNCOMMITTED", "COMMITTED"),
}
#: Options that a dedicated pool has, and of which the embedded pool has not all values.
_SESSION_OPTIONS = frozenset(
    "DATEFIRST DATEFORMAT LANGUAGE IMPLICIT_TRANSACTIONS ROWCOUNT LOCK_TIMEOUT".split()
)
_QUERY_OPTIONS = frozenset({"LABEL", "MAXDOP", "HASH", "MERGE", "LOOP", "FORCE", "DISABLE"})


def refused_statement(word: str) -> SqlError | None:
    """The error for a statement that starts with `word`, or None for a plain parse error."""
    if word in _NO_STATEMENT:
        return unsupported(_NO_STATEMENT[word])
    if word in _NOT_EMULATED:
        return not_emulated(word)
    return None


def check_set_option(name: str, value: str) -> None:
    """Refuse SET options that change how queries work and are not emulated."""
    if value in _SET_OPTIONS.get(name, ()):
        return
    if name == "DATEFORMAT":
        raise SqlError(2741, f"SET DATEFORMAT date order '{value.lower()}' is invalid.")
    if name.split(" ")[0] in _SESSION_OPTIONS:
        raise not_emulated(f"SET {name} {value}")
    raise unsupported(f"SET {name} {value}")


def check_column_collation(name: str, type_: SqlType) -> None:
    """Take a column's collation that compares as the database's does, and refuse any other.

    Raises SqlError 448 for a name that is no collation.
    """
    rules = name.upper().split("_")
    if name.upper() == "DATABASE_DEFAULT":
        return
    if not type_.is_text:
        raise SqlError(452, "COLLATE clause cannot be used on a column of this type.")
    if rules[0] not in COLLATION_FAMILIES or not {"CI", "CS", "BIN", "BIN2"} & set(rules):
        raise SqlError(448, f"Invalid collation '{name}'.")
    if not {"CI", "AS"} <= set(rules):
        raise not_emulated(f"The collation {name} of a column")


def first_in_batch(words: str) -> SqlError:
    """The error for a definition that is not alone in its batch."""
    return SqlError(111, f"'{words}' must be the first statement in a query batch.")


def must_be_first(statement: st.Statement) -> SqlError:
    """The error for CREATE VIEW and its kin behind another statement."""
    noun = type(statement).__name__.removeprefix("Create").upper()
    return first_in_batch("CREATE SCHEMA" if noun == "SCHEMA" else f"CREATE/ALTER {noun}")


def only(node: exp.Expression, *arguments: str) -> None:
    """Refuse a node that carries anything beyond the arguments a compiler step reads.

    Nothing that sqlglot understood is dropped silently.
    """
    for name, value in node.args.items():
        if name in arguments or value is None or value is False or value == []:
            continue
        raise unsupported(_ARGUMENTS.get(name, f"{node.key.upper()} with {name.strip('_')}"))


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
            raise unsupported(f"OPTION ({option.name.upper()})")
