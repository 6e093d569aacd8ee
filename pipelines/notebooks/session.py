"""What the notebook `explore` imports: Spark, the lake and the pool of the environment.

In the local environment `spark` is a session of this process, and a cell `%%pyspark` runs here.
In azure it is a Livy session, and such a cell runs on the Synapse Spark pool, where `spark`,
`lake` and `display` have the same names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bikecast.core.errors import InvalidInput
from bikecast.core.sql import ResultSet
from pipelines.environments import (
    lake_session_of,
    pipeline_tables,
    resources_for,
    sql_pool_of,
)
from pipelines.home import open_home
from pipelines.model_files import load_models
from pipelines.models import Model, chosen_model
from pipelines.settings import Settings, load_settings
from resources.spark.lake_session import ConnectLakeSession, check_new_table
from resources.spark.livy_session import LivySession, parts_of

if TYPE_CHECKING:
    import pandas as pd

    from bikecast.core.spec import ModelSpec
    from resources.lake.port import Lake


class Session(NamedTuple):
    """What a notebook works with."""

    spark: Any
    """A SparkSession; in azure a PoolSpark."""
    lake: NotebookLake
    pool: NotebookPool


def open_session(model: str | None = None) -> Session:
    """Spark, lake and SQL pool; `%%sql` and `%%pyspark` are there from then on.

    `model` says which model's files and tables; None is the only one. In azure nothing is started
    before the first cell that needs it.
    """
    settings = load_settings(model=model)
    models = load_models()
    open_home(settings)
    spec = chosen_model(models, settings.model).spec
    session = lake_session_of(settings, models)
    lake = NotebookLake(settings, models, spec, session)
    if isinstance(session, LivySession):
        session.training_csv = lake.stored_csv()
        spark: Any = PoolSpark(session)
    elif isinstance(session, ConnectLakeSession):
        spark = session.spark()
    else:
        raise InvalidInput("this session is for no notebook")
    _register_magics(session)
    return Session(spark, lake, NotebookPool(settings))


def display(rows: Any, most: int = 20) -> None:
    """Show the first rows of a Spark or pandas frame, or anything else as it is."""
    from IPython.display import display as show

    if hasattr(rows, "sparkSession"):
        rows = rows.limit(most).toPandas()
    show(rows.head(most) if hasattr(rows, "head") else rows)  # type: ignore[no-untyped-call]


class NotebookLake:
    """The lake: its files' addresses for Spark, its tables, and what is in them."""

    def __init__(
        self, settings: Settings, models: tuple[Model, ...], spec: ModelSpec, session: Any
    ) -> None:
        self._resources = resources_for(settings, models)
        self._spec = spec
        self._session = session
        self._kept = pipeline_tables(model.spec for model in models)

    def tables(self) -> list[str]:
        """The names of its tables."""
        names: list[str] = self._session.tables()
        return names

    def url(self, path: str) -> str:
        """The address of a lake path for Spark."""
        return self._lake.url(path)

    def training_csv(self) -> str:
        """The address of the training file; a lake without one gets that of the settings first."""
        return self.url(self.stored_csv())

    def stored_csv(self) -> str:
        """The lake path of the training file in the form that Spark reads.

        Raises InvalidInput where the settings' file breaks the schema.
        """
        from resources.lake.csv_file import read_training_csv
        from resources.lake.raw_files import engine_path, store

        spec, lake = self._spec, self._lake
        if lake.stat(spec.source_file) is None:
            with self._resources.sources.fetch(spec.source_file) as fetched:
                content = read_training_csv(
                    fetched.path,
                    spec,
                    source_name=fetched.origin,
                    told=fetched.format,
                    kept_rows=5,
                )
                store(
                    lake,
                    spec.source_file,
                    fetched.path,
                    content,
                    spec,
                    fetched.format,
                    is_checked=False,
                )
        return engine_path(lake, spec.source_file, spec, "training")

    def save(self, frame: Any, name: str) -> None:
        """Make a Spark frame the content of a table of the lake, and a view of its name.

        Raises InvalidInput for a table of the pipeline.
        """
        if not isinstance(self._session, ConnectLakeSession):
            raise InvalidInput("in azure a table is saved on the pool: begin the cell by %%pyspark")
        check_new_table(name, self._kept)
        self._session.save(frame, name)

    def profile(self, name: str) -> None:
        """Show what is in a table, column by column, with a histogram of each."""
        import pandas as pd
        from IPython.display import Image
        from IPython.display import display as show

        from assets.profile_view import profile_lines, profile_plot, profile_rows
        from assets.table_profile import profile_of
        from resources.lake.tables import open_table

        profile = profile_of(open_table(self._lake, f"tables/{name}"), name, self._spec)
        print(*profile_lines(profile), sep="\n")  # noqa: T201 # it is a notebook's output
        show(pd.DataFrame(profile_rows(profile)).fillna(""))  # type: ignore[no-untyped-call]
        show(Image(profile_plot(profile)))  # type: ignore[no-untyped-call]

    @property
    def _lake(self) -> Lake:
        return self._resources.lake


class NotebookPool:
    """The SQL pool; in azure it is resumed for a query where it is paused, and paused again."""

    def __init__(self, settings: Settings) -> None:
        self._pool, self._power = sql_pool_of(settings)

    def sql(self, query: str) -> pd.DataFrame:
        """The last result of a batch of T-SQL."""
        from pipelines.cli.online import online_pool

        with online_pool(self._power), self._pool.session() as session:
            results = session.run(query)
        return frame_of(results[-1] if results else ResultSet((), []))


class PoolSpark:
    """Spark on the pool, from here: `spark.sql`, and `spark.stop`. All else is for `%%pyspark`."""

    def __init__(self, session: LivySession) -> None:
        self._session = session

    def sql(self, query: str) -> pd.DataFrame:
        """The rows of a query."""
        return frame_of(self._session.sql(query))

    def stop(self) -> None:
        """End the session on the pool, so that it costs nothing more."""
        self._session.stop()


def frame_of(result: ResultSet) -> pd.DataFrame:
    """A result as a pandas frame."""
    import pandas as pd

    return pd.DataFrame(result.rows, columns=[column.name for column in result.columns])


def _register_magics(session: Any) -> None:
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise InvalidInput("open_session is for notebooks: there is no IPython here")

    def sql(line: str, cell: str | None = None) -> pd.DataFrame:
        """Spark SQL on the lake's tables."""
        return frame_of(session.sql(cell or line))

    def pyspark(line: str, cell: str) -> None:  # noqa: ARG001 # IPython's signature
        """Python where Spark is: here, or on the pool."""
        if isinstance(session, LivySession):
            for part in parts_of(session.run(cell)):
                display(frame_of(part) if isinstance(part, ResultSet) else _Text(part))
        else:
            shell.ex(cell)

    shell.register_magic_function(sql, "line_cell", "sql")
    shell.register_magic_function(pyspark, "cell", "pyspark")


class _Text(str):
    """A text that a notebook shows without quotes."""

    def __repr__(self) -> str:
        return str(self)
