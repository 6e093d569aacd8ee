"""A model's file from a CSV: columns and types as the AutoML infers them, with comments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import PRIMARY_METRICS
from bikecast.core.urls import is_url, public_url
from pipelines.model_files import DEFS, TYPE, read_model, shown_problems
from pipelines.models import Model
from pipelines.settings import PROJECT
from resources.lake.local import LocalLake
from resources.lake.port import FetchedFile
from resources.lake.sources import SAMPLE, STANDARD_INPUT, Sources

if TYPE_CHECKING:
    import pyarrow as pa

_MISSING = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "#N/A")
_DATE_FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d")
#: A moment in ISO's form: as text, such moments are in order.
_MOMENT = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?$"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
#: Texts in a file get at most twice as long as those that were seen.
_SPARE = 2


@dataclass(frozen=True)
class Wish:
    """What a new model is to be: the wizard's fields; the files are paths or URLs."""

    name: str
    csv: str
    target: str
    keys: tuple[str, ...] = ()
    time: str | None = None
    metric: str = "spearman_correlation"
    forecast: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """What the files call a column, by its name."""


@dataclass
class Draft:
    """The columns of a new model, as text for its file, and what people should know."""

    features: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    segments: list[str] = field(default_factory=list)
    time_key: str | None = None
    target: str = ""
    notes: list[str] = field(default_factory=list)


def make_model(wish: Wish, folder: Path = DEFS) -> tuple[Path, Model, list[str]]:
    """Infer, write and read back; returns the file, its model and notes for people.

    The file is kept only where it can be read and the CSV fits it. Raises InvalidInput.
    """
    place = folder / wish.name / "defs.yaml"
    if place.parent.exists() and any(place.parent.iterdir()):
        raise InvalidInput(f"{place.parent} is there already; nothing was changed.")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", wish.name):
        raise InvalidInput(
            f"The name {wish.name!r} is not a letter with letters, digits and underscores. "
            "Nothing was written."
        )
    if wish.metric not in PRIMARY_METRICS:
        known = ", ".join(PRIMARY_METRICS)
        raise InvalidInput(
            f"The metric {wish.metric!r} is not one of {known}. Nothing was written."
        )
    for source in (wish.csv, wish.forecast):
        if source in (SAMPLE, STANDARD_INPUT):
            raise InvalidInput(
                f"{source} is no file that a run could read again. Nothing was written; name a "
                "path or a URL."
            )
    training, scoring = "training.csv", "scoring.csv"
    with TemporaryDirectory(prefix="bikecast-") as empty:
        sources = {training: wish.csv, scoring: wish.forecast or wish.csv}
        held = [training, *([scoring] if wish.forecast else [])]
        with Sources(LocalLake(root=empty), sources).hold(*held) as files:
            if any(file.parts for file in files.values()):
                raise InvalidInput(
                    "A model is inferred from one file. Nothing was written; name one of the "
                    "files, then say csv: FOLDER in the model's file, or run with --csv FOLDER."
                )
            try:
                model, notes = _written(wish, place, files[training], files.get(scoring))
            except InvalidInput as error:  # readers of a training say what did not happen there
                text = str(error).replace("Nothing was trained.", "Nothing was written.")
                raise InvalidInput(text) from None
    return place, model, notes


def _written(
    wish: Wish, place: Path, training: FetchedFile, scoring: FetchedFile | None
) -> tuple[Model, list[str]]:
    """Infer, write and read back from files that are here."""
    from resources.lake.csv_file import read_scoring_csv, read_training_csv

    draft = inferred(wish, training)
    folder = place.parent.parent
    place.parent.mkdir(parents=True, exist_ok=True)
    own_lines = rf"(?m)^.*{wish.name}[/\\]defs\.yaml:\d+: (attributes[\w.]*: )?"
    try:
        place.write_text(file_text(wish, draft), encoding="utf-8")
        model = read_model(place)
        if problems := shown_problems(folder):
            raise InvalidInput("\n".join(problems))
        read_training_csv(training.path, model.spec, source_name=training.origin, trainable=True)
        scored = scoring or training
        read_scoring_csv(scored.path, model.spec, source_name=scored.origin)
    except BaseException as error:
        place.unlink(missing_ok=True)
        place.parent.rmdir()
        if not isinstance(error, InvalidInput):
            raise
        text = re.sub(own_lines, "", str(error))  # lines of a file that is not there
        raise InvalidInput(f"{text}\nNothing was written.") from None
    return model, draft.notes


