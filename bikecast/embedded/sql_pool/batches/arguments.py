"""Arguments of EXEC, by position or by name, and of THROW and RAISERROR."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, failure, refused
from bikecast.embedded.sql_pool.expressions.context import Variable
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.values.operators import literal_number
from bikecast.embedded.sql_pool.values.types import INT, MAX, SqlType, nvarchar, varbinary, varchar

TEXT = nvarchar(MAX)
VARCHAR = varchar(MAX)
_CONSTANTS = (exp.Literal, exp.National, exp.HexString, exp.Null, exp.Parameter)

#: Failed conversions, which EXEC reports as 8114.
_CONVERSIONS = frozenset({241, 242, 245, 248, 220, 8115, 8169})


def require_constants(nodes: tuple[exp.Expression, ...], where: str) -> None:
    """EXEC, THROW and RAISERROR take no expressions."""
    for node in nodes:
        inner = node.this if isinstance(node, exp.Neg) else node
        if not isinstance(inner, _CONSTANTS):
            raise SqlError(103010, f"{where} takes constants and variables only.")


def bind_arguments(
    parameters: tuple[st.ParameterDefinition, ...],
    arguments: tuple[st.Argument, ...],
    label: str,
    evaluate: Callable[[exp.Expression, SqlType], object],
    variables: dict[str, Variable],
) -> dict[str, Variable]:
    """The variables that a call of `label` starts with, by lower-case name.

    `variables` are those of the caller.

    Raises SqlError 201, 8144 or 8145 for arguments that do not fit the parameters.
    """
    by_name = {parameter.name.lower(): parameter for parameter in parameters}
    bound: dict[str, Variable] = {}
    named = False
    for position, argument in enumerate(arguments):
        named = named or argument.name is not None
        if argument.name is not None:
            parameter = by_name.get(argument.name.lower())
        elif named:
            raise SqlError(119, f"Must pass parameter number {position + 1} as '@name = value'.")
        elif not parameters:
            raise failure("8146", label)
        elif position >= len(parameters):
            raise failure("8144", label)
        else:
            parameter = parameters[position]
        if parameter is None:
            raise SqlError(8145, f"@{argument.name} is not a parameter for procedure {label}.")
        if argument.value is None:
            raise refused("DEFAULT as an argument")
        given = _word(argument.value)
        require_constants((given,), "EXEC")
        if argument.output and not isinstance(argument.value, exp.Parameter):
            raise failure("179")
        if parameter.name.lower() in bound:
            raise SqlError(8143, f"Parameter '@{parameter.name}' was supplied multiple times.")
        if argument.output and not parameter.output:
            raise failure("8162", parameter.name)
        try:
            value = evaluate(given, parameter.type)
        except SqlError as error:
            if error.number not in _CONVERSIONS:
                raise
            source = _type_of(given, variables)
            name = source.name.replace("decimal", "numeric") if source else "sql_variant"
            raise failure("8114", name, parameter.type.name) from error
        bound[parameter.name.lower()] = Variable(parameter.type, value)
    for parameter in parameters:
        if parameter.name.lower() not in bound and parameter.default is not None:
            value = evaluate(parameter.default, parameter.type)
            bound[parameter.name.lower()] = Variable(parameter.type, value)
        elif parameter.name.lower() not in bound:
            if label == "sp_executesql":
                raise failure("8178", parameter.name)
            raise failure("201", label, parameter.name)
    return bound


def _word(node: exp.Expression) -> exp.Expression:
    """A bare word is its text: `EXEC sp_columns stations`."""
    is_word = isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier)
    if not is_word or node.args.get("table") or node.name.upper() == "DEFAULT":
        return node
    return exp.National(this=node.name)


def copy_outputs(
    parameters: tuple[st.ParameterDefinition, ...],
    arguments: tuple[st.Argument, ...],
    inner: dict[str, Variable],
    outer: dict[str, Variable],
) -> None:
    """Write OUTPUT parameters back into the caller's variables."""
    for position, argument in enumerate(arguments):
        if not argument.output or not isinstance(argument.value, exp.Parameter):
            continue
        name = argument.name or parameters[position].name
        target = outer.get(argument.value.name.lower())
        if target is not None:
            target.value = inner[name.lower()].value


def _type_of(node: exp.Expression, variables: dict[str, Variable]) -> SqlType | None:
    """The type of a constant or a variable; None of an unknown variable, and of NULL."""
    inner = node.this if isinstance(node, exp.Neg) else node
    if isinstance(inner, exp.Parameter):
        variable = variables.get(inner.name.lower())
        return variable.type if variable is not None else None
    if isinstance(inner, exp.Literal):
        return VARCHAR if inner.is_string else literal_number(inner.name).type
    if isinstance(inner, exp.National):
        return TEXT
    return varbinary(MAX) if isinstance(inner, exp.HexString) else None


def require_national(statement: exp.Expression, variables: dict[str, Variable]) -> None:
    """Raise 214 for a statement of sp_executesql that is not Unicode text."""
    type_ = _type_of(statement, variables)
    if type_ is not None and type_.name in ("char", "varchar"):
        raise failure("214")


Evaluate = Callable[[exp.Expression, SqlType], object]
_FIELD = re.compile(r"%(%|[-+ 0#]*\d*(?:\.\d+)?(?:I64|[hl])?[diouxXs])")


def thrown(statement: st.Throw, evaluate: Evaluate, caught: SqlError | None) -> SqlError:
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
        return failure("35100", number)
    message = str(evaluate(message_node, nvarchar(2048)) or "")
    return SqlError(number, message, state=_number(evaluate(state_node, INT)))


def raised(statement: st.RaiseError, evaluate: Evaluate, variables: dict[str, Variable]) -> str:
    """The message of a RAISERROR up to severity 10.

    Raises SqlError 50000 with the message for a higher one.
    """
    if len(statement.arguments) < 3:
        raise SqlError(103010, "RAISERROR takes a message, a severity and a state.")
    require_constants(statement.arguments, "RAISERROR")
    if isinstance(statement.arguments[0], exp.Literal) and not statement.arguments[0].is_string:
        raise refused("RAISERROR of a message number")
    message = str(evaluate(statement.arguments[0], TEXT) or "")
    severity, state = (_number(evaluate(a, INT)) for a in statement.arguments[1:3])
    values = iter([evaluate(argument, TEXT) for argument in statement.arguments[3:]])
    _check_fields(message, statement.arguments[3:], variables)
    message = _FIELD.sub(lambda match: _field(match[1], values), message)
    if severity > 18:
        raise failure("2754")
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
        type_ = _type_of(node, variables)
        if type_ is None or type_.is_binary:
            continue
        if not (type_.is_text or type_.is_integer):
            raise failure("2748", place)
        if place <= len(letters) and type_.is_text != (letters[place - 1] == "s"):
            raise failure("2786", place)


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
