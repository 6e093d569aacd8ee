"""The option `--model` of commands that concern one model."""

from __future__ import annotations

from typing import Annotated

import typer

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Which model.  [default: BIKECAST_MODEL, else the only one]",
        show_default=False,
    ),
]
