"""What the first bytes of a file say: its kind, its encoding; and which texts are no value."""

from __future__ import annotations

import codecs

GZIP = b"\x1f\x8b"
#: Marks of a missing value, as programs write them; compared without case.
MISSING = ("na", "n/a", "#n/a", "<na>", "null", "none", "nan", "?")
#: The same where the other values are numbers or dates.
DASHES = ("-", ".")
#: The longer marks first: that of UTF-32 begins like that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_KINDS = {
    b"PK\x03\x04": "a zip archive, or a workbook of a spreadsheet",
    b"PAR1": "a Parquet file",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ\x00": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"\xd0\xcf\x11\xe0": "an old workbook of a spreadsheet",
    b"%PDF": "a PDF",
    b"SQLite format 3": "an SQLite database",
}
_TAR = slice(257, 262)


def kind_of(start: bytes) -> str:
    """What a file is that is no text, by its first 262 bytes or more; empty for a text."""
    if start[_TAR] == b"ustar":
        return "a tar archive"
    return next((kind for mark, kind in _KINDS.items() if start.startswith(mark)), "")


def encoding_of(start: bytes) -> str:
    """The encoding of a text by its byte order mark, or by the zero bytes of UTF-16; else utf-8."""
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    if b"\x00" in start[:8]:
        pair = start[:2]
        if pair[1:] == b"\x00" and pair[:1] != b"\x00":
            return "utf-16-le"
        if pair[:1] == b"\x00" and pair[1:] != b"\x00":
            return "utf-16-be"
    return "utf-8"
