"""Bytes that Arrow's threads may free after Python has ended."""

import pyarrow as pa

from bikecast.core.arrow_memory import arrow_reader


def test_the_reader_holds_a_copy_in_memory_of_arrows_own():
    """A buffer of Python's took the GIL at exit, and the process ended with SIGABRT."""
    content = b"a,b\n1,2\n"
    before = pa.total_allocated_bytes()
    buffer = arrow_reader(content).read_buffer()
    assert buffer.to_pybytes() == content
    assert pa.total_allocated_bytes() > before
