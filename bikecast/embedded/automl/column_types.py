"""What a column of texts holds: numbers, dates, yes or no, or texts; and reading it so.

A column is judged by all of its values. Some texts stand for a missing value where the rest are
numbers or dates. What is nearly numeric is read as numbers, with the rest missing and said, never
silently as categories.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bikecast.core import file_kinds
from bikecast.core.errors import InvalidInput
from bikecast.embedded.automl.dates import DateLayout, Times, date_layouts, parse

Kind = Literal["number", "date", "yes/no", "text", "ignore"]
KINDS = ("number", "date", "yes/no", "text", "ignore")
#: Missing in every column, in any case.
MISSING = ("", *file_kinds.MISSING)
#: Missing too where the other values are numbers or dates.
DASHES = (
    *file_kinds.DASHES,
    *("--", "---", "\u2013", "\u2014", "..", "...", "*", "x", "n.a.", "k.a.", "nil"),
    *("missing", "unknown", "undefined", "not available", "\\n"),
    *("#div/0!", "#ref!", "#value!", "#num!", "#name?"),
)
#: At least this share of the values that are not missing must be numbers for a column of them.
NEARLY = 0.9
#: A text column with this share of numbers or dates is worth a note.
WORTH_A_NOTE = 0.3
_YES_NO = (("yes", "no"), ("y", "n"), ("true", "false"), ("t", "f"), ("on", "off"))
_SIGN, _EXPONENT = r"[-+]?", r"(?:[eE][-+]?\d+)?"
_GROUPS = {",": ",", ".": r"\.", " ": "[ \u00a0\u202f]", "'": "['\u2019]", "": ""}
_UNIT = re.compile(r"^\s*(?P<before>[$€£¥]?)\s*(?P<number>.*?)\s*(?P<after>[%$€£¥]?)\s*$")


@dataclass(frozen=True)
class ColumnType:
    """How the texts of a column are read.

    Numbers have a decimal mark, perhaps a mark between thousands, and perhaps one unit throughout
    (a percent sign, a currency). Dates have a layout. `words` are those for yes and no.
    """

    kind: Kind
    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    layout: DateLayout | None = None
    words: tuple[str, str] | None = None

    def __str__(self) -> str:
        if self.kind == "number":
            marks = [
                "decimal comma" if self.decimal == "," else "",
                f"{self.thousands!r} between thousands" if self.thousands else "",
                f"in {self.unit}" if self.unit else "",
            ]
            return ", ".join(["number", *filter(None, marks)])
        if self.kind == "yes/no" and self.words:
            return f"yes/no: {self.words[0]} is 1, {self.words[1]} is 0"
        return f"date {self.layout}" if self.kind == "date" else self.kind

    def as_json(self) -> dict[str, Any]:
        """For a JSON file; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ColumnType:
        """What `as_json` gave."""
        layout, words = data["layout"], data["words"]
        return cls(
            **{
                **data,
                "layout": None if layout is None else DateLayout(**layout),
                "words": None if words is None else tuple(words),
            }
        )


@dataclass(frozen=True)
class ReadColumn:
    """A column as it was read: int64, float64 or text values (Arrow), or times for dates.

    `marks` counts the marks for a missing value, `unread` the others that could not be read; the
    first of each is a data row, from 1, and its text.
    """

    values: pa.Array | None
    times: Times | None = None
    marks: int = 0
    first_mark: tuple[int, str] | None = None
    unread: int = 0
    first: tuple[int, str] | None = None

    @property
    def share(self) -> float:
        """The share of the values that are not missing that could be read; 1 for none."""
        missing = 0 if self.values is None else int(self.values.null_count)
        length = 0 if self.values is None else len(self.values)
        if self.times is not None:
            missing, length = int(np.isnat(self.times.local).sum()), len(self.times.local)
        return 1.0 if not self.unread else 1 - self.unread / (length - missing + self.unread)


def infer(texts: pa.Array, name: str, notes: list[str], likely: str = "") -> ColumnType:
    """The type of a column of texts (null is missing), with what people should know of it.

    `likely` is the file's `decimal_mark`.
    """
    present = texts.filter(pc.invert(_is_missing(texts, MISSING)))
    distinct = pc.unique(present)
    words = _yes_no(distinct)
    if words is not None:
        return ColumnType("yes/no", words=words)
    values = present.filter(pc.invert(_is_missing(present, DASHES)))
    if not len(values):
        return ColumnType("text" if len(present) else "ignore")
    numbers, share, doubt = number_type(texts, name, likely)
    layouts = date_layouts(values)
    if layouts and not (share == 1.0 and numbers.decimal == "." and not layouts[0].compact):
        _note_ambiguous(name, layouts, notes)
        return ColumnType("date", layout=layouts[0])
    if share >= NEARLY:
        notes.extend([doubt] if doubt else [])
        return numbers
    near_dates = date_layouts(values, NEARLY)
    if near_dates:
        return ColumnType("date", layout=near_dates[0])
    if share >= WORTH_A_NOTE:
        row, value = _first_unread(texts, numbers)
        notes.append(
            f"column {name!r} is taken as texts: {round(100 * share)}% of its values are numbers, "
            f"the first that is none is {value!r} in data row {row}; --type {name}=number makes "
            "the others missing"
        )
    return ColumnType("text")