def inferred(wish: Wish, file: FetchedFile) -> Draft:
    """The columns of the CSV. Raises InvalidInput for a column that is not there, and a target
    that is no number."""
    from bikecast.embedded.automl import read_csv, tabular_data

    content = read_csv(file.path)
    texts, draft = renamed(content.table, wish, file), Draft(notes=list(content.notes))
    table = texts
    if not texts.num_rows:
        raise InvalidInput(f"{file.origin} has no row below its header. Nothing was written.")
    draft.notes += [
        f"{public_url(source)} is written without the rest of the address, which may be a key; to "
        f"run, set {setting} to all of it"
        for source, setting in ((wish.csv, "BIKECAST_CSV"), (wish.forecast, "BIKECAST_FORECAST"))
        if source and is_url(source) and public_url(source) != source
    ]
    for place, name in enumerate(texts.column_names):
        table = table.set_column(place, name, typed(texts[name]))
    keys = list(dict.fromkeys([*wish.keys, *([wish.time] if wish.time else [])]))
    named = [wish.target, *keys]
    if unknown := [name for name in named if name not in table.column_names]:
        raise InvalidInput(
            f"{file.origin} has no column {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(table.column_names)}. Nothing was written."
        )
    if wrong := [name for name in named if not _IDENTIFIER.fullmatch(name)]:
        raise InvalidInput(
            f"{', '.join(map(repr, wrong))} cannot be a column in SQL: letters, digits and "
            "underscores, and no digit first. Nothing was written; give it another name: "
            f"--rename 'COLUMN={wrong[0]}'"
        )
    if wish.target in keys:
        raise InvalidInput(f"{wish.target!r} is the target, and no key. Nothing was written.")
    for name in named:
        if holes := table[name].null_count:
            first = table[name].is_null().index(True).as_py() + 1
            raise InvalidInput(
                f"{file.origin}: column {name!r} has no value in {holes} rows, the first of them "
                f"row {first} below the header; the target and each key need one. Nothing was "
                "written."
            )
    dates = {name: form for name in table.column_names if (form := date_format(table[name]))}
    moments = [name for name in table.column_names if is_moment(table[name])]
    if not keys and (first := _only_time(table, [*dates, *moments])):
        keys, draft.time_key = [first], first
        draft.notes.append(f"rows are ordered in time by {first!r}, which is their key")
    if wish.time and _is_text(table[wish.time]) and wish.time not in [*dates, *moments]:
        raise InvalidInput(
            f"{wish.time!r} cannot order rows in time: its values, such as "
            f"{table[wish.time][0].as_py()!r}, are no dates, moments or numbers. Nothing was "
            "written. ISO's form is 2024-12-31 or 2024-12-31 23:59:59."
        )
    draft.time_key = wish.time or draft.time_key
    if draft.time_key is None and keys:
        draft.time_key = next((key for key in keys if key in [*dates, *moments]), None)
    if keys and table.select(keys).group_by(keys).aggregate([]).num_rows != table.num_rows:
        raise InvalidInput(
            f"{', '.join(keys)}: two rows have the same. Nothing was written. Keys tell each row "
            "from all others: name more of them by --key."
        )
    chosen = [
        name
        for name in table.column_names
        if _is_feature(name, table, wish, keys, [*dates, *moments], draft)
    ]
    if not chosen:
        reasons = "".join(f"\n{note}" for note in draft.notes)
        raise InvalidInput(
            f"{file.origin} has no column to learn from. Nothing was written.{reasons}"
        )
    tabular = tabular_data(texts, target=wish.target, features=chosen, name=file.path.name)
    codes = {column.name: column.codes for column in tabular.spec.features}
    for name in chosen:
        kind = _type(table[name])
        numbers = kind == "type: bigint" and codes.get(name)
        draft.features.append(
            f"name: {_yaml(name)}, {kind}" + (f", codes: {list(numbers)}" if numbers else "")
        )
    draft.segments = [name for name in tabular.spec.segments if name in chosen]
    draft.target = f"name: {_yaml(wish.target)}, {_type(table[wish.target])}"
    draft.keys = [f"name: {_yaml(key)}, {_type(table[key], dates.get(key))}" for key in keys]
    return draft


