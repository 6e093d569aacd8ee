"""The procedures that drivers call: prepared statements, and the types of undeclared parameters."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from functools import partial

from bikecast.core.sql import ResultSet, SqlError, result_columns
from bikecast.embedded.sql_pool.internal import (
    INT,
    MAX,
    TYPES,
    SqlType,
    Variable,
    declared_parameters,
)
from bikecast.embedded.sql_pool.tds.pool_session import Answer, PoolSession
from bikecast.embedded.sql_pool.tds.rpc import Call, Parameter

_PREFIX = "rpc_"
_STATUS = "rpc_status"
#: Prepared statements of one connection, and their characters; the oldest is forgotten beyond.
MAX_PREPARED = 1_000
MAX_PREPARED_CHARACTERS = 32 * 2**20
_NO_HANDLE = 8179


class Procedures:
    """Runs the calls of one connection; prepared statements live as long as it does."""

    def __init__(self, session: PoolSession) -> None:
        self._session = session
        self._prepared: dict[int, tuple[Parameter, ...]] = {}
        self._last_handle = 0
        self._own: dict[str, Callable[[tuple[Parameter, ...]], Answer]] = {
            "sp_executesql": self._execute_sql,
            "sp_prepare": self._prepare,
            "sp_prepexec": partial(self._first_run, "sp_prepexec", 3),
            "sp_execute": self._execute,
            # the second parameter is the name of a procedure
            "sp_prepexecrpc": partial(self._first_run, "sp_prepexecrpc", 2),
            "sp_unprepare": self._unprepare,
            "sp_describe_undeclared_parameters": self._undeclared,
            "sp_reset_connection": lambda _: Answer(),
        }

    def reset(self) -> None:
        """Forget the prepared statements."""
        self._prepared.clear()

    def run(self, call: Call) -> Answer:
        """Run one call; its error, if any, is in the answer."""
        name = call.procedure.lower().replace("[", "").replace("]", "")
        name = name.rpartition(".")[2] if name.rpartition(".")[0] in ("", "sys", "dbo") else name
        own = self._own.get(name)
        try:
            if own is not None:
                return own(call.parameters)
            if name.startswith("sp_cursor"):
                raise SqlError(103010, f"{name} is not supported in a dedicated SQL pool.")
            return self._call(call.procedure, call.parameters)
        except SqlError as error:
            return Answer(error=error)

    def alike(self, calls: list[Call]) -> int:
        """How many calls at the beginning execute one prepared statement; 1 for any other."""

        def key(call: Call) -> object:
            values = call.parameters[1:]
            plain = not any(value.name or value.output or value.default for value in values)
            if call.procedure.lower() != "sp_execute" or not values or not plain:
                return None
            return (call.parameters[0].value.value, [value.value.type for value in values])

        first = key(calls[0])
        if first is None:
            return 1
        return len(list(itertools.takewhile(lambda call: key(call) == first, calls)))

    def insert_rows(self, calls: list[Call]) -> list[Answer] | None:
        """Answers of calls that insert a row each; None where they must run one by one."""
        handle = calls[0].parameters[0].value.value
        prepared = self._prepared.get(handle) if isinstance(handle, int) else None
        if prepared is None or len(prepared) != 2 or not prepared[0].value.value:
            return None
        try:
            declared = declared_parameters(str(_modern(prepared[0].value).value))
        except SqlError:
            return None
        types = [parameter.value.type for parameter in calls[0].parameters[1:]]
        if [sql_type for _, sql_type in declared] != types:
            return None
        names = [name for name, _ in declared]
        columns = zip(
            *([p.value.value for p in call.parameters[1:]] for call in calls), strict=True
        )
        rows = {name: list(values) for name, values in zip(names, columns, strict=True)}
        variables = {name: Variable(sql_type) for name, sql_type in declared}
        return self._session.insert_rows(str(prepared[1].value.value or ""), variables, rows)

    def _call(self, procedure: str, parameters: tuple[Parameter, ...]) -> Answer:
        """EXEC with every parameter as a variable; values never become SQL text."""
        variables: dict[str, Variable] = {}
        arguments = []
        for number, parameter in enumerate(parameters):
            if parameter.default:
                raise SqlError(103010, "DEFAULT as an argument is not supported.")
            name = f"{_PREFIX}{number}"
            variables[name] = Variable(parameter.value.type, parameter.value.value)
            label = f"@{_parameter_name(parameter.name)} = " if parameter.name else ""
            arguments.append(f"{label}@{name}{' OUTPUT' if parameter.output else ''}")
        target = "" if procedure == "sp_executesql" else f"@{_STATUS} = "
        variables[_STATUS] = Variable(INT, 0)
        answer = self._session.run(f"EXEC {target}{procedure} {', '.join(arguments)}", variables)
        status = variables[_STATUS].value
        answer.status = status if isinstance(status, int) else 0
        if answer.error is None:
            answer.outputs = [
                (number, f"@{parameter.name}" if parameter.name else "", variables[name])
                for number, parameter in enumerate(parameters)
                if parameter.output and (name := f"{_PREFIX}{number}")
            ]
        return answer

    def _execute_sql(self, parameters: tuple[Parameter, ...]) -> Answer:
        if len(parameters) > 1 and parameters[1].value.value:
            declared = parameters[1]
            modern = Parameter(declared.name, _modern(declared.value), declared.output)
            parameters = (parameters[0], modern, *parameters[2:])
        return self._call("sp_executesql", parameters)

    def _prepare(self, parameters: tuple[Parameter, ...]) -> Answer:
        _require(parameters, 3, "sp_prepare")
        return Answer(outputs=[self._remember(parameters[0], parameters[1:3])])

    def _remember(
        self, handle: Parameter, prepared: tuple[Parameter, ...]
    ) -> tuple[int, str, Variable]:
        """Keep @params and @stmt, or a procedure's name, under a new handle.

        The old handle, if one is given, is forgotten. Returns the handle as an output.
        """
        if isinstance(handle.value.value, int):
            self._prepared.pop(handle.value.value, None)
        self._last_handle += 1
        self._prepared[self._last_handle] = prepared
        while len(self._prepared) > 1 and (
            len(self._prepared) > MAX_PREPARED
            or sum(map(_characters, self._prepared.values())) > MAX_PREPARED_CHARACTERS
        ):
            del self._prepared[next(iter(self._prepared))]
        name = f"@{handle.name}" if handle.name else ""
        return 0, name, Variable(INT, self._last_handle)

    def _first_run(self, name: str, own: int, parameters: tuple[Parameter, ...]) -> Answer:
        """Prepare by the first `own` parameters and run with the others."""
        _require(parameters, own, name)
        prepared = parameters[1:own]
        handle = self._remember(parameters[0], prepared)
        answer = self._run_prepared(prepared, parameters[own:], own)
        answer.outputs.insert(0, handle)
        return answer

    def _execute(self, parameters: tuple[Parameter, ...]) -> Answer:
        _require(parameters, 1, "sp_execute")
        return self._run_prepared(self._prepared_as(parameters[0]), parameters[1:], 1)

    def _run_prepared(
        self, prepared: tuple[Parameter, ...], values: tuple[Parameter, ...], before: int
    ) -> Answer:
        """Run with values, which stand behind `before` other parameters of the call."""
        if len(prepared) == 1:
            answer, own = self._call(str(prepared[0].value.value or ""), values), 0
        elif prepared[0].value.value:
            declared = Parameter("", _modern(prepared[0].value))
            statement = Parameter("", prepared[1].value)
            answer, own = self._call("sp_executesql", (statement, declared, *values)), 2
        else:
            return self._session.run(str(prepared[1].value.value or ""), {})
        answer.outputs = [(n - own + before, name, value) for n, name, value in answer.outputs]
        return answer

    def _unprepare(self, parameters: tuple[Parameter, ...]) -> Answer:
        _require(parameters, 1, "sp_unprepare")
        self._prepared_as(parameters[0])
        del self._prepared[int(str(parameters[0].value.value))]
        return Answer()

    def _prepared_as(self, handle: Parameter) -> tuple[Parameter, ...]:
        number = handle.value.value
        prepared = self._prepared.get(number) if isinstance(number, int) else None
        if prepared is None:
            raise SqlError(
                _NO_HANDLE, f"Could not find prepared statement with handle {number or 0}."
            )
        return prepared

    def _undeclared(self, parameters: tuple[Parameter, ...]) -> Answer:
        _require(parameters, 1, "sp_describe_undeclared_parameters")
        declared = parameters[1].value.value if len(parameters) > 1 else None
        parameter_types = undeclared_parameters(
            self._session, str(parameters[0].value.value or ""), str(declared or "")
        )
        return Answer(outcomes=[parameter_types])


def _characters(prepared: tuple[Parameter, ...]) -> int:
    return sum(len(str(part.value.value)) for part in prepared)


def _modern(declared: Variable) -> Variable:
    """A declaration list with what drivers write by themselves made fit for a dedicated pool.

    The ODBC driver declares a long binary parameter as image, though it sends varbinary(max).
    Text and ntext stay: a dedicated pool is known to refuse them
    (https://github.com/mkleehammer/pyodbc/issues/620).
    """
    text = str(declared.value)
    legacy = re.search(r"@[\w$#]+\s+(n?text)\b", text, re.IGNORECASE)
    if legacy:
        raise SqlError(
            103010,
            f"The data type {legacy[1].lower()} is not supported in a dedicated SQL pool. Add "
            "LongAsMax=yes to the connection string of ODBC Driver 18 for parameters of more than "
            "4000 characters.",
        )
    modern = re.sub(r"(@[\w$#]+\s+)image\b", r"\1varbinary(max)", text, flags=re.IGNORECASE)
    return Variable(declared.type, modern)


def _require(parameters: tuple[Parameter, ...], count: int, procedure: str) -> None:
    if len(parameters) < count:
        raise SqlError(201, f"Procedure {procedure} expects {count} parameters or more.")


def _parameter_name(name: str) -> str:
    """The name, where it is one: it becomes part of the call's text.

    Raises SqlError for anything else.
    """
    if not re.fullmatch(r"[\w@$#]+", name):
        raise SqlError(103010, f"Incorrect syntax near '{name[:50]}'.")
    return name


_PARAMETER_COLUMNS = result_columns(
    "parameter_ordinal:int name:nvarchar suggested_system_type_id:int "
    "suggested_system_type_name:nvarchar suggested_max_length:smallint "
    "suggested_precision:tinyint suggested_scale:tinyint suggested_user_type_id:int "
    "suggested_user_type_database:nvarchar suggested_user_type_schema:nvarchar "
    "suggested_user_type_name:nvarchar suggested_assembly_qualified_type_name:nvarchar "
    "suggested_xml_collection_id:int suggested_xml_collection_database:nvarchar "
    "suggested_xml_collection_schema:nvarchar suggested_xml_collection_name:nvarchar "
    "suggested_is_xml_document:bit suggested_is_case_sensitive:bit "
    "suggested_is_fixed_length_clr_type:bit suggested_is_input:bit suggested_is_output:bit "
    "formal_parameter_name:nvarchar suggested_tds_type_id:int suggested_tds_length:int"
)


def undeclared_parameters(session: PoolSession, text: str, declared: str) -> ResultSet:
    """The types that the parameters of a batch take from the columns that they meet.

    Raises SqlError 11503 for a parameter that meets no column, and the parser's errors.
    """
    names = {
        part.split()[0].lower().removeprefix("@") for part in declared.split(",") if part.split()
    }
    types = session.undeclared_parameters(text, names)
    rows = [
        _row(number, name, sql_type) for number, (name, sql_type) in enumerate(types.items(), 1)
    ]
    return ResultSet(_PARAMETER_COLUMNS, rows)


def _row(number: int, name: str, sql_type: SqlType | None) -> tuple[object, ...]:
    if sql_type is None:
        raise SqlError(
            11503,
            f"The parameter type cannot be deduced because no expression gives '@{name}' a type.",
        )
    facts = TYPES[sql_type.name]
    size, precision, scale = facts.bytes, facts.precision, facts.scale
    if sql_type.length is not None:
        is_wide = sql_type.name.startswith("n") and sql_type.length != MAX
        size = sql_type.length * (2 if is_wide else 1)
    if sql_type.name == "decimal":
        precision, scale = sql_type.precision, sql_type.scale
    elif sql_type.name in ("time", "datetime2", "datetimeoffset"):
        scale = sql_type.scale
        precision -= 8 - scale - bool(scale)
    head = (number, f"@{name}", facts.number, sql_type.declaration, size, precision, scale)
    flags = (False, False, False, True, False, None, facts.wire, 0xFFFF if size == MAX else size)
    return (*head, *([None] * 9), *flags)
