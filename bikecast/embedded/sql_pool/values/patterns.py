"""LIKE patterns, SOUNDEX and STR: functions of text that DuckDB does not have."""

from __future__ import annotations

import hashlib
import operator
import re
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache

from bikecast.embedded.sql_pool.errors import failure
from bikecast.embedded.sql_pool.limits import Limits

#: Characters of a text that REPLICATE makes.
_LONGEST = 64 << 20
_DEFAULTS = Limits()


@lru_cache(maxsize=256)
def _compiled(parts: tuple[str, ...]) -> re.Pattern[str]:
    """Parts with any text between them, as a regular expression without case.

    The first place of each part is the best one, so it is never given up: matching takes time in
    proportion to the text, not to a power of it.
    """
    first, *middle = parts[:-1] or parts
    text = first + "".join(f"(?>.*?{part})" for part in middle if part)
    if len(parts) > 1:
        text += ".*" + parts[-1]
    return re.compile(text, re.IGNORECASE | re.DOTALL)


def like_regex(pattern: str, escape: str = "") -> str:
    """A LIKE pattern with %, _, [set] and [^set] as a regular expression that DuckDB reads."""
    return ".*".join(_parts(pattern, escape))


@lru_cache(maxsize=256)
def _parts(pattern: str, escape: str) -> tuple[str, ...]:
    """What stands between the % of a LIKE pattern, as regular expressions."""
    parts: list[list[str]] = [[]]
    i = 0
    while i < len(pattern):
        character = pattern[i]
        if escape and character == escape and i + 1 < len(pattern):
            parts[-1].append(re.escape(pattern[i + 1]))
            i += 2
            continue
        end = pattern.find("]", i + 2)
        if character == "[" and end > 0:
            inner = pattern[i + 1 : end]
            negated = inner.startswith("^")
            inner = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner[negated:])
            parts[-1].append(_set(inner, negated))
            i = end + 1
            continue
        if character == "%":
            parts.append([])
        else:
            parts[-1].append("." if character == "_" else re.escape(character))
        i += 1
    return tuple("".join(part) for part in parts)


def _set(inner: str, negated: bool) -> str:
    text = f"[{'^' if negated else ''}{inner}]"
    try:
        re.compile(text)
    except re.error:  # a range from high to low matches nothing
        return "." if negated else r"[^\s\S]"
    return text


def like(subject: str, pattern: str, escape: str, exact: bool = True) -> bool:
    """subject LIKE pattern ESCAPE escape; unless `exact`, trailing blanks are left out."""
    *rest, last = _parts(pattern, escape)
    regex = _compiled((*rest, last if exact else f"{last} *"))
    return regex.fullmatch(subject) is not None


def pattern_index(pattern: str, subject: str) -> int:
    """PATINDEX: the place from 1 where the pattern starts, or 0."""
    if not pattern.startswith("%"):
        return int(like(subject, pattern, ""))
    parts = list(_parts(pattern, ""))
    if not any(parts):
        return int(bool(subject))
    while not parts[0]:
        del parts[0]
    if len(parts) == 1:
        match = re.compile(f"(?:{parts[0]})\\Z", re.IGNORECASE | re.DOTALL).search(subject)
        return match.start() + 1 if match else 0
    first = _compiled((parts[0],)).search(subject)
    if not first:
        return 0
    # Where the rest does not follow the first place, it follows none behind it.
    rest = _compiled(("", *parts[1:])).fullmatch(subject, first.end())
    return first.start() + 1 if rest else 0


_CODES = {
    **dict.fromkeys("BFPV", "1"),
    **dict.fromkeys("CGJKQSXZ", "2"),
    **dict.fromkeys("DT", "3"),
    "L": "4",
    **dict.fromkeys("MN", "5"),
    "R": "6",
}


def soundex(text: str) -> str:
    """SOUNDEX: a letter and three digits."""
    text = text.upper()
    if not text or not "A" <= text[0] <= "Z":
        return "0000"
    result, last = text[0], _CODES.get(text[0], "")
    for character in text[1:]:
        if not "A" <= character <= "Z":
            break
        code = _CODES.get(character, "")
        if code and code != last:
            result += code
        if character not in "HW":
            last = code
    return (result + "000")[:4]


def difference(left: str, right: str) -> int:
    """DIFFERENCE: how many of the four places of two SOUNDEX codes agree."""
    return sum(a == b for a, b in zip(soundex(left), soundex(right), strict=True))


