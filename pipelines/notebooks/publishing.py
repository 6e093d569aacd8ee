"""The notebook `explore` in the form of Synapse, where Spark is at hand."""

from __future__ import annotations

from bikecast.core.spec import ModelSpec
from pipelines.environments import pipeline_tables, place_of
from pipelines.notebooks.documents import cells_of
from pipelines.settings import Settings
from resources.lake.adls import AdlsLake
from resources.spark.livy_session import lake_code
from resources.workspace.synapse_notebooks import NotebookCell, PublishedNotebook, publish

FOLDER = "bikecast"


def publish_notebook(settings: Settings, spec: ModelSpec) -> PublishedNotebook:
    """Store the notebook in the workspace, attached to the Spark pool; read back.

    Raises BikecastError where Synapse refuses it.
    """
    return publish(
        place_of(settings.azure),
        f"bikecast explore {spec.name}",
        synapse_cells(settings, spec),
        pool=settings.azure.spark_pool,
        folder=FOLDER,
    )


def synapse_cells(settings: Settings, spec: ModelSpec) -> list[NotebookCell]:
    """The cells that run on the pool; what this project does on a machine is left out."""
    lake = AdlsLake.of(settings.azure.account, settings.azure.container)
    # Views of tables come by `lake.view`, as nobody can say here what the lake has by then.
    setup = f"%%pyspark\n{lake_code(lake, (), spec.source_file, pipeline_tables([spec]))}"
    instead = {"setup": setup, "stop": "mssparkutils.session.stop()"}
    return [
        NotebookCell(instead.get(cell.place, cell.source), cell.is_text)
        for cell in cells_of("explore", spec)
        if cell.place != "here"
    ]