def parse_type(name: str, text: str, texts: pa.Array, likely: str = "") -> ColumnType:
    """What a user says of a column: `number`, `number:,` (a decimal comma), `date`, `date:dmy`, ...

    `likely` is the file's `decimal_mark`, for a number without one.
    Raises InvalidInput for an unknown type and for one that no value has.
    """
    kind, _, detail = text.partition(":")
    if kind not in KINDS:
        raise InvalidInput(
            f"--type {name}={text}: the types are {', '.join(KINDS)}; number:, has a decimal "
            "comma, date:dmy begins with the day. Nothing was trained."
        )
    present = texts.filter(pc.invert(_is_missing(texts, (*MISSING, *DASHES))))
    result = ColumnType(cast(Kind, kind))
    if kind == "number":
        result = _best_number(present, detail)[0] if detail else number_type(texts, name, likely)[0]
    if kind == "date":
        layouts = [each for each in date_layouts(present, 0.01) if detail in ("", each.order)]
        result = replace(result, layout=layouts[0] if layouts else None)
    if kind == "yes/no":
        result = replace(result, words=_yes_no(pc.unique(present)))
    if (kind == "date" and result.layout is None) or (kind == "yes/no" and result.words is None):
        raise InvalidInput(
            f"--type {name}={text}: no value of column {name!r} is one. Nothing was trained."
        )
    return result


def read(texts: pa.Array, how: ColumnType) -> ReadColumn:
    """Read a column's texts as a type; what cannot be read is missing and counted."""
    missing = _is_missing(texts, MISSING)
    if how.kind in ("text", "ignore"):
        return ReadColumn(_blanked(texts, missing))
    marks = pc.and_(pc.invert(missing), _is_missing(texts, DASHES))
    values = _blanked(texts, pc.or_(missing, marks))
    times = None
    if how.kind == "date" and how.layout is not None:
        times, result = parse(values, how.layout), None
        valid = pa.array(~np.isnat(times.local))
    elif how.kind == "yes/no" and how.words is not None:
        lower = pc.utf8_lower(pc.utf8_trim_whitespace(values))
        result = pc.cast(pc.equal(lower, how.words[0].lower()), pa.int64())
        known = pc.or_(pc.equal(result, 1), pc.equal(lower, how.words[1].lower()))
        result = pc.if_else(known, result, pa.scalar(None, pa.int64()))
        valid = pc.is_valid(result)
    else:
        result = _numbers(values, how)
        valid = pc.is_valid(result)
    unread = pc.and_(pc.is_valid(values), pc.invert(valid))
    return ReadColumn(result, times, *_counted(texts, marks), *_counted(texts, unread))


def number_type(texts: pa.Array, name: str, likely: str = "") -> tuple[ColumnType, float, str]:
    """The way of writing numbers that reads the most of a column's texts, and its share of them.

    The last is a note where the texts may be other numbers as well: 1.349 is one thousand and more
    with a decimal comma. `likely`, the file's `decimal_mark`, settles it.
    """
    values = texts.filter(pc.invert(_is_missing(texts, (*MISSING, *DASHES))))
    how, share = _best_number(values)
    if share < NEARLY or not _any(values, r"\d[.,]\d{3}(?:\D|$)"):
        return how, share, ""
    other, other_share = _best_number(values, "," if how.decimal == "." else ".")
    if other_share < share:
        return how, share, ""
    if likely:
        return (other if other.decimal == likely else how), share, ""
    numbers, others = _numbers(texts, how), _numbers(texts, other)  # of all rows, to name one
    differs = pc.fill_null(pc.not_equal(numbers, others), False)
    count, first = _counted(texts, differs)
    if first is None:
        return how, share, ""
    row, text = first
    mark, use = (
        (how.thousands, "between thousands") if how.thousands else (how.decimal, "as decimal mark")
    )
    return (
        how,
        share,
        f"column {name!r}: {count:,} with {mark!r} {use}, the first is {text!r} in data row {row}, "
        f"read as {numbers[row - 1]}; --type {name}=number:{other.decimal} reads it as "
        f"{others[row - 1]}",
    )


def decimal_mark(columns: Iterable[pa.Array]) -> str:
    """The decimal mark of a file's columns: of those of numbers that only it can read.

    "" where there is none, or both occur.
    """
    marks = set()
    for texts in columns:
        values = pc.unique(texts.filter(pc.invert(_is_missing(texts, (*MISSING, *DASHES)))))
        if not _any(values, r"[.,]\d"):
            continue
        shares = {mark: _best_number(values, mark)[1] for mark in (".", ",")}
        high, low = max(shares.values()), min(shares.values())
        if high >= NEARLY and low < high:
            marks.add(next(mark for mark, share in shares.items() if share == high))
    return marks.pop() if len(marks) == 1 else ""


