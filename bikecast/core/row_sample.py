"""A table's rows block by block, and a sample of them that depends on their content alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import pyarrow.dataset as ds

#: Rows that are read at once.
_BLOCK_ROWS = 1 << 16
#: So many rows beyond those that are taken are held at least before they are sorted out.
_SPARE = 1000


def row_blocks(dataset: ds.Dataset, names: Sequence[str]) -> Iterator[pa.Table]:
    """These columns of a dataset, in blocks of some ten thousand rows.

    A dataset's own scan of Parquet holds whole row groups, of a million rows, and the next file's.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    schema = pa.schema([dataset.schema.field(name) for name in names])
    for fragment in dataset.get_fragments():
        is_parquet = isinstance(fragment, ds.ParquetFileFragment)
        if not is_parquet or not set(names) <= set(fragment.physical_schema.names):
            for batch in fragment.to_batches(schema=dataset.schema, columns=list(names)):
                yield pa.Table.from_batches([batch])
            continue
        with fragment.filesystem.open_input_file(fragment.path) as file:
            for batch in pq.ParquetFile(file).iter_batches(_BLOCK_ROWS, columns=list(names)):
                yield pa.Table.from_batches([batch]).select(list(names)).cast(schema)


def sample_rows(
    blocks: Iterable[pa.Table], schema: pa.Schema, by: Sequence[str], *, most: int
) -> pa.Table:
    """At most `most` rows, in the order in which they come; all where these are few.

    The rows with the least hashes of the columns `by` are taken, so neither their order nor the
    cut into blocks changes which ones. Rows that are equal there are taken or left together, but
    for those at the limit, of which the first are taken. Memory holds little more than what is
    taken, and a block.
    """
    import numpy as np
    import pyarrow as pa

    kept, hashes = [schema.empty_table()], [np.empty(0, np.uint64)]
    limit: np.uint64 | None = None
    for block in blocks:
        digest = row_hashes(block, by)
        if limit is not None:  # one as high as the limit comes after those that are taken
            mask = digest < limit
            block, digest = block.filter(pa.array(mask)), digest[mask]
        kept.append(block)
        hashes.append(digest)
        if sum(map(len, hashes)) > most + most // 4 + _SPARE:
            kept, hashes = _lowest(kept, hashes, most)
            limit = hashes[0].max(initial=0)
    kept, _ = _lowest(kept, hashes, most)
    return kept[0].combine_chunks()


def _lowest(
    kept: list[pa.Table], hashes: list[np.ndarray], most: int
) -> tuple[list[pa.Table], list[np.ndarray]]:
    """The `most` rows with the least hashes, in their order; of equal ones the first."""
    import numpy as np
    import pyarrow as pa

    rows, digest = pa.concat_tables(kept), np.concatenate(hashes)
    if len(digest) <= most:
        return [rows], [digest]
    lowest = np.sort(np.argsort(digest, kind="stable")[:most])
    return [rows.take(pa.array(lowest))], [digest[lowest]]


def row_hashes(table: pa.Table, by: Sequence[str]) -> np.ndarray:
    """uint64 [rows]: each row's hash over the columns `by`; equal rows have equal ones.

    The mixing is SplitMix64's (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
    generators").
    """
    import numpy as np

    hashes = np.zeros(table.num_rows, np.uint64)
    for name in by:
        hashes = _mixed(hashes + np.uint64(0x9E3779B97F4A7C15) + _bits(table[name]))
    return hashes


def _mixed(z: np.ndarray) -> np.ndarray:
    import numpy as np

    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = z ^ (z >> np.uint64(31))
    return mixed


def _bits(values: pa.ChunkedArray) -> np.ndarray:
    """A column as uint64 [rows]: equal values, and only these, have equal numbers (texts: nearly).

    Whole numbers and days are themselves, floats their bits as float64, texts a hash; null is one
    number more.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    null = np.uint64(0xA5A5A5A5A5A5A5A5)
    if pa.types.is_integer(values.type):
        numbers = values.fill_null(0).to_numpy().astype(np.int64).view(np.uint64)
    elif pa.types.is_floating(values.type):
        numbers = (values.fill_null(0).to_numpy().astype(np.float64) + 0.0).view(np.uint64)
    elif pa.types.is_date32(values.type):
        return _bits(values.cast(pa.int32()))
    else:
        coded = values.cast(pa.string()).combine_chunks().dictionary_encode()
        texts = [
            int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
            for text in coded.dictionary.to_pylist()
        ]
        numbers = np.array([*texts, 0], np.uint64)[coded.indices.fill_null(len(texts)).to_numpy()]
    bits: np.ndarray = numbers
    if values.null_count:
        bits = np.where(pc.is_null(values).to_numpy(), null, bits)
    return bits
