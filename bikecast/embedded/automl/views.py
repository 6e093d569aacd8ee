"""Feature views: what the models see of the columns, computed alike here and in the graph.

A view is fitted on training rows and is then a list of blocks, each a few columns of the matrix.
All arithmetic is float32, as in the ONNX graph, so that a tree's split falls the same way.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from bikecast.core.spec import Column
from bikecast.embedded.automl.data import Values

#: Code ranges of these lengths are calendar cycles: days, months, hours, weeks, minutes.
CALENDAR_CYCLES = frozenset({7, 12, 24, 52, 53, 60})
#: The most frequent texts of a column get an indicator each; the rest are "unseen".
MAX_CATEGORIES = 32
#: In the tree views, columns of more texts than this also get the mean target of a text.
FEW_CATEGORIES = 6
MAX_MEAN_CODES = 1000
PRIOR_ROWS = 20
TREE_VIEWS = ("raw", "products")
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


@dataclass(frozen=True)
class Missing:
    """1 where a real number is missing."""

    column: str


@dataclass(frozen=True)
class MeanCode:
    """The mean target of a text, shrunk to 0 for rare ones; an unseen text is 0.

    The target is standardized first. The shrinkage is that of a prior of PRIOR_ROWS rows at the
    overall mean (Micci-Barreca 2001).
    """

    column: str
    codes: tuple[str, ...]
    means: tuple[float, ...]

    @property
    def table(self) -> np.ndarray:
        """float32 [codes + 1]: the mean of each code, then that of an unseen one."""
        return np.array([*self.means, 0.0], dtype=np.float32)


Block = Number | Indicators | Cycle | Product | Missing | MeanCode


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

    Medians fill missing numbers; texts are ranked by frequency, then by the text itself. A missing
    text is an empty one.
    """
    numbers: dict[str, Number] = {}
    blocks: list[Block] = []
    for column in columns:
        if column.sql_type == "varchar":
            texts = _texts(values[column.name][rows])
            categories = _categories(texts)
            blocks.append(Indicators(column.name, categories[:MAX_CATEGORIES]))
            if name in TREE_VIEWS and len(categories) > FEW_CATEGORIES:
                blocks.append(_mean_code(column.name, texts, categories, target))
            continue
        number = Number(column.name, _median(values[column.name][rows]))
        numbers[column.name] = number
        blocks.extend(_number_blocks(name, column, number))
        real = column.sql_type in ("real", "float")
        if real and np.isnan(values[column.name][rows]).any():
            blocks.append(Missing(column.name))
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
    if isinstance(block, Missing):
        return np.asarray(np.isnan(values[block.column][rows]), dtype=np.float32)
    if isinstance(block, MeanCode):
        index = {text: number for number, text in enumerate(block.codes)}
        texts = _texts(values[block.column][rows])
        return np.asarray(block.table[[index.get(text, len(index)) for text in texts]])
    hot = _indicators(block, values, rows)
    return np.asarray(hot @ block.table) if isinstance(block, Cycle) else hot


def _indicators(block: Indicators | Cycle, values: Values, rows: np.ndarray) -> np.ndarray:
    array = values[block.column][rows]
    if array.dtype == object:
        index = {text: number for number, text in enumerate(block.codes)}
        numbers = np.array([index.get(text, -1) for text in _texts(array)], dtype=np.int64)
        return np.asarray(numbers[:, None] == np.arange(len(index)), dtype=np.float32)
    codes = np.array(block.codes, dtype=np.float32)
    array = np.where(np.isnan(array), np.float32(block.fill), array)
    return np.asarray(array[:, None] == codes[None, :], dtype=np.float32)


def _filled(values: Values, number: Number, rows: np.ndarray) -> np.ndarray:
    array = values[number.column][rows]
    return np.where(np.isnan(array), np.float32(number.fill), array)


def _median(array: np.ndarray) -> float:
    numbers = np.sort(array[~np.isnan(array)])
    return float(numbers[len(numbers) // 2]) if len(numbers) else 0.0


def _texts(array: np.ndarray) -> list[str]:
    return ["" if text is None else text for text in array.tolist()]


def _categories(texts: list[str]) -> tuple[str, ...]:
    """The most frequent texts."""
    counts = Counter(texts)
    return tuple(sorted(counts, key=lambda text: (-counts[text], text))[:MAX_MEAN_CODES])


def _mean_code(
    name: str, texts: list[str], categories: tuple[str, ...], target: np.ndarray
) -> MeanCode:
    scaled = (target - target.mean()) / (target.std() or 1.0)
    index = {text: number for number, text in enumerate(categories)}
    codes = np.array([index.get(text, len(index)) for text in texts])
    sums = np.bincount(codes, weights=scaled, minlength=len(index) + 1)
    counts = np.bincount(codes, minlength=len(index) + 1)
    means = sums / (counts + PRIOR_ROWS)
    return MeanCode(name, categories, tuple(float(mean) for mean in means[: len(index)]))


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    return abs(float(np.corrcoef(left, right)[0, 1]))
