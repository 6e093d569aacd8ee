"""The job's code as files that a Spark pool loads: a main file and an archive of modules."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_MAIN = "resources/spark/synapse_main.py"
#: What the job imports, and the packages these are in.
_MODULES = (
    "resources/__init__.py",
    "resources/errors.py",
    "resources/spark/__init__.py",
    "resources/spark/batch.py",
    "resources/spark/transform.py",
    "resources/spec.py",
    "resources/spec_json.py",
    "resources/sql_types.py",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Code:
    """The job's code; equal sources give equal bytes."""

    main: bytes
    modules: bytes
    digest: str
    """12 hex digits over both."""


def job_code() -> Code:
    """The code as it is in this installation."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name in _MODULES:
            file.writestr(zipfile.ZipInfo(name, _EPOCH), (_ROOT / name).read_bytes())
    main, modules = (_ROOT / _MAIN).read_bytes(), archive.getvalue()
    return Code(main, modules, hashlib.sha256(main + modules).hexdigest()[:12])
