"""A source of many files, a folder or a glob: read one after the other into one canonical file.

What the lake has of the first files is not read again; the keys of the rest are compared with
those of the committed table, by DuckDB.
"""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.errors import InvalidInput, printable
from bikecast.core.files import file_digest
from bikecast.core.spec import ModelSpec
from resources.lake.port import FetchedFile, Lake, Part

if TYPE_CHECKING:
    from resources.lake.csv_file import CsvContent
    from resources.lake.raw_files import Purpose

#: Names of the files of a folder that are read.
ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")


def files_of(path: Path) -> list[Path] | None:
    """The files of a folder or a glob, by name; None where the absolute path is neither.

    Raises InvalidInput where there are none.
    """
    if path.is_dir():
        files = [file for file in path.iterdir() if file.name.lower().endswith(ENDINGS)]
        problem = f"has no file that ends in {', '.join(ENDINGS)}"
    elif not path.exists() and glob.has_magic(str(path)):
        files = list(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        problem = "does not exist, and as a pattern it fits no file"
    else:
        return None
    files = sorted(file for file in files if file.is_file() and not file.name.startswith("."))
    if not files:
        raise InvalidInput(
            f"{printable(str(path))} {problem}. Nothing was stored; correct the path."
        )
    return files


def described_parts(files: Sequence[Path], known: Sequence[Mapping[str, object]]) -> list[Part]:
    """The files with their digests; those of `known` size and time of change are not read."""
    folder = os.path.commonpath([file.parent for file in files])
    digests = {(part["name"], part["size"], part["changed"]): part["digest"] for part in known}
    parts = []
    for file in files:
        name, stat = file.relative_to(folder).as_posix(), file.stat()
        digest = digests.get((name, stat.st_size, stat.st_mtime_ns)) or file_digest(file)
        parts.append(Part(file, name, stat.st_size, stat.st_mtime_ns, str(digest)))
    return parts


def read_many(
    fetched: FetchedFile, spec: ModelSpec, purpose: Purpose, lake: Lake, *, kept_rows: int
) -> CsvContent:
    """Check the files of a source and write their rows to `fetched.path` in the canonical form.

    Raises InvalidInput as the reader of one file does, and for files of other columns.
    """
    from resources.lake.csv_file import file_signature, read_training_csv
    from resources.lake.raw_files import model_of, reader

    read, earlier, path = reader(purpose), fetched.earlier, fetched.path
    if purpose == "scoring" and fetched.format.start_date:
        raise InvalidInput(
            f"{fetched.origin}: --start-date is for one file, and this is many. Nothing was stored."
        )
    path.unlink(missing_ok=True)
    if earlier is not None and earlier.model != model_of(spec):
        earlier = None
    if earlier is not None and len(earlier.rows) == len(fetched.parts):
        path.symlink_to(earlier.path)
        content = read(path, spec, source_name=fetched.origin, kept_rows=kept_rows)
        return replace(content, part_rows=earlier.rows)
    if purpose == "scoring" or (
        earlier is not None and not _is_committed(lake, spec, earlier.rows)
    ):
        earlier = None
    new = fetched.parts[len(earlier.rows) if earlier else 0 :]
    with tempfile.TemporaryDirectory(prefix="bikecast-") as name:
        keys, merged = Path(name) / "keys.parquet", Path(name) / "merged.csv"
        contents = _merged(new, fetched, spec, purpose, merged, keys)
        with _lines_named(new, contents):
            if purpose == "training":
                content = read_training_csv(
                    merged,
                    spec,
                    source_name=fetched.origin,
                    trainable=earlier is None,
                    kept_rows=kept_rows,
                )
            else:
                content = read(merged, spec, source_name=fetched.origin, kept_rows=kept_rows)
        if earlier is not None:
            _check_keys(lake, spec, keys, new)
        _joined([*([earlier.path] if earlier else []), merged], path, fetched.origin)
    own = tuple(each.rows for each in contents)
    findings = [
        finding.replace(part.name, fetched.origin)
        for part, each in zip(new, contents, strict=True)
        for finding in each.findings
    ]
    if earlier is not None:
        findings.insert(
            0,
            f"{fetched.origin}: {len(new)} of {len(fetched.parts)} files are new and were read; "
            f"their {content.rows:,} rows follow the {sum(earlier.rows):,} that the lake has",
        )
    part_rows = (*(earlier.rows if earlier else ()), *own)
    return replace(
        content,
        rows=sum(part_rows),
        findings=tuple(dict.fromkeys(findings)),
        signature=file_signature(path, fetched.origin),
        part_rows=part_rows,
    )


def _merged(
    parts: Sequence[Part],
    fetched: FetchedFile,
    spec: ModelSpec,
    purpose: Purpose,
    target: Path,
    keys_file: Path,
) -> list[CsvContent]:
    """Check each file, and write the rows of all to `target`, their keys to a Parquet file."""
    import pyarrow.parquet as pq

    from bikecast.core.sql_types import arrow_schema
    from resources.lake.csv_file import canonical_file, canonical_rows
    from resources.lake.raw_files import reader

    contents: list[CsvContent] = []
    with (
        canonical_file(target) as write,
        pq.ParquetWriter(keys_file, arrow_schema(spec.keys)) as keys,
    ):
        for part in parts:
            content = reader(purpose)(
                part.path, spec, source_name=part.name, told=fetched.format, kept_rows=0
            )
            if contents and content.absent != contents[0].absent:
                raise InvalidInput(
                    f"{part.name} has other columns of the model than {parts[0].name}: the one "
                    f"lacks {', '.join(content.absent) or 'none'}, the other "
                    f"{', '.join(contents[0].absent) or 'none'}. Nothing was stored; the files of "
                    "a source have the same columns."
                )
            contents.append(content)
            for rows in canonical_rows(part.path, content, spec, fetched.format):
                write(rows)
                if purpose == "training":
                    keys.write_table(rows.select(spec.key_names))
    return contents


def _joined(files: Sequence[Path], target: Path, origin: str) -> None:
    """Write canonical files one below the other, with one line of names."""
    with target.open("wb") as out:
        names = b""
        for path in files:
            with path.open("rb") as file:
                header = file.readline()
                if names and header != names:
                    raise InvalidInput(
                        f"the new files of {origin} have the columns {header.decode().strip()}, "
                        f"those that the lake has {names.decode().strip()}. Nothing was stored; "
                        "the files of a source have the same columns."
                    )
                out.write(b"" if names else header)
                shutil.copyfileobj(file, out)
                names = header


def _is_committed(lake: Lake, spec: ModelSpec, rows: Sequence[int]) -> bool:
    """Whether the training table has all rows of the files that the lake has."""
    from resources.lake.tables import open_table_if_any

    table = open_table_if_any(lake, spec.training_table_path)
    return table is not None and table.count_rows() == sum(rows)


def _check_keys(lake: Lake, spec: ModelSpec, keys_file: Path, parts: Sequence[Part]) -> None:
    """Raise InvalidInput where a key is in the committed table already."""
    import pyarrow.dataset as ds

    from resources.lake.queries import rows_in_both
    from resources.lake.tables import open_table

    if not spec.keys:
        return
    committed = open_table(lake, spec.training_table_path)
    if repeated := rows_in_both(ds.dataset(keys_file), committed, spec.key_names):
        raise InvalidInput(
            f"{', '.join(part.name for part in parts)}: {repeated:,} rows have keys "
            f"({', '.join(spec.key_names)}) that {spec.training_table} has already. Nothing was "
            "stored; remove these rows, or the file that has them twice."
        )


@contextmanager
def _lines_named(parts: Sequence[Part], contents: Sequence[CsvContent]) -> Iterator[None]:
    """Say which file a line of all rows together belongs to."""
    try:
        yield
    except InvalidInput as error:
        line, places = 1, []
        for part, content in zip(parts, contents, strict=True):
            places.append(f"{part.name} {line + 1} to {line + content.rows}")
            line += content.rows
        raise InvalidInput(
            f"{error}\nThe lines are those of all rows one below the other: {', '.join(places)}"
        ) from error
