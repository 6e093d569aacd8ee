"""Notebooks in the Synapse workspace, as the Studio's "Publish all" stores them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from bikecast.core.errors import BikecastError
from resources.azure.refusals import refused_by_azure
from resources.workspace.azure_place import AzurePlace
from resources.workspace.synapse_link import client

if TYPE_CHECKING:
    from azure.synapse.artifacts import models
    from azure.synapse.artifacts.models import NotebookResource

#: Seconds that Synapse may take to store a notebook.
LONGEST = 300
#: Seconds between two looks; the library's own are 30.
POLL_SECONDS = 1


@dataclass(frozen=True)
class NotebookCell:
    """A cell of a notebook: Markdown, or code with its magic (`%%pyspark`, `%%sql`)."""

    source: str
    is_text: bool = False


@dataclass(frozen=True)
class PublishedNotebook:
    """A notebook of the workspace, and its address in Synapse Studio."""

    name: str
    folder: str
    cells: tuple[NotebookCell, ...]
    link: str


def publish(
    place: AzurePlace, name: str, cells: Sequence[NotebookCell], *, pool: str, folder: str
) -> PublishedNotebook:
    """Store a notebook, attached to a Spark pool, in place of one of that name; read back.

    Raises BikecastError where Synapse refuses, or shows something else than was stored.
    """
    from azure.synapse.artifacts import models

    properties = models.Notebook(
        big_data_pool=models.BigDataPoolReference(type="BigDataPoolReference", reference_name=pool),
        session_properties=models.NotebookSessionProperties(
            driver_memory="28g",
            driver_cores=4,
            executor_memory="28g",
            executor_cores=4,
            num_executors=2,
        ),
        metadata=models.NotebookMetadata(language_info=models.NotebookLanguageInfo(name="python")),
        nbformat=4,
        nbformat_minor=2,
        cells=[_cell(cell) for cell in cells],
        folder=models.NotebookFolder(name=folder),
    )
    resource = models.NotebookResource(name=name, properties=properties)
    with _refused(place, f"{name} is not published"):
        calls = client(place.synapse_endpoint).notebook
        calls.begin_create_or_update_notebook(name, resource, polling_interval=POLL_SECONDS).result(
            LONGEST
        )
    published = find(place, name)
    if published is None or published.cells != tuple(cells):
        raise BikecastError(
            f"Synapse accepted the notebook {name}, but does not show it as it was sent. Look "
            "at it in Synapse Studio (Develop, Notebooks), and run this again."
        )
    return published


def find(place: AzurePlace, name: str) -> PublishedNotebook | None:
    """The notebook of a name, or None. Raises BikecastError where Synapse refuses."""
    from azure.core.exceptions import ResourceNotFoundError

    with _refused(place, ""), suppress(ResourceNotFoundError):
        notebook = client(place.synapse_endpoint).notebook.get_notebook(name)
        return None if notebook is None else _described(place, notebook)
    return None


def _described(place: AzurePlace, notebook: NotebookResource) -> PublishedNotebook:
    properties = notebook.properties
    cells = tuple(
        NotebookCell("".join(cell.source), is_text=cell.cell_type == "markdown")
        for cell in properties.cells or ()
    )
    folder = properties.folder.name if properties.folder else ""
    link = (
        f"https://web.azuresynapse.net/authoring/analyze/notebooks/{quote(str(notebook.name))}"
        f"?workspace={quote(place.synapse_id, safe='')}"
    )
    return PublishedNotebook(str(notebook.name), str(folder), cells, link)


def _cell(cell: NotebookCell) -> models.NotebookCell:
    from azure.synapse.artifacts import models

    return models.NotebookCell(
        cell_type="markdown" if cell.is_text else "code",
        metadata={},
        source=cell.source.splitlines(keepends=True),
        outputs=None if cell.is_text else [],
    )


def _refused(place: AzurePlace, unchanged: str) -> AbstractContextManager[None]:
    return refused_by_azure(
        f"the Synapse workspace {place.synapse_workspace} refuses notebooks",
        role="Synapse Administrator",
        scope=place.synapse_workspace,
        unchanged=unchanged,
    )
