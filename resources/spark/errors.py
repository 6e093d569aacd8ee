"""Spark's errors, whatever engine they come from."""

from __future__ import annotations

from bikecast.core.errors import first_line


def spark_errors() -> tuple[type[Exception], ...]:
    """PySpark's own errors, and py4j's: PySpark translates only some exceptions of the JVM."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return PySparkException, Py4JError


def cause(error: Exception) -> str:
    """An error in one line; of a Py4JJavaError the Java exception, not the call that met it."""
    java_exception = getattr(error, "java_exception", None)
    return first_line(error if java_exception is None else Exception(java_exception.toString()))
