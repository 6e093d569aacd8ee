"""Bytes in memory of Arrow's own."""

from __future__ import annotations

import pyarrow as pa


def arrow_reader(content: bytes) -> pa.BufferReader:
    """A reader of a copy of `content` that Arrow's threads can free without Python.

    Such a thread may hold the last reference while the interpreter ends. A buffer of Python's
    takes the GIL then, which ends the thread inside C++ and the process with SIGABRT.
    """
    stream = pa.BufferOutputStream()
    stream.write(content)
    return pa.BufferReader(stream.getvalue())
