"""A job's code as files that a Spark pool loads: a main file and an archive of modules."""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_MAIN = "resources/spark/batch.py"
_SHIPPED = {"bikecast", "resources"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Code:
    """The job's code; equal sources give equal bytes."""

    main: bytes
    modules: bytes
    digest: str
    """12 hex digits over both."""


@cache
def job_code(main_file: str = _MAIN) -> Code:
    """A main file (relative to the project) and the modules that it imports, as installed here."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name in shipped_modules(main_file):
            file.writestr(zipfile.ZipInfo(name, _EPOCH), (_ROOT / name).read_bytes())
    main, modules = (_ROOT / main_file).read_bytes(), archive.getvalue()
    return Code(main, modules, hashlib.sha256(main + modules).hexdigest()[:12])


def shipped_modules(main_file: str = _MAIN) -> list[str]:
    """This project's files that a main file needs, in order; what only type checkers read is out.

    An import inside a function counts, so a job's modules must not have those of adapters.
    """
    files: set[str] = set()
    todo = [main_file]
    while todo:
        tree = ast.parse((_ROOT / todo.pop()).read_text("utf-8"))
        for name in _imported(tree):
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                for path in ("/".join(parts[:end]) + ".py", "/".join(parts[:end]) + "/__init__.py"):
                    if path not in files and (_ROOT / path).is_file():
                        files.add(path)
                        todo.append(path)
    return sorted(files)


def _imported(node: ast.AST) -> Iterator[str]:
    """Dotted names of our own that code imports; a name may be a module's attribute."""
    if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
        return
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
    yield from (name for name in names if name.split(".")[0] in _SHIPPED)
    for child in ast.iter_child_nodes(node):
        yield from _imported(child)
