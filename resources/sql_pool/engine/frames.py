"""The variables of a batch or a procedure call, and the jumps that leave it."""

from __future__ import annotations

from dataclasses import dataclass, field

from resources.sql_pool.engine.context import Variable
from resources.sql_pool.engine.errors import SqlError

MAX_NESTING = 8


class Jump(Exception):  # control flow, not an error
    """BREAK, CONTINUE or RETURN on its way to the loop or the frame that it leaves."""

    def __init__(self, kind: str, value: int = 0) -> None:
        super().__init__(kind)
        self.kind = kind
        self.value = value


@dataclass
class Frame:
    """The variables of one batch or procedure call; `declared` are the statements that ran."""

    variables: dict[str, Variable] = field(default_factory=dict)
    declared: set[int] = field(default_factory=set)
    level: int = 0
    procedure: str | None = None

    def nested(self, variables: dict[str, Variable], procedure: str | None) -> Frame:
        """The frame of a call from this one.

        Raises SqlError 217 beyond the limit of nesting.
        """
        if self.level >= MAX_NESTING:
            raise SqlError(
                217,
                f"Maximum stored procedure or view nesting level exceeded (limit {MAX_NESTING}).",
            )
        return Frame(variables, level=self.level + 1, procedure=procedure)
