"""Arguments of EXEC: by position or by name, and back again for OUTPUT."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, unsupported
from bikecast.embedded.sql_pool.expressions.context import Variable
from bikecast.embedded.sql_pool.syntax import flow
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.values.types import SqlType

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
    arguments: tuple[flow.Argument, ...],
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
            raise SqlError(
                8146, f"Procedure {label} has no parameters and arguments were supplied."
            )
        elif position >= len(parameters):
            raise SqlError(8144, f"Procedure or function {label} has too many arguments specified.")
        else:
            parameter = parameters[position]
        if parameter is None:
            raise SqlError(8145, f"@{argument.name} is not a parameter for procedure {label}.")
        if argument.value is None:
            raise unsupported("DEFAULT as an argument")
        require_constants((argument.value,), "EXEC")
        if argument.output and not isinstance(argument.value, exp.Parameter):
            raise SqlError(
                179, "Cannot use the OUTPUT option when passing a constant to a stored procedure."
            )
        if parameter.name.lower() in bound:
            raise SqlError(8143, f"Parameter '@{parameter.name}' was supplied multiple times.")
        if argument.output and not parameter.output:
            raise SqlError(
                8162,
                f'The formal parameter "@{parameter.name}" was not declared as an OUTPUT '
                "parameter, but the actual parameter passed in requested output.",
            )
        try:
            value = evaluate(argument.value, parameter.type)
        except SqlError as error:
            if error.number not in _CONVERSIONS:
                raise
            source = _type_name(argument.value, variables)
            raise SqlError(
                8114, f"Error converting data type {source} to {parameter.type.name}."
            ) from error
        bound[parameter.name.lower()] = Variable(parameter.type, value)
    for parameter in parameters:
        if parameter.name.lower() not in bound and parameter.default is not None:
            value = evaluate(parameter.default, parameter.type)
            bound[parameter.name.lower()] = Variable(parameter.type, value)
        elif parameter.name.lower() not in bound:
            if label == "sp_executesql":
                raise SqlError(
                    8178,
                    f"The parameterized query expects the parameter '@{parameter.name}', which "
                    "was not supplied.",
                )
            raise SqlError(
                201,
                f"Procedure or function '{label}' expects parameter '@{parameter.name}', which "
                "was not supplied.",
            )
    return bound


def copy_outputs(
    parameters: tuple[st.ParameterDefinition, ...],
    arguments: tuple[flow.Argument, ...],
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


def _type_name(node: exp.Expression, variables: dict[str, Variable]) -> str:
    """The type of a constant or a variable, for messages."""
    inner = node.this if isinstance(node, exp.Neg) else node
    if isinstance(inner, exp.Parameter):
        variable = variables.get(inner.name.lower())
        return variable.type.name if variable is not None else "sql_variant"
    if isinstance(inner, exp.Literal):
        if inner.is_string:
            return "varchar"
        if "e" in inner.name.lower():
            return "float"
        return "int" if inner.name.isdigit() and int(inner.name) < 2**31 else "numeric"
    return "nvarchar" if isinstance(inner, exp.National) else "varbinary"


def require_national(statement: exp.Expression, variables: dict[str, Variable]) -> None:
    """Raise 214 for a statement of sp_executesql that is not Unicode text."""
    type_name = "varchar" if isinstance(statement, exp.Literal) else ""
    if isinstance(statement, exp.Parameter):
        variable = variables.get(statement.name.lower())
        type_name = variable.type.name if variable is not None else ""
    if type_name in ("char", "varchar"):
        raise SqlError(
            214, "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'."
        )