def _any(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())


def _counted(texts: pa.Array, chosen: pa.Array) -> tuple[int, tuple[int, str] | None]:
    """How many are chosen; the row, from 1, and the text of the first."""
    row = pc.index(chosen, True).as_py()
    if row < 0:
        return 0, None
    return int(pc.sum(chosen).as_py()), (row + 1, str(texts[row].as_py()))


def _is_missing(texts: pa.Array, marks: tuple[str, ...]) -> pa.Array:
    """True for null and for these marks, in any case, with blanks around them or not."""
    trimmed = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    return pc.or_(pc.is_null(texts), pc.fill_null(pc.is_in(trimmed, pa.array(marks)), True))


def _blanked(texts: pa.Array, blank: pa.Array) -> pa.Array:
    return pc.if_else(blank, pa.scalar(None, pa.string()), texts)


def _yes_no(distinct: pa.Array) -> tuple[str, str] | None:
    """The two words, as they are written first; None where the values are not such a pair."""
    written = {
        text.strip().lower(): text.strip() for text in reversed(distinct.slice(0, 12).to_pylist())
    }
    if len(distinct) > 6:  # three ways to write each
        return None
    for yes, no in _YES_NO:
        if written.keys() == {yes, no}:
            return written[yes], written[no]
    return None


def _best_number(texts: pa.Array, decimal: str = "") -> tuple[ColumnType, float]:
    """The way of writing numbers that reads the most of the texts, and its share of them."""
    best, best_share = ColumnType("number", decimal or "."), 0.0
    if not len(texts):
        return best, best_share
    unit = _common_unit(texts)
    for mark, thousands in ((".", ""), (".", ","), (",", ""), (",", "."), (",", " "), (".", " "),
                            (".", "'"), (",", "'")):  # fmt: skip
        if decimal not in ("", mark):
            continue
        how = ColumnType("number", mark, thousands, unit)
        share = pc.sum(pc.is_valid(_numbers(texts, how))).as_py() / len(texts)
        if share > best_share:
            best, best_share = how, share
    return best, best_share


def _common_unit(texts: pa.Array) -> str:
    """The sign that most of the values have before or after the number; "" for none."""
    counts: dict[str, int] = {}
    sample = texts.slice(0, 1000).to_pylist()
    for text in sample:
        match = _UNIT.match(text)
        sign = (match["before"] or match["after"]) if match else ""
        counts[sign] = counts.get(sign, 0) + 1
    sign = max(counts, key=lambda each: counts[each])
    return sign if counts[sign] >= NEARLY * len(sample) else ""


def _numbers(texts: pa.Array, how: ColumnType) -> pa.Array:
    """int64 where all are whole and fit, else float64; null where a text is no such number.

    Nor is a text without the unit: 0.5 among percents may be 50%.
    """
    if how.unit:
        sign = re.escape(how.unit)
        unit = rf"^\s*{sign}\s*|\s*{sign}\s*$"
        texts = _blanked(texts, pc.invert(pc.match_substring_regex(texts, unit)))
        texts = pc.replace_substring_regex(texts, unit, "")
    texts = pc.replace_substring(pc.utf8_trim_whitespace(texts), "\u2212", "-")
    group, mark = _GROUPS[how.thousands], re.escape(how.decimal)
    whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:{group}\d{{3}})+)" if group else r"\d+"
    pattern = rf"^{_SIGN}(?:{whole}(?:{mark}\d*)?|{mark}\d+){_EXPONENT}$"
    fits = pc.match_substring_regex(texts, pattern)
    if how.decimal == ".":
        fits = pc.or_(fits, pc.match_substring_regex(texts, r"^[-+]?(?i:inf|infinity)$"))
    texts = _blanked(texts, pc.invert(pc.fill_null(fits, False)))
    if group:
        texts = pc.replace_substring_regex(texts, group, "")
    if how.decimal != ".":
        texts = pc.replace_substring(texts, how.decimal, ".")
    texts = pc.replace_substring_regex(texts, r"^\+", "")
    is_whole = pc.all(pc.match_substring_regex(texts, r"^-?\d{1,18}$")).as_py()
    return texts.cast(pa.int64() if is_whole else pa.float64())


def _first_unread(texts: pa.Array, how: ColumnType) -> tuple[int, str]:
    first = read(texts, how).first
    return first if first is not None else (0, "")


def _note_ambiguous(name: str, layouts: list[DateLayout], notes: list[str]) -> None:
    if len(layouts) > 1:
        words = [str(layout).split(" ", 1)[0] for layout in layouts[:2]]
        notes.append(
            f"column {name!r}: dates are read as {words[0]}, but could be {words[1]}; "
            f"--type {name}=date:{layouts[1].order} reads them so"
        )
