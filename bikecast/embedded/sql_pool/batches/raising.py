"""THROW and RAISERROR: the errors and messages that a batch makes itself."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from bikecast.embedded.sql_pool.batches.arguments import require_constants
from bikecast.embedded.sql_pool.errors import SqlError
from bikecast.embedded.sql_pool.expressions.context import Variable
from bikecast.embedded.sql_pool.syntax import flow
from bikecast.embedded.sql_pool.values.types import INT, MAX, SqlType, nvarchar

Evaluate = Callable[[exp.Expression, SqlType], object]
_TEXT = nvarchar(MAX)
_FIELD = re.compile(r"%(%|[-+ 0#]*\d*(?:\.\d+)?(?:I64|[hl])?[diouxXs])")


def thrown(statement: flow.Throw, evaluate: Evaluate, caught: SqlError | None) -> SqlError:
    """The error of THROW; without arguments the caught one again."""
    if not statement.arguments:
        if caught is None:
            return SqlError(10704, "THROW without arguments must be inside of a CATCH block.")
        return caught
    if len(statement.arguments) != 3:
        return SqlError(103010, "THROW takes a number, a message and a state.")
    require_constants(statement.arguments, "THROW")
    number_node, message_node, state_node = statement.arguments
    number = evaluate(number_node, INT)
    if not isinstance(number, int) or number < 50000 or 100_000 <= number <= 150_000:
        return SqlError(
            35100,
            f"Error number {number} in the THROW statement is outside the valid range. "
            "Specify 50000 or more, but not 100000 to 150000.",
        )
    message = str(evaluate(message_node, nvarchar(2048)) or "")
    return SqlError(number, message, state=_number(evaluate(state_node, INT)))


def raised(statement: flow.RaiseError, evaluate: Evaluate, variables: dict[str, Variable]) -> str:
    """The message of a RAISERROR up to severity 10.

    Raises SqlError 50000 with the message for a higher one.
    """
    if len(statement.arguments) < 3:
        raise SqlError(103010, "RAISERROR takes a message, a severity and a state.")
    require_constants(statement.arguments, "RAISERROR")
    if isinstance(statement.arguments[0], exp.Literal) and not statement.arguments[0].is_string:
        raise SqlError(
            103010, "RAISERROR of a message number is not supported in a dedicated SQL pool."
        )
    message = str(evaluate(statement.arguments[0], _TEXT) or "")
    severity, state = (_number(evaluate(a, INT)) for a in statement.arguments[1:3])
    values = iter([evaluate(argument, _TEXT) for argument in statement.arguments[3:]])
    _check_fields(message, statement.arguments[3:], variables)
    message = _FIELD.sub(lambda match: _field(match[1], values), message)
    if severity > 18:
        raise SqlError(
            2754,
            "Error severity levels greater than 18 can only be specified by members of the "
            "sysadmin role, using the WITH LOG option.",
        )
    if severity <= 10:
        return message
    if state < 0:  # https://learn.microsoft.com/sql/t-sql/language-elements/raiserror-transact-sql
        state = 1
    raise SqlError(50000, message, state=state, severity=severity)


def _check_fields(
    message: str, arguments: tuple[exp.Expression, ...], variables: dict[str, Variable]
) -> None:
    """Raise 2786 for a text where the message has a number, or a number where it has a text.

    Raises SqlError 2748 for a value of another type.
    """
    letters = [form[-1] for form in _FIELD.findall(message) if form != "%"]
    for place, node in enumerate(arguments, 1):
        family = _family(node, variables)
        if family == "other":
            raise SqlError(
                2748, f"Cannot specify this data type (parameter {place}) as a substitution."
            )
        if family and place <= len(letters) and (family == "text") != (letters[place - 1] == "s"):
            raise SqlError(
                2786,
                f"The data type of substitution parameter {place} does not match the expected "
                "type of the format specification.",
            )


def _family(node: exp.Expression, variables: dict[str, Variable]) -> str:
    """text, integer or other; empty for NULL, and for what is not known."""
    inner = node.this if isinstance(node, exp.Neg) else node
    if isinstance(inner, exp.National):
        return "text"
    if isinstance(inner, exp.Literal):
        return "text" if inner.is_string else "integer" if inner.name.isdigit() else "other"
    variable = variables.get(inner.name.lower()) if isinstance(inner, exp.Parameter) else None
    if variable is None or variable.type.is_binary:
        return ""
    return "text" if variable.type.is_text else "integer" if variable.type.is_integer else "other"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 1


def _field(form: str, values: object) -> str:
    if form == "%":
        return "%"
    value = next(values, None)  # type: ignore[call-overload]
    if value is None:
        return "(null)"
    letter = "d" if form[-1] in "iu" else form[-1]
    flags = re.sub(r"I64|[hl]", "", form[:-1])
    if letter == "s":
        return str(f"%{flags}s" % value)
    try:
        return str(f"%{flags}{letter}" % int(str(value)))
    except ValueError:
        return str(value)
