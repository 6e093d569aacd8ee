"""`bikecast script`: the T-SQL that a model's predictions are made by, before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import say, show


def script(
    model: ModelOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write instead of printing.")
    ] = None,
) -> None:
    """Show the T-SQL that makes a model's predictions table and its PREDICT procedures.

    It is what a run executes in the pool; the asset of the procedure keeps it. Nothing is run.
    """
    from bikecast.core.files import replaced_file
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.settings import load_settings
    from resources.sql_pool.deployment import procedure_script

    spec = chosen_model(load_models(), load_settings(model=model).model).spec
    text = procedure_script(spec)
    if output is None:
        show(text)
        return
    with replaced_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"Wrote {output}: {spec.schema}.{spec.procedure} of {spec.name}.")
