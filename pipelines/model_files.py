"""The files pipelines/defs/NAME/defs.yaml: read, with file, line and field of all that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import SpecError
from pipelines.models import Model, name_problems
from pipelines.settings import PROJECT

if TYPE_CHECKING:
    import dagster as dg

DEFS = PROJECT / "pipelines" / "defs"
TYPE = "pipelines.component.ForecastModel"
_FIELDS = ("type", "attributes")
FieldPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """What is wrong with a model's file; `field` is dotted, `line` counts from 1."""

    file: Path
    line: int
    field: str
    text: str

    def __str__(self) -> str:
        file = self.file.relative_to(PROJECT) if self.file.is_relative_to(PROJECT) else self.file
        where = f"{file}:{self.line}: "
        return where + (f"{self.field}: " if self.field else "") + self.text


class ModelFile:
    """One file: its content, the lines of its fields, and what is wrong with it.

    `model` is None where something is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.model: Model | None = None
        self.content: Any = None
        self._root: yaml.Node | None = None
        self._seen: set[int] = set()
        try:
            text = path.read_text("utf-8")
            self._root = yaml.compose(text, Loader=yaml.CSafeLoader)
            self.content = yaml.load(text, Loader=yaml.CSafeLoader)
        except (OSError, UnicodeDecodeError) as error:
            self._add(1, "", f"cannot be read: {error}")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._add(mark.line + 1 if mark else 1, "", f"is not YAML: {error.problem}")
        except (yaml.YAMLError, ValueError) as error:  # 2024-13-01 is a ValueError
            self._add(1, "", f"is not YAML: {error}")
        except RecursionError:
            self._add(1, "", "cannot be read: it is nested too deeply")

    @cached_property
    def is_model(self) -> bool:
        """Whether it is a model of ours, or a file that nobody could load; else it is another
        component."""
        return bool(self.problems or self._other_form()) or self.content.get("type") == TYPE

    def _other_form(self) -> str:
        """Why the file is no component at all; empty where it is one."""
        if not isinstance(self.content, dict):
            what = "empty" if self.content is None else "no mapping"
            return f"the file is {what}; a model's has type: {TYPE}, and attributes"
        kind = self.content.get("type")
        if not isinstance(kind, str):
            return f"is missing; for a model it is {TYPE}"
        module, _, name = kind.rpartition(".")
        if kind == TYPE:
            return ""
        try:
            getattr(import_module(module), name)
        except Exception as error:  # noqa: BLE001  # a module may fail by anything
            return f"{kind} cannot be loaded: {error}; for a model it is {TYPE}"
        return ""

    def read(self) -> ModelFile:
        """Make the model, or collect what is wrong."""
        from pipelines.forecast_model import ForecastModel

        if not self.problems and (other := self._other_form()):
            self._wrong(("type",) if isinstance(self.content, dict) else (), other)
        if self.problems:
            return self
        self._look_for_repetitions(self._root, ())
        attributes = self.content.get("attributes")
        for name in self.content:
            if name not in _FIELDS:
                known = " and ".join(_FIELDS)
                self._wrong((name,), f"is not read in a model's file; it has {known}")
        if not isinstance(attributes, dict):
            self._wrong(("attributes",), "is missing: the model's columns and settings")
            return self
        try:
            component = ForecastModel.model_validate(attributes)
            self.model = component.as_model(self.path.parent.name)
        except SpecError as error:
            self._wrong(("attributes", *spec_path(error, attributes)), str(error))
        except ValidationError as error:
            for each in error.errors():
                self._explain(each, attributes)
        if self.problems:
            self.model = None
        return self

    def _explain(self, error: Any, attributes: dict[str, Any]) -> None:
        """One problem as pydantic tells it."""
        cause = error.get("ctx", {}).get("error")
        if isinstance(cause, SpecError):
            self._wrong(("attributes", *spec_path(cause, attributes)), str(cause))
            return
        path = ("attributes", *error["loc"])
        kind, text = error["type"], error["msg"].removeprefix("Value error, ")
        if kind in ("extra_forbidden", "unexpected_keyword_argument"):
            block = block_of(path[-1])
            text = f"stands under `{block}`" if block else "there is no such field"
        elif kind == "missing":
            text = "is missing"
        elif kind == "value_error":
            pass
        elif isinstance(error["input"], str) and "{{" in error["input"]:
            text = "templates are not read in a model's file; write the value"
        else:
            text = f"{text[:1].lower()}{text[1:]}, not {str(error['input'])[:60]!r}"
        if kind not in ("missing", "extra_forbidden", "unexpected_keyword_argument"):
            path = self.written(path)  # pydantic's path goes on with the type that it tried
            if any(problem.field == _dotted(path) for problem in self.problems):
                return
        self._wrong(path, text)

    def _wrong(self, path: FieldPath, text: str) -> None:
        self._add(self.line_of(path), _dotted(path), text)

    def _add(self, line: int, field: str, text: str) -> None:
        self.problems.append(Problem(self.path, line, field, text))

    def line_of(self, path: FieldPath) -> int:
        """The line of a field, or of the nearest one around it."""
        return self._nearest(path)[0]

    def written(self, path: FieldPath) -> FieldPath:
        """The part of a path that the file has."""
        return path[: self._nearest(path)[1]]

    def field_of_name(self, name: str) -> FieldPath:
        """The field with a name of a table, a job and so on, or with what it is made of."""
        attributes = self.content["attributes"]
        parts = [
            (value, (block, field))
            for block in ("names", "predict")
            for field, value in (attributes.get(block) or {}).items()
            if isinstance(value, str) and value and value.casefold() in name.casefold()
        ]
        return (
            "attributes",
            *(max(parts, key=lambda part: len(part[0]))[1] if parts else ("names",)),
        )

    def _nearest(self, path: FieldPath) -> tuple[int, int]:
        """The line of the nearest field of a path that the file has, and how far down it is."""
        node, line = self._root, 1
        for depth, part in enumerate(path):
            child: yaml.Node | None = None
            if isinstance(node, yaml.MappingNode):
                for key, value in node.value:
                    if key.value == str(part):
                        child, line = value, key.start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and str(part).isdigit():
                child = dict(enumerate(node.value)).get(int(part))
                line = child.start_mark.line + 1 if child else line
            if child is None:
                return line, depth
            node = child
        return line, len(path)

    def _look_for_repetitions(self, node: yaml.Node | None, path: FieldPath) -> None:
        """YAML would silently take the last of two equal fields. A field may hold itself."""
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                place = (*path, key.value)
                if key.value in seen:
                    self._add(key.start_mark.line + 1, _dotted(place), "stands twice")
                seen.add(key.value)
                self._look_for_repetitions(value, place)
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self._look_for_repetitions(value, (*path, number))


def _dotted(path: FieldPath) -> str:
    return ".".join(map(str, path))


def block_of(field: str | int) -> str | None:
    """The block of a file that has this field of a spec; None for a field that stands in none."""
    from pipelines.forecast_model import BLOCKS

    return BLOCKS.get(str(field))


def spec_path(error: SpecError, attributes: dict[str, Any]) -> FieldPath:
    """Where a file has the field of a spec that is wrong."""
    head, *rest = error.path
    if block := block_of(head):
        return (block, head, *rest)
    if head == "name" and "name" not in attributes:
        return ()
    return (head, *rest)


def model_files(folder: Path = DEFS) -> list[ModelFile]:
    """The files of models and those that nobody could load, by folder name; those of other
    components are left out."""
    files = [ModelFile(path) for path in sorted(folder.glob("*/defs.yaml"))]
    return [file for file in files if file.is_model]


def other_definitions(folder: Path = DEFS) -> list[dg.Definitions]:
    """What the other components in the folder define, as Dagster loads them.

    Models are not loaded that way: it takes longer, and it names no line of what is wrong.
    """
    models = {file.path.parent.name for file in model_files(folder)}
    others = sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in models
        and not path.name.startswith(("_", "."))
        and (path.suffix == ".py" or (path.is_dir() and any(path.glob("[!_.]*"))))
    )
    if not others:
        return []
    import dagster as dg

    tree = dg.ComponentTree.for_project(folder)
    return [tree.build_defs_at_path(name) for name in others]


def read_models(files: Sequence[ModelFile]) -> tuple[list[Model], list[Problem]]:
    """The models of these files, and all that is wrong with them, names included."""
    problems = [problem for file in files for problem in file.read().problems]
    by_name = {file.model.spec.name: file for file in files if file.model is not None}
    models = [file.model for file in files if file.model is not None]
    for model, name, text in name_problems([model.spec for model in models]):
        file = by_name[model]
        field = file.written(file.field_of_name(name))
        problems.append(Problem(file.path, file.line_of(field), _dotted(field), text))
    return models, problems


def shown_problems(folder: Path = DEFS) -> list[str]:
    """All that is wrong with the files of a folder, one line each."""
    return [str(problem) for problem in read_models(model_files(folder))[1]]


def load_models(folder: Path = DEFS) -> tuple[Model, ...]:
    """The models of this project. Raises InvalidInput with all that is wrong with their files."""
    models, problems = read_models(model_files(folder))
    if problems:
        lines = "\n  ".join(map(str, problems))
        raise InvalidInput(
            f"The models' files are not valid; nothing was loaded.\n  {lines}\n"
            "Correct them, then: bikecast check"
        )
    return tuple(models)


def read_model(path: Path) -> Model:
    """The model of one file. Raises InvalidInput with all that is wrong with it."""
    models, problems = read_models([ModelFile(path)])
    if problems:
        raise InvalidInput("\n".join(map(str, problems)))
    return models[0]