def number_text(value: float, length: int, decimals: int) -> str | None:
    """STR: a number right-aligned in `length` places; asterisks where it does not fit."""
    if length < 1 or length > 8000 or decimals < 0:
        return None
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-min(decimals, 16)), ROUND_HALF_UP)
    text = format(rounded, "f")
    whole = text.partition(".")[0]
    if len(whole) > length:
        return "*" * length
    if len(text) > length:
        places = max(length - len(whole) - 1, 0)
        return number_text(value, length, places) if places < decimals else text[:length]
    return text.rjust(length)


def float_text(value: float, style: int) -> str:
    """A float as CONVERT writes it: style 0 with six digits, 1, 2 and 3 with 8, 16 and 17.

    The exponent has three digits.
    """
    if style in (1, 2):
        text = f"{value:.{7 if style == 1 else 15}e}"
    elif style == 3:
        text = f"{value:.16e}"
    else:
        text = f"{value:.6g}"
    return re.sub(r"e([+-])(\d\d)$", r"e\g<1>0\2", text)


_NAME_PART = re.compile(r'\[((?:[^\]]|\]\])*)\]|"((?:[^"]|"")*)"|([^.\[\]"]*)')


def name_part(name: str, piece: int) -> str | None:
    """PARSENAME: a part of an object's name, counted from its end; None where it has none.

    Source: https://learn.microsoft.com/sql/t-sql/functions/parsename-transact-sql
    """
    parts: list[str] = []
    place = 0
    while True:
        match = _NAME_PART.match(name, place)
        if match is None:
            return None
        bracketed, marked, plain = match.groups()
        if bracketed is not None:
            parts.append(bracketed.replace("]]", "]"))
        else:
            parts.append(marked.replace('""', '"') if marked is not None else plain)
        place = match.end()
        if place == len(name):
            break
        if name[place] != ".":
            return None
        place += 1
    if not parts[-1] or len(parts) > 4 or not 1 <= piece <= len(parts):
        return None
    part = parts[-piece]
    return part if 1 <= len(part) <= 128 else None


def divided(left: str, right: str, scale: int) -> str:
    """The exact quotient of two decimals, cut to a scale."""
    return _exact(operator.truediv, left, right, scale, ROUND_DOWN)


def multiplied(left: str, right: str, scale: int) -> str:
    """The exact product of two decimals, rounded to a scale."""
    return _exact(operator.mul, left, right, scale, ROUND_HALF_UP)


def _exact(
    combine: Callable[[Decimal, Decimal], Decimal], left: str, right: str, scale: int, rounding: str
) -> str:
    with localcontext() as context:
        context.prec = 90
        value = combine(Decimal(left), Decimal(right)).quantize(Decimal(1).scaleb(-scale), rounding)
        if len(value.as_tuple().digits) > 38:
            raise failure("8115", "expression", "numeric")
        return format(value, "f")


def _encoding(national: bool) -> str:
    return "utf-16-le" if national else "cp1252"


def text_bytes(text: str, national: bool) -> str:
    """The bytes of a text, in hex: UTF-16, or the code page of a dedicated pool's collation."""
    return text.encode(_encoding(national), "replace").hex()


def bytes_text(digits: str, national: bool) -> str:
    """The text of bytes in hex; bytes without a meaning become U+FFFD.

    Half a character of UTF-16 at the end is completed by a zero byte.
    """
    if national and len(digits) % 4:
        digits += "00"
    return bytes.fromhex(digits).decode(_encoding(national), "replace")


def hashed(algorithm: str, digits: str) -> str:
    """The hash, in hex, of bytes in hex by an algorithm of Python's name."""
    return hashlib.new(algorithm, bytes.fromhex(digits), usedforsecurity=False).hexdigest()


_NUMERIC = re.compile(r"[ \t]*[+-]?[$£€]?[ \t]*(\d[\d,]*\.?\d*|\.\d+)([eEdD][+-]?\d{1,3})?[ \t]*")


def is_numeric(text: str) -> int:
    """ISNUMERIC of a text: 1 where some numeric type takes it."""
    return int(_NUMERIC.fullmatch(text) is not None or text.strip() in ("+", "-", ".", ",", "$"))


def replicated(value: str, count: int) -> str:
    """A text, many times over.

    Raises SqlError 701 beyond 64 MiB, or where this process has its share of memory already: one
    statement makes thousands of values before anything else is looked at.
    """
    import psutil

    size = len(value) * count
    if size > _LONGEST or psutil.Process().memory_info().rss + size > _DEFAULTS.process_bytes:
        raise failure("701b", size)
    return value * count
