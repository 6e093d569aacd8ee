"""Whether a model can be trained on a target: asked before data are stored, and by the training."""

from __future__ import annotations

#: Fewer rows than this give no meaningful folds.
MINIMUM_ROWS = 20


def target_problem(target: str, rows: int, low: float | None, high: float | None) -> str | None:
    """Why nothing can be trained on `rows` rows with a target from `low` to `high`; else None.

    The limits are None where there is no value.
    """
    if rows < MINIMUM_ROWS:
        count = f"{rows} usable row" + "s" * (rows != 1)
        return f"{count}; training needs at least {MINIMUM_ROWS}. Add rows"
    if low is not None and low == high:
        return (
            f"the target {target!r} is {low:g} in every row, so there is nothing to learn. "
            "Check the column"
        )
    return None
