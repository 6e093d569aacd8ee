"""Runs scripts by `bikecast sql` in one process: JSON lists of batches in, JSON answers out.

`python -m tests.contract.corpus_command HOME`; an answer is [status, standard output, error].
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path


def answer(batches, script):
    from pipelines.cli import main

    script.write_text("\nGO\n".join(batches) + "\n", encoding="utf-8")
    sys.argv = ["bikecast", "sql", "-f", str(script), "--format", "csv"]
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            status = ended.code or 0
    return [status, out.getvalue(), err.getvalue()]


if __name__ == "__main__":
    os.environ["BIKECAST_HOME"] = sys.argv[1]
    file = Path(sys.argv[1]).with_suffix(".sql")
    sys.stdout.write(json.dumps([answer(batches, file) for batches in json.load(sys.stdin)]))
