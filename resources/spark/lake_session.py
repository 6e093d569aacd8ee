"""The lake's tables in a Spark session of this process: each a view of its name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.sql import ResultColumn, ResultSet
from resources.lake.local import LocalLake
from resources.spark.delta_rows import delta_rows
from resources.spark.errors import cause, spark_errors

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: The lake's folder of tables.
TABLES = "tables"
#: A result is a list in this process, so that it may not be of any size.
MOST_ROWS = 100_000
#: SQL Server's names of the types whose cells are printed in a way of their own.
_SQL_TYPES = {"float": "real", "boolean": "boolean"}


class ConnectLakeSession:
    """The session of a remote (see `session_for`) on a lake in a folder; a LakeSession.

    It is opened by the first use, and ends with `stop` or with the process.
    """

    def __init__(self, remote: str, lake: LocalLake) -> None:
        self._remote = remote
        self._lake = lake

    def tables(self) -> list[str]:
        """The names of the lake's tables, in alphabetical order."""
        folder = self._lake.local_path(TABLES)
        return sorted(log.parent.name for log in folder.glob("*/_delta_log"))

    def spark(self) -> SparkSession:
        """The session, in which each table is a view of its current version.

        Raises BikecastError where it cannot be opened.
        """
        from resources.spark.sessions import session_for

        session = session_for(self._remote)
        reads_delta = not self._remote.startswith("local")
        for name in self.tables():
            place = self._lake.local_path(f"{TABLES}/{name}")
            rows = delta_rows(session, place, f"{TABLES}/{name}", reads_delta=reads_delta)
            rows.createOrReplaceTempView(name)
        return session

    def sql(self, query: str, *, most: int = MOST_ROWS) -> ResultSet:
        """The rows of one query of Spark SQL.

        Raises InvalidInput for a statement that changes something, and for more than `most` rows;
        BikecastError where Spark refuses the query.
        """
        check_reads(query)
        try:
            return result_of(self.spark().sql(query), most)
        except spark_errors() as error:
            raise BikecastError(refusal(error, self.tables())) from error

    def save(self, rows: DataFrame, name: str) -> int:
        """Make rows the content of a table of the lake, and its view; returns its Delta version.

        Their files are the engine's, and the commit is atomic: the table is the old or the new.
        Raises BikecastError where they cannot be written.
        """
        import shutil
        from uuid import uuid4

        import pyarrow.parquet as pq

        from resources.lake.parquet_folders import commit_files, local_files
        from resources.spark.scoring import write_folder

        path, folder = f"{TABLES}/{name}", f"saved-{uuid4().hex}"
        place = self._lake.local_path(path)
        try:
            write_folder(rows, str(place / folder))
            schema = pq.read_schema(next((place / folder).glob("*.parquet")))
            files = local_files(place, folder, schema)
            version = commit_files(self._lake, path, files, schema, {})
        except spark_errors() as error:
            shutil.rmtree(place / folder, ignore_errors=True)
            raise BikecastError(f"cannot save {name}: {cause(error)}. It is as it was") from error
        self.spark()
        return version

    def stop(self) -> None:
        """End the session; the next use opens another one."""
        from resources.spark.sessions import stop_all

        stop_all()

    def leave(self) -> None:
        """Nothing: it ends with this process."""


def check_new_table(name: str, kept: Collection[str]) -> None:
    """Raise InvalidInput for a name that no table saved by hand may have.

    `kept` are the tables of the pipeline: what replaces one would go into the next training.
    """
    if not name.isidentifier():
        raise InvalidInput(f"{name!r} is no name of a table. Nothing was saved.")
    if name.casefold() in {each.casefold() for each in kept}:
        raise InvalidInput(
            f"{name} is a table of the pipeline, which `bikecast run` changes. Nothing was saved; "
            "take another name."
        )


def statements(script: str) -> list[str]:
    """The statements of a script of Spark SQL, which semicolons separate.

    Raises InvalidInput where a quote or a comment is not closed.
    """
    tokens = _tokens(script)
    ends = [t.start for t in tokens if t.token_type.name == "SEMICOLON"] + [len(script)]
    starts = [0, *(end + 1 for end in ends[:-1])]
    return [text for a, b in zip(starts, ends, strict=True) if _tokens(text := script[a:b].strip())]


def check_reads(query: str) -> None:
    """Raise InvalidInput for a statement that is no query.

    Who changes a table here changes it for nobody else: a session's own tables go with it.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    first = next((token.text.upper() for token in _tokens(query)), "")
    if first in ("SHOW", "DESCRIBE", "DESC", "EXPLAIN", "TABLE"):
        return
    try:
        tree = sqlglot.parse_one(query, read="spark")
    except SqlglotError:
        is_query = first in ("SELECT", "WITH", "FROM", "VALUES", "(")
    else:
        is_query = isinstance(tree, exp.Query | exp.Values) and not tree.find(exp.DML, exp.DDL)
    if not is_query:
        raise InvalidInput(
            f"{first or 'An empty text'} is no query. Nothing was run: the lake's tables change "
            "by `bikecast run` only. SELECT, SHOW, DESCRIBE and EXPLAIN are taken."
        )


def result_of(rows: DataFrame, most: int) -> ResultSet:
    """The rows of a frame as a list; raises InvalidInput where there are more than `most`."""
    columns = [(field.name, field.dataType.simpleString()) for field in rows.schema]
    values = [tuple(map(_plain, row)) for row in rows.limit(most + 1).collect()]
    if len(values) > most:
        raise too_many_rows(most)
    types = tuple(ResultColumn(name, _SQL_TYPES.get(kind, kind)) for name, kind in columns)
    return ResultSet(types, values)


def too_many_rows(most: int) -> InvalidInput:
    """The refusal of a result that does not belong into this process."""
    return InvalidInput(
        f"The result has more than {most:,} rows. Nothing was printed; add a LIMIT, or let the "
        "query count."
    )


def refusal(error: Exception, tables: Sequence[str]) -> str:
    """Why Spark refuses a query, for people."""
    text = f"Spark SQL: {cause(error)}"
    if "TABLE_OR_VIEW_NOT_FOUND" in str(error):
        there = ", ".join(tables)
        text += (
            f"\nThe lake's tables are: {there}."
            if there
            else "\nThe lake has no table yet: `bikecast run` first."
        )
    return text


def _plain(value: Any) -> Any:
    """A struct as a dict; other values as they are."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if hasattr(value, "asDict"):
        return {name: _plain(item) for name, item in value.asDict().items()}
    return value


def _tokens(text: str) -> list[Any]:
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return list(sqlglot.tokenize(text, read="spark"))
    except SqlglotError as error:
        raise InvalidInput(f"The query cannot be read: {error}. Nothing was run.") from error
