"""`bikecast check`: are the models' files right."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from pipelines.cli.output import print_json, say, show


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Check the models' files: each fault by file, line and field.

    They are pipelines/defs/NAME/defs.yaml. Nothing is started or changed. Exit code 2
    where something is wrong.
    """
    from pipelines.model_files import model_files, read_models

    models, problems = read_models(model_files())
    if as_json:
        print_json([asdict(problem) for problem in problems])
    else:
        for problem in problems:
            show(str(problem))
        names = ", ".join(model.spec.name for model in models) or "none"
        wrong = f"{len(problems)} faults" if problems else "no fault"
        say(f"{wrong}; models that are right: {names}")
    if problems:
        sys.exit(2)