def renamed(table: pa.Table, wish: Wish, file: FetchedFile) -> pa.Table:
    """The table by the model's names. Raises InvalidInput for a rename that cannot be."""
    columns, problem = wish.columns, ""
    own_names = {name: column for column, name in columns.items()}
    names = [own_names.get(name, name) for name in table.column_names]
    for column, name in columns.items():
        if name not in table.column_names:
            problem = (
                f"{file.origin} has no column {name!r}; it has {', '.join(table.column_names)}"
            )
        elif not _IDENTIFIER.fullmatch(column):
            problem = f"{column!r} cannot be a column in SQL"
        elif names.count(column) > 1:
            problem = f"{file.origin} has a column {column!r} already"
    if problem:
        raise InvalidInput(f"{problem}. Nothing was written.")
    return table.rename_columns(names)


def _is_feature(
    name: str,
    table: pa.Table,
    wish: Wish,
    keys: Sequence[str],
    times: Sequence[str],
    draft: Draft,
) -> bool:
    """Whether a column can be an input; where not, it is ignored with a note."""
    import pyarrow as pa

    if name == wish.target or name in keys:
        return False
    values, reason = table[name], ""
    if not _IDENTIFIER.fullmatch(name):
        reason = f"its name is none in SQL; --rename 'COLUMN={name}' gives it one"
    elif name in times:
        reason = "it is a date; add its parts, such as month, weekday and hour, to the CSV"
    elif pa.types.is_null(values.type):
        reason = "it has no value"
    elif values.null_count:
        reason = f"{values.null_count} rows have no value, which training does not take"
    elif _is_text(values) and len(values.unique()) == len(values):
        reason = f"each row has another text, such as {values[0].as_py()[:40]!r}"
    if reason:
        draft.ignored.append(name)
        draft.notes.append(f"column {name!r} is left out: {reason}")
    return not reason


def date_format(values: pa.ChunkedArray) -> str:
    """The strptime format of a column of dates; empty for another one."""
    import pyarrow.compute as pc

    if not _is_text(values) or values.null_count:
        return ""
    for form in _DATE_FORMATS:
        if not pc.strptime(values, form, "s", error_is_null=True).null_count:
            return form
    return ""


def is_moment(values: pa.ChunkedArray) -> bool:
    """Whether a column has dates with a time, in ISO's form."""
    import pyarrow.compute as pc

    if not _is_text(values) or values.null_count:
        return False
    return bool(pc.all(pc.match_substring_regex(values, _MOMENT)).as_py())


def _is_text(values: pa.ChunkedArray) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(values.type))


def _only_time(table: pa.Table, times: Sequence[str]) -> str | None:
    """The only column of dates or moments, where it tells each row from the others."""
    if len(times) != 1:
        return None
    [time] = times
    is_key = len(table[time].unique()) == table.num_rows
    return time if is_key and _IDENTIFIER.fullmatch(time) else None


