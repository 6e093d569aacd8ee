"""The models of an installation: each with its spec and where its files come from."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import ModelSpec
from pipelines.settings import PROJECT, Settings
from resources.lake.sources import SAMPLE, STANDARD_INPUT, Sample

#: Dagster has one namespace for them: an asset is an op, and a job a graph.
_LOCATION = "asset, job or sensor"
#: Names of jobs and sensors that belong to no model.
SHARED_NAMES = frozenset(
    {
        "automl_run_sensor",
        "spark_sensor",
        "sql_pool_sensor",
        "cancel_automl_run",
        "failure_alerts",
        "check_alerts",
    }
)

#: Settings that are about the files of one model.
_OF_ONE_MODEL = (
    *("csv", "forecast", "scoring_table"),
    *("rename", "delimiter", "decimal", "date_format", "encoding", "start_date"),
)


@dataclass(frozen=True)
class Model:
    """One model: its spec, the sources of its two files, and what stands in for them.

    `csv` and `forecast` are paths or URLs, or None for what the settings say or the lake has.
    `samples` are generated files by lake path.
    """

    spec: ModelSpec
    csv: str | None = None
    forecast: str | None = None
    samples: Mapping[str, Sample] = field(default_factory=dict)


def check_names(specs: Sequence[ModelSpec]) -> None:
    """Raise InvalidInput where two models share a name that only one may have, or where Dagster
    has a name for itself.

    Names that differ only in case are the same: SQL has them so.
    """
    if problems := name_problems(specs):
        raise InvalidInput(
            "The models' names do not go; nothing was loaded.\n  "
            + "\n  ".join(text for *_, text in problems)
            + "\nGive the model another `name`, or say that name in its defs.yaml."
        )


def name_problems(specs: Sequence[ModelSpec]) -> list[tuple[str, str, str]]:
    """The names that two models share, or that Dagster does not take: the (later) model's name,
    that name, and a sentence."""
    problems: list[tuple[str, str, str]] = []
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in SHARED_NAMES:
        owners[_LOCATION, name].append("the installation")
    for spec in specs:
        owned = spec.owned_names()
        owned[_LOCATION] = (*owned.pop("asset"), *automation_names(spec))
        problems += [
            (
                spec.name,
                name,
                f"{name!r} of {spec.name} can be no {_LOCATION}: it has other "
                "characters than letters, digits and underscores, or is a reserved word",
            )
            for name in owned[_LOCATION]
            if not _is_taken_by_dagster(name)
        ]
        for kind, names in owned.items():
            for name in names:
                owners[kind, name.casefold()].append(spec.name)
    return problems + [
        (names[-1], name, f"the {kind} {name} is of {' and of '.join(names)}")
        for (kind, name), names in owners.items()
        if len(names) > 1
    ]


def _is_taken_by_dagster(name: str) -> bool:
    """Whether Dagster takes a name: of letters, digits and underscores, and no reserved word."""
    import dagster as dg

    try:
        dg.GraphDefinition(name=name)
    except dg.DagsterInvalidDefinitionError:
        return False
    return True


def automation_names(spec: ModelSpec) -> tuple[str, ...]:
    """Names of a model's jobs, schedules and sensors."""
    own = (
        *("train", "finish_training", "score", "rollback", "rescore", "cancel_training", "cancel"),
        *("new_files", "new_days", "automation", "retrain_on_drift", "rollback_bad_model"),
        *(spec.schedules.retrain_name, spec.schedules.score_name),
    )
    return (spec.name, *(spec.named(name) for name in own))


def chosen_model(models: Sequence[Model], name: str | None) -> Model:
    """The model of this name (`--model`, BIKECAST_MODEL); None is the only one.

    Raises InvalidInput that names those that there are.
    """
    by_name = {model.spec.name: model for model in models}
    there = ", ".join(sorted(by_name))
    if not models:
        raise InvalidInput(
            "There is no model; nothing was done. Make one: bikecast new-model NAME --csv FILE "
            "--target COLUMN"
        )
    if name is None and len(models) > 1:
        raise InvalidInput(
            f"There are several models: {there}. Nothing was done. Say which one: --model NAME, or "
            "set BIKECAST_MODEL."
        )
    if name is not None and name not in by_name:
        raise InvalidInput(f"There is no model {name!r}; there are: {there}. Nothing was done.")
    return models[0] if name is None else by_name[name]


def source_folders(settings: Settings, sources: Iterable[str | None]) -> tuple[Path, ...]:
    """The folders below which the configuration of a run may name files.

    By default the project, the home, and the folder of each file in `sources`.
    """
    if settings.source_folders:
        return tuple(map(Path, settings.source_folders.split(os.pathsep)))
    files = (
        Path(source).expanduser().absolute()
        for source in sources
        if source and source not in (SAMPLE, STANDARD_INPUT) and "://" not in source
    )
    return tuple(dict.fromkeys((PROJECT, settings.home, *(file.parent for file in files))))


def source_paths(settings: Settings, models: Sequence[Model]) -> dict[str, str | None]:
    """Where each file comes from, by lake path: the settings' files are the chosen model's.

    Raises InvalidInput where the settings say anything of files and not for which model.
    """
    paths: dict[str, str | None] = {}
    for model in models:
        paths |= {model.spec.source_file: model.csv, model.spec.scoring_file: model.forecast}
    set_here = [f"BIKECAST_{name.upper()}" for name in _OF_ONE_MODEL if getattr(settings, name)]
    if not set_here:
        return paths
    if settings.model is None and len(models) != 1:
        raise InvalidInput(
            f"Set, but not for which of the models: {', '.join(set_here)}. The models are "
            f"{', '.join(model.spec.name for model in models)}. Nothing was started. Set "
            "BIKECAST_MODEL, or write `csv` and `forecast` into the models' files."
        )
    spec = chosen_model(models, settings.model).spec
    for path, source in {
        spec.source_file: settings.csv,
        spec.scoring_file: settings.forecast,
    }.items():
        paths[path] = source or paths[path]
    return paths
