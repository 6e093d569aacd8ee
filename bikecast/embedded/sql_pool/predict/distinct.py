"""Scoring each distinct feature vector once, as long as that pays.

Real tables repeat their vectors: all stations share an hour's weather. A look-up of a vector
costs a hundredth of scoring it by a few hundred trees, but where no vector repeats even that is
lost. So look-ups go on where the rows so far repeat; else the hashes of a sample are counted, which
costs far less, until they repeat or until so many rows say that it does not pay.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Score = Callable[[list[NDArray]], list[NDArray]]

#: What the remembered vectors take at most.
MAX_BYTES = 64 * 2**20
SLOT_BITS = 20
#: After so many rows at a time, look-ups rest where fewer than one row in MIN_REPEATS was known.
TRIAL = 2**15
MIN_REPEATS = 8
#: While they rest, one vector in SAMPLED is counted; after WINDOW rows without repeats they end.
WINDOW = 2**18
SAMPLED = np.uint64(8)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_FIRST = np.uint64(64 - SLOT_BITS)
_SECOND = np.uint64(64 - 2 * SLOT_BITS)
_MASK = np.uint64(2**SLOT_BITS - 1)


class DistinctVectors:
    """A scoring function that remembers; threads may share it, results are those of `score`.

    Vectors are equal when their bytes are, so -0.0 and 0.0 are two. They lie in a table of fixed
    size with two possible slots a vector; one that finds both taken is scored each time. At most
    `most` vectors are kept, and as many as fit into MAX_BYTES.
    """

    def __init__(
        self, inputs: list[np.dtype], outputs: list[np.dtype], score: Score, most: int
    ) -> None:
        self._score = score
        self._wide = [i for i, t in enumerate(inputs) if t.itemsize == 8 and t.kind != "O"]
        self._narrow = [i for i in range(len(inputs)) if i not in self._wide]
        self._words = len(self._wide) + (len(self._narrow) + 1) // 2
        self._capacity = min(most, MAX_BYTES // (8 * max(self._words, 1)))
        self.active = self._capacity > 0 and all(dtype.kind != "O" for dtype in outputs)
        if not self.active:
            return
        self._row = np.dtype((np.void, 8 * self._words))
        # Zeroed pages cost nothing before they are written. Place 0 stays empty.
        self._slots = np.zeros(2**SLOT_BITS, np.int32)
        self._vectors = np.zeros(self._capacity + 1, self._row)
        self._results = [np.zeros(self._capacity + 1, dtype) for dtype in outputs]
        self._used = 1
        self._factors = np.random.default_rng(0).integers(
            1, 2**63, self._words, dtype=np.uint64
        ) | np.uint64(1)
        self._codes: list[dict[str, int]] = [{} for _ in inputs]
        self._lock = threading.Lock()
        self._rows = self._repeats = 0
        self._resting: _Sample | None = None

    def __call__(self, columns: list[NDArray]) -> list[NDArray]:
        """The results for columns of shape (rows,) of the types that were announced."""
        if not self.active:
            return self._score(columns)
        matrix = self._pack(columns)
        if matrix is None:
            self.active = False
            return self._score(columns)
        rows = len(matrix)
        hashes = self._hash(matrix)
        sample = self._resting
        if sample is not None:
            if sample.repeats(hashes):
                self._resting = None
            elif sample.rows >= WINDOW:
                self.active = False
            return self._score(columns)
        vectors = matrix.view(self._row).reshape(-1)
        places = self._slots.take((hashes >> _FIRST).view(np.int64))
        known = self._vectors.take(places) == vectors
        found = [result.take(places) for result in self._results]
        if known.all() and places.all():
            self._count(rows, rows)
            return found
        known &= places != 0
        left = np.flatnonzero(~known)
        places = self._slots.take(((hashes[left] >> _SECOND) & _MASK).view(np.int64))
        known = (self._vectors.take(places) == vectors.take(left)) & (places != 0)
        for values, result in zip(found, self._results, strict=True):
            values[left] = result.take(places)
        left = left[~known]
        scored = 0
        if len(left):
            first, inverse = _distinct(vectors.take(left), hashes.take(left))
            chosen, scored = left.take(first), len(first)
            results = self._score([column.take(chosen) for column in columns])
            for values, result in zip(found, results, strict=True):
                values[left] = result.take(inverse)
            self._keep(vectors.take(chosen), hashes.take(chosen), results)
        self._count(rows, rows - scored)
        return found

    def _pack(self, columns: list[NDArray]) -> NDArray | None:
        """Vectors as rows of 64-bit words; None where texts have too many different values."""
        rows = len(columns[0])
        matrix = np.zeros((rows, self._words), np.uint64)
        for word, i in enumerate(self._wide):
            matrix[:, word] = columns[i].view(np.uint64)
        halves = matrix.view(np.uint32)
        for half, i in enumerate(self._narrow, 2 * len(self._wide)):
            column = columns[i]
            if column.dtype.kind != "O":
                halves[:, half] = column.view(np.uint32)
                continue
            codes = self._codes[i]
            if len(codes) > self._capacity:
                return None
            with self._lock:
                halves[:, half] = [codes.setdefault(text, len(codes)) for text in column.tolist()]
        return matrix

    def _hash(self, matrix: NDArray) -> NDArray:
        mixed: NDArray = (matrix ^ (matrix >> _HALF)) @ self._factors
        mixed ^= mixed >> _HALF
        mixed *= _MIX
        return mixed

    def _keep(self, vectors: NDArray, hashes: NDArray, results: list[NDArray]) -> None:
        with self._lock:
            count = min(len(vectors), self._capacity + 1 - self._used)
            if count == 0:
                return
            places = np.arange(self._used, self._used + count, dtype=np.int32)
            self._vectors[places] = vectors[:count]
            for kept, result in zip(self._results, results, strict=True):
                kept[places] = result[:count]
            self._used += count
            # A reader that comes in between finds a slot empty, or a vector that is complete.
            left = np.arange(count)
            for slots in (hashes >> _FIRST, (hashes >> _SECOND) & _MASK):
                wanted = slots[:count].view(np.int64)
                left = left[self._slots.take(wanted[left]) == 0]
                self._slots[wanted[left]] = places[left]
                left = np.flatnonzero(self._slots.take(wanted) != places)

    def _count(self, rows: int, repeats: int) -> None:
        self._rows += rows
        self._repeats += repeats
        if self._rows >= TRIAL:
            if self._repeats * MIN_REPEATS < self._rows:
                self._resting = _Sample()
                self.active = self._used <= self._capacity  # a full table learns nothing more
            self._rows = self._repeats = 0


class _Sample:
    """Whether vectors repeat, told by the hashes of one vector in SAMPLED."""

    def __init__(self) -> None:
        self._seen = np.zeros(2**SLOT_BITS, np.bool_)
        self._size = self._repeats = self._part = 0
        self.rows = 0

    def repeats(self, hashes: NDArray) -> bool:
        """Count the vectors of a chunk; True where enough of the last TRIAL rows were known."""
        slots = (hashes[hashes % SAMPLED == 0] >> _FIRST).view(np.int64)
        distinct = np.unique(slots)
        new = distinct[~self._seen.take(distinct)]
        self._seen[new] = True
        self._size += len(slots)
        self._repeats += len(slots) - len(new)
        self._part += len(hashes)
        self.rows += len(hashes)
        if self._part < TRIAL:
            return False
        # No vector of so many rows in the sample: there are only a few, which repeat.
        enough = self._size <= self._repeats * MIN_REPEATS
        self._size = self._repeats = self._part = 0
        return enough


def _distinct(vectors: NDArray, hashes: NDArray) -> tuple[NDArray, NDArray]:
    """Positions of vectors that stand for all, and for each vector the position among them.

    Two vectors of one hash may both be there; a vector never stands for another.
    """
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    other = np.flatnonzero(vectors.take(first).take(inverse) != vectors)
    if len(other):
        inverse[other] = np.arange(len(first), len(first) + len(other))
        first = np.concatenate([first, other])
    return first, inverse