def typed(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of texts as whole numbers, as floats with a point or a comma, or as it is; words for
    nothing are nulls."""
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = pc.is_in(texts, pa.array(_MISSING))
    values = pc.if_else(missing, pa.scalar(None, pa.string()), texts)
    if values.null_count == len(values):
        return values.cast(pa.null())
    with_point = pc.replace_substring(values, ",", ".")
    for written, kind in ((values, pa.int64()), (values, pa.float64()), (with_point, pa.float64())):
        try:
            return written.cast(kind)
        except pa.ArrowInvalid:
            continue
    return values


def _type(values: pa.ChunkedArray, date: str | None = None) -> str:
    """The fields of a column in the file that say its type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if date:
        return f'type: date, format: "{date}"'
    if pa.types.is_integer(values.type):
        return "type: float" if values.null_count else "type: bigint"
    if pa.types.is_floating(values.type):
        return "type: float"
    longest = pc.max(pc.utf8_length(values)).as_py() or 1
    return f"type: varchar, length: {min(8000, max(16, _SPARE * longest))}"


def file_text(wish: Wish, draft: Draft) -> str:
    """The content of defs.yaml."""
    lines = [
        f"# Made of {Path(_source(wish.csv)).name} by `bikecast new-model`. What each field means:",
        "# docs/models.md; after an edit: bikecast check",
        f"type: {TYPE}",
        "",
        "attributes:",
        f"  description: Predicts {wish.target}.",
        f"  csv: {_quoted(_source(wish.csv))} # training data: path or URL",
        f"  forecast: {_quoted(_source(wish.forecast or wish.csv))} # the rows to score",
        "",
        "  # What the model learns from, in this order. A value that is not among `codes`, below",
        "  # `minimum` or above `maximum` is refused; one that is `suspicious` is flagged.",
        "  features:",
        *(f"    - {{{text}}}" for text in draft.features),
        "  # The number to predict; `minimum` is also that of a plausible prediction.",
        f"  target: {{{draft.target}}}",
    ]
    if draft.keys:
        lines += [
            "  # They tell each row from all others, and are never an input.",
            "  keys:",
            *(f"    - {{{text}}}" for text in draft.keys),
        ]
    if draft.time_key:
        lines.append(f"  time_key: {_yaml(draft.time_key)} # scores are of the latest rows, too")
    if wish.columns:
        names = ", ".join(
            f"{_yaml(column)}: {_quoted(name)}" for column, name in wish.columns.items()
        )
        lines.append(f"  columns: {{{names}}} # what the files call them")
    if draft.ignored:
        lines.append(f"  ignored: {_list(draft.ignored)}")
    if draft.segments:
        lines.append(f"  segments: {_list(draft.segments)} # scores are split by their values")
    lines += [
        "  suspicious_treatment: flag # or impute, or drop",
        "",
        "  training: # the wizard `Train a new model`",
        f"    primary_metric: {wish.metric}",
        "    max_training_hours: 0.25",
        "    max_concurrent_trials: 2",
        "    onnx_compatible: true",
        "",
        "  # predict: # the wizard `Predict with a model`; each name derives from the folder's",
        "  #   output: variable_out1",
        "  #   output_type: real # or float, int, bigint, decimal(p, s)",
        "  #   inputs: {} # columns of the rows to score that have another name: {input: column}",
        '  # schedules: {retrain: "0 3 * * 1", score: "0 5 * * *"} # off until switched on',
        "  # freshness: {trained_hours: 360, scored_hours: 72}",
        "  # thresholds: {drift_psi: 0.25, min_gain: 0.01, min_spearman: 0.1}",
        "",
    ]
    return "\n".join(lines)


def _source(source: str) -> str:
    """A URL without what may be secret; a path from the project's folder where it is inside, else
    from the root."""
    if is_url(source):
        return public_url(source)
    absolute = Path(source).expanduser().resolve()
    inside = absolute.is_relative_to(PROJECT)
    return absolute.relative_to(PROJECT).as_posix() if inside else str(absolute)


def _yaml(name: str) -> str:
    """A name in YAML, which reads on, no and null as something else."""
    import yaml

    return name if yaml.safe_load(name) == name else _quoted(name)


def _quoted(text: Any) -> str:
    import json

    return json.dumps(str(text), ensure_ascii=False)


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(_quoted(name) for name in names)}]"
