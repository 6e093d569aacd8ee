"""Feature views: what the models see of the columns, computed alike here and in the graph.

A view is fitted on training rows and is then a list of blocks, each a few columns of the matrix.
All arithmetic is float32, as in the ONNX graph, so that a tree's split falls the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from resources.automl.local.data import Values
from resources.spec import Column

VIEWS = ("raw", "products", "one_hot", "one_hot_products", "cyclic")
#: Code ranges of these lengths are calendar cycles: days, months, hours, weeks, minutes.
CALENDAR_CYCLES = frozenset({7, 12, 24, 52, 53, 60})
#: The most frequent texts of a column get an indicator each; the rest are "unseen".
MAX_CATEGORIES = 32
#: Products are formed of at most this many measured columns.
MAX_MEASURED = 5


@dataclass(frozen=True)
class Number:
    """A number column as it is; `fill` replaces missing values."""

    column: str
    fill: float


@dataclass(frozen=True)
class Indicators:
    """One 0/1 column for each code (integers) or text; an unseen value is all zeros."""

    column: str
    codes: tuple[int | str, ...]
    fill: float = 0.0


@dataclass(frozen=True)
class Cycle:
    """Sine and cosine of consecutive integer codes; an unseen code is (0, 0)."""

    column: str
    codes: tuple[int, ...]
    fill: float

    @property
    def table(self) -> np.ndarray:
        """float32 [codes, 2]: the point of each code on the circle."""
        angle = 2 * np.pi * np.arange(len(self.codes)) / len(self.codes)
        return np.column_stack([np.sin(angle), np.cos(angle)]).astype(np.float32)


@dataclass(frozen=True)
class Product:
    """The product of two number columns."""

    left: Number
    right: Number


Block = Number | Indicators | Cycle | Product


@dataclass(frozen=True)
class View:
    """A fitted view."""

    name: str
    blocks: tuple[Block, ...]

    def matrix(self, values: Values, rows: np.ndarray) -> np.ndarray:
        """float32 [rows, width]."""
        return np.column_stack([_columns(block, values, rows) for block in self.blocks])


def fit_view(
    name: str, columns: tuple[Column, ...], values: Values, rows: np.ndarray, target: np.ndarray
) -> View:
    """Fit the view called `name` on `rows`; `target` holds the target of these rows.

    Medians fill missing numbers; texts are ranked by frequency, then by the text itself.
    """
    numbers: dict[str, Number] = {}
    blocks: list[Block] = []
    for column in columns:
        if column.sql_type == "varchar":
            blocks.append(Indicators(column.name, _categories(values[column.name][rows])))
            continue
        number = Number(column.name, _median(values[column.name][rows]))
        numbers[column.name] = number
        blocks.extend(_number_blocks(name, column, number))
    if name in ("products", "one_hot_products"):
        blocks.extend(_products(name, columns, numbers, values, rows, target))
    return View(name, tuple(blocks))


def _number_blocks(view: str, column: Column, number: Number) -> list[Block]:
    codes = tuple(int(code) for code in column.codes if isinstance(code, int))
    if view.startswith("one_hot") and len(codes) > 2:
        return [Indicators(column.name, codes, number.fill)]
    consecutive = bool(codes) and codes == tuple(range(codes[0], codes[0] + len(codes)))
    if view == "cyclic" and consecutive and len(codes) in CALENDAR_CYCLES:
        return [Cycle(column.name, codes, number.fill)]
    return [number]


def _products(
    view: str,
    columns: tuple[Column, ...],
    numbers: dict[str, Number],
    values: Values,
    rows: np.ndarray,
    target: np.ndarray,
) -> list[Block]:
    """Products of measured columns with each other and with 0/1 columns; squares if linear."""
    measured = [c.name for c in columns if c.name in numbers and not c.codes]
    switches = [c.name for c in columns if c.name in numbers and set(c.codes) == {0, 1}]
    if len(measured) > MAX_MEASURED:
        strength = {n: _correlation(_filled(values, numbers[n], rows), target) for n in measured}
        strongest = sorted(measured, key=lambda n: (-strength[n], n))[:MAX_MEASURED]
        measured = [name for name in measured if name in strongest]
    pairs = [(a, b) for i, a in enumerate(measured) for b in measured[i + 1 :]]
    if view == "one_hot_products":
        pairs += [(name, name) for name in measured]
    pairs += [(name, switch) for switch in switches[:2] for name in measured]
    return [Product(numbers[left], numbers[right]) for left, right in pairs]


def _columns(block: Block, values: Values, rows: np.ndarray) -> np.ndarray:
    if isinstance(block, Number):
        return _filled(values, block, rows)
    if isinstance(block, Product):
        left, right = _filled(values, block.left, rows), _filled(values, block.right, rows)
        return np.asarray(left * right)
    hot = _indicators(block, values, rows)
    return np.asarray(hot @ block.table) if isinstance(block, Cycle) else hot


def _indicators(block: Indicators | Cycle, values: Values, rows: np.ndarray) -> np.ndarray:
    array = values[block.column][rows]
    if array.dtype == object:
        codes = np.array(block.codes, dtype=object)
    else:
        codes = np.array(block.codes, dtype=np.float32)
        array = np.where(np.isnan(array), np.float32(block.fill), array)
    return np.asarray(array[:, None] == codes[None, :], dtype=np.float32)


def _filled(values: Values, number: Number, rows: np.ndarray) -> np.ndarray:
    array = values[number.column][rows]
    return np.where(np.isnan(array), np.float32(number.fill), array)


def _median(array: np.ndarray) -> float:
    known = array[~np.isnan(array)]
    return float(np.sort(known)[len(known) // 2]) if len(known) else 0.0


def _categories(texts: np.ndarray) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for text in texts:
        if text is not None:
            counts[text] = counts.get(text, 0) + 1
    return tuple(sorted(counts, key=lambda text: (-counts[text], text))[:MAX_CATEGORIES])


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    return abs(float(np.corrcoef(left, right)[0, 1]))
