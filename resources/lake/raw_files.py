"""The lake's CSV files: the original as it came, and where engines need one, a copy for them.

A manifest beside the original says how it is read. It is written last, and holds only for the
original of its digest: without one, or with an older one, the file speaks for itself.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from bikecast.core.errors import InvalidInput
from bikecast.core.files import file_digest, temporary_file
from bikecast.core.spec import ModelSpec
from resources.lake.port import CsvFormat, FetchedFile, Lake, LakeFile, Part

if TYPE_CHECKING:
    import pyarrow as pa

    from resources.lake.csv_file import CsvContent

Purpose = Literal["training", "scoring"]
_VERSION = 1
#: Rows of a file that are shown.
_SHOWN = 5


def reader(purpose: Purpose) -> Callable[..., CsvContent]:
    """The function that reads a file of this purpose."""
    from resources.lake.csv_file import read_scoring_csv, read_training_csv

    return read_training_csv if purpose == "training" else read_scoring_csv


def store(
    lake: Lake,
    path: str,
    source: Path,
    content: CsvContent,
    spec: ModelSpec,
    told: CsvFormat,
    parts: Sequence[Part] = (),
    *,
    is_checked: bool = True,
) -> LakeFile:
    """Store a file that was read as `content`, and its copy for engines where it needs one.

    Rows to score always need one: numbered, as Parquet. Of a source of many files `source` has
    all rows in the canonical form, and the `parts` are kept beside it as they came. `is_checked`
    says that all is right with the file, so that it need not be read again.
    Raises InvalidInput where the file changed since it was read.
    """
    from resources.lake.csv_file import file_signature, write_canonical, write_scoring_rows

    copy: LakeFile | None = None
    own = CsvFormat() if parts else told
    with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
        engines = Path(folder) / "rows"
        if path == spec.scoring_file:
            write_scoring_rows(source, content, spec, engines, own)
            copy = lake.put(f"staging/{spec.scoring_table}.parquet", engines)
        elif not content.is_canonical:
            write_canonical(source, content, spec, engines, own)
            copy = lake.put(_beside(path, ".canonical.csv"), engines)
        if content.signature != file_signature(source, str(source)):
            raise _changed(source)
        for part in parts:
            place = f"{_beside(path, '.parts')}/{part.name}"
            there = lake.stat(place)
            if there is None or there.digest != part.digest:
                there = lake.put(place, part.path)
            if there.digest != part.digest:
                raise _changed(part.path)
        stored = lake.put(path, source)
    manifest: dict[str, Any] = {
        "version": _VERSION,
        "digest": stored.digest,
        "rows": content.rows,
        "format": asdict(own),
        "canonical": asdict(copy) if copy else None,
        "model": model_of(spec),
        "content": _described(content) if is_checked else None,
    }
    if parts:
        manifest["parts"] = {
            "format": asdict(told),
            "files": [
                {
                    "name": part.name,
                    "size": part.size,
                    "changed": part.changed,
                    "digest": part.digest,
                    "rows": rows,
                }
                for part, rows in zip(parts, content.part_rows, strict=True)
            ],
        }
    with temporary_file(json.dumps(manifest, indent=2).encode()) as file:
        lake.put(_beside(path, ".manifest.json"), file)
    return stored


def _changed(source: Path) -> InvalidInput:
    return InvalidInput(
        f"{source} changed after it was checked. The file in the lake is unchanged; wait "
        "until the new one is written, and run again."
    )


def kept_format(lake: Lake, path: str) -> CsvFormat:
    """What was said about the format of the file that the lake has."""
    stored, manifest = lake.stat(path), _manifest(lake, path)
    if stored is None or manifest.get("digest") != stored.digest:
        return CsvFormat()
    return CsvFormat(**manifest["format"])


def kept_file(lake: Lake, path: str) -> LakeFile | None:
    """The lake's file where it was checked when it was stored; None where it is to be read."""
    stored, manifest = lake.stat(path), _manifest(lake, path)
    is_checked = stored is not None and manifest.get("digest") == stored.digest
    return stored if is_checked and manifest.get("content") else None


def kept_content(lake: Lake, path: str, spec: ModelSpec) -> CsvContent | None:
    """What was read of the lake's file when it was stored, with its first rows.

    None where another file is there now, or another model wants to read it.
    """
    from resources.lake.csv_file import CsvContent
    from resources.lake.dialect import Dialect

    manifest = _manifest(lake, path)
    if kept_file(lake, path) is None or manifest["model"] != model_of(spec):
        return None
    content = manifest["content"]
    return CsvContent(
        table=_from_texts(content["rows"], content["columns"], spec),
        rows=manifest["rows"],
        findings=tuple(content["findings"]),
        absent=tuple(content["absent"]),
        dialect=Dialect(()),
        is_canonical=manifest["canonical"] is None,
        signature=(),
    )


def _described(content: CsvContent) -> dict[str, Any]:
    """What a run says of a file: its first rows as JSON, findings, columns that it lacks."""
    rows = content.table.slice(0, _SHOWN)
    return {
        "columns": rows.column_names,
        "rows": json.loads(json.dumps([[*row.values()] for row in rows.to_pylist()], default=str)),
        "findings": list(content.findings),
        "absent": list(content.absent),
    }


def _from_texts(rows: list[list[Any]], names: list[str], spec: ModelSpec) -> pa.Table:
    """The first rows that a manifest has; days are ISO texts there."""
    import pyarrow as pa

    from bikecast.core.sql_types import arrow_schema

    columns = {column.name: column for column in (*spec.keys, *spec.features, spec.target)}
    schema = arrow_schema(tuple(columns[name] for name in names))
    return pa.table(
        [
            pa.array([row[place] for row in rows]).cast(field.type)
            for place, field in enumerate(schema)
        ],
        schema=schema,
    )


def digest_of(fetched: FetchedFile) -> str:
    """What tells its content apart: SHA-256 of the file, or of the digests of a source's files."""
    if fetched.kept is not None:
        return fetched.kept.digest
    if fetched.earlier is not None and len(fetched.earlier.rows) == len(fetched.parts):
        return fetched.earlier.digest
    if fetched.path.exists():
        return file_digest(fetched.path)
    return hashlib.sha256("".join(part.digest for part in fetched.parts).encode()).hexdigest()


def stored_parts(lake: Lake, path: str, told: CsvFormat) -> tuple[list[dict[str, Any]], object]:
    """The files that the lake's file was made of, read in this format, and for which model.

    Each has name, size, changed, digest and rows; none where it was made of one.
    """
    stored, manifest = lake.stat(path), _manifest(lake, path)
    parts = manifest.get("parts")
    if stored is None or parts is None or manifest["digest"] != stored.digest:
        return [], None
    files = parts["files"] if CsvFormat(**parts["format"]) == told else []
    return files, manifest["model"]


def engine_path(lake: Lake, path: str, spec: ModelSpec, purpose: Purpose) -> str:
    """The lake path of the form that engines read: the file itself or its copy, made if need be.

    Of rows to score it is a Parquet file of forecast_row, keys and features.

    Raises InvalidInput where the file cannot be read.
    """
    stored, manifest = lake.stat(path), _manifest(lake, path)
    if stored is None:
        raise InvalidInput(
            f"there is no file {path} in the lake; nothing was changed. `bikecast run` puts it "
            "there"
        )
    # A manifest of the version before does not say for which model the file was read.
    if manifest.get("digest") == stored.digest and manifest.get("model") == model_of(spec):
        copy = manifest["canonical"]
        if copy is None and purpose == "training":
            return path
        # The version before staged rows to score in another way.
        if copy is not None and (purpose == "training" or copy["path"].endswith(".parquet")):
            there = lake.stat(copy["path"])
            if there is not None and there.digest == copy["digest"]:
                return str(copy["path"])
    told = kept_format(lake, path)
    with lake.local_copy(path) as original:
        content = reader(purpose)(original, spec, source_name=path, told=told, kept_rows=_SHOWN)
        is_checked = purpose == "scoring"  # what a training asks for besides is not looked at here
        store(lake, path, original, content, spec, told, is_checked=is_checked)
    copy = _manifest(lake, path)["canonical"]
    return path if copy is None else str(copy["path"])


def original_line(
    lake: Lake, path: str, spec: ModelSpec, purpose: Purpose, row: int
) -> tuple[int, str] | None:
    """Line and text of a row (from 1) in the file as it came; None where it has no such row."""
    if parts := _manifest(lake, path).get("parts"):
        told = CsvFormat(**parts["format"])
        for part in parts["files"]:
            if row <= part["rows"]:
                place = f"{_beside(path, '.parts')}/{part['name']}"
                return _line_of(lake, place, spec, purpose, row, told)
            row -= part["rows"]
        return None
    return _line_of(lake, path, spec, purpose, row, kept_format(lake, path))


def _line_of(
    lake: Lake, path: str, spec: ModelSpec, purpose: Purpose, row: int, told: CsvFormat
) -> tuple[int, str] | None:
    from resources.lake.csv_problems import numbered_rows
    from resources.lake.dialect import blocks

    with lake.local_copy(path) as original:
        content = reader(purpose)(original, spec, source_name=path, told=told, kept_rows=0)
        rows = 0
        for first, block in blocks(original, content.dialect, path):
            for line, _ in numbered_rows(block, first, content.dialect.delimiter):
                rows += 1
                if rows == row:
                    return line, block.decode().split("\n")[line - first].removesuffix("\r")
    return None


def model_of(spec: ModelSpec) -> dict[str, Any]:
    """What of a model decides how its files are read and copied."""
    columns = (*spec.keys, *spec.features, spec.target)
    return {
        "columns": [[column.name, column.sql_type, column.date_format] for column in columns],
        "names": spec.columns | spec.inputs,
    }


def _manifest(lake: Lake, path: str) -> dict[str, Any]:
    """The manifest of a file; empty where there is none of this version, or a damaged one."""
    place = _beside(path, ".manifest.json")
    if lake.stat(place) is None:
        return {}
    try:
        with ExitStack() as stack:
            manifest = json.loads(stack.enter_context(lake.open(place)).read())
    except ValueError:
        return {}
    is_ours = isinstance(manifest, dict) and manifest.get("version") == _VERSION
    return manifest if is_ours else {}


def _beside(path: str, ending: str) -> str:
    place = PurePosixPath(path)
    return str(place.with_name(place.name.removesuffix(".csv") + ending))
