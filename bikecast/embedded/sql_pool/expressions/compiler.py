"""Scalar expressions and conditions: T-SQL's semantics as DuckDB SQL, with types.

Every node kind is named here; any other is refused, so nothing passes by chance.
"""
# the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import (
    SqlError,
    construct,
    describe,
    failure,
    look,
    near,
    refused,
)
from bikecast.embedded.sql_pool.expressions.conditions import CONDITIONS, compile_condition
from bikecast.embedded.sql_pool.expressions.context import CompileQuery, Context
from bikecast.embedded.sql_pool.expressions.functions.aggregates import (
    AGGREGATES,
    RANKINGS,
    aggregate,
    window,
)
from bikecast.embedded.sql_pool.expressions.functions.builtin import FUNCTIONS
from bikecast.embedded.sql_pool.expressions.functions.dates import at_time_zone
from bikecast.embedded.sql_pool.expressions.functions.user_defined import call_function
from bikecast.embedded.sql_pool.syntax import dialect
from bikecast.embedded.sql_pool.syntax.profile import collation_rules, only
from bikecast.embedded.sql_pool.values.conversion import assign, cast, convert
from bikecast.embedded.sql_pool.values.operators import (
    LITERAL_TYPES,
    arithmetic,
    bitwise,
    bitwise_not,
    comparison,
    in_range,
    literal_number,
    literal_text,
)
from bikecast.embedded.sql_pool.values.scope import BoundQuery, Scope, Typed, column_value
from bikecast.embedded.sql_pool.values.types import NULL, SqlType, common_type, make_type, varbinary

_ARITHMETIC: dict[type[exp.Expression], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
}
#: Functions that are written without parentheses, by the function they are.
_WITHOUT_PARENTHESES = {
    "CURRENT_TIMESTAMP": "GETDATE",
    "CURRENT_USER": "CURRENT_USER",
    "SESSION_USER": "SESSION_USER",
    "SYSTEM_USER": "SYSTEM_USER",
    "USER": "USER",
}
_MONEY = re.compile(r"\$\d+(\.\d*)?|\$\.\d+")
_BITWISE: dict[type[exp.Expression], str] = {
    exp.BitwiseAnd: "&",
    exp.BitwiseOr: "|",
    exp.BitwiseXor: "^",
}


@dataclass
class ExpressionCompiler:
    """Compiles the expressions of one scope. `query` compiles a subquery in a scope."""

    context: Context
    scope: Scope
    query: CompileQuery

    def in_scope(self, scope: Scope) -> ExpressionCompiler:
        """A compiler of the same statement for another scope."""
        return ExpressionCompiler(self.context, scope, self.query)

    def value(self, node: exp.Expression) -> Typed:
        """Compile an expression that yields a value."""
        look()
        if node is None:  # the parser found none where one must be
            raise near("expression")
        operator = _ARITHMETIC.get(type(node))
        if operator:
            only(node, "this", "expression", "typed", "safe")
            left, right = self.value(node.this), self.value(node.expression)
            return self._of_group(arithmetic(operator, left, right))
        if type(node) in _BITWISE:
            only(node, "this", "expression")
            return bitwise(_BITWISE[type(node)], self.value(node.this), self.value(node.expression))
        compile_node = _VALUES.get(type(node))
        if compile_node is None:
            if isinstance(node, exp.All | exp.Any):
                raise near(node.key.upper())
            if type(node) in CONDITIONS:
                raise near(describe(node))
            raise refused(f"The expression {describe(node)}")
        return self._of_group(compile_node(self, node))

    def condition(self, node: exp.Expression) -> str:
        """Compile a condition (T-SQL keeps conditions and values apart)."""
        return compile_condition(self, node)

    def _of_group(self, value: Typed) -> Typed:
        one = self.scope.groups.get(value.sql)
        return value if one is None else Typed(one, value.type, not_null=value.not_null)

    def arguments(self, node: exp.Expression, least: int, most: int) -> list[exp.Expression]:
        """The arguments of a function call, counted (174)."""
        arguments = node.expressions
        if not least <= len(arguments) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            number, noun = (174, "argument(s)") if least == most else (189, "arguments")
            raise SqlError(number, f"The {node.name.lower()} function requires {count} {noun}.")
        return arguments

    def _column(self, node: exp.Column) -> Typed:
        only(node, "this", "table", "db")
        if isinstance(node.this, exp.Star):
            raise near("*")
        name = node.name
        written = f"{node.table}.{name}" if node.table else name
        if _MONEY.fullmatch(written) and not any(part.args.get("quoted") for part in node.parts):
            money = SqlType("money")
            return Typed(cast(f"'0{written[1:]}'", money), money)
        if name.lower() == "0x" and not node.table:  # sqlglot's name for an empty binary constant
            return Typed("unhex('')", varbinary(1))
        function = _WITHOUT_PARENTHESES.get(name.upper())
        if function and not node.table and not node.this.quoted:
            return FUNCTIONS[function](self, exp.Anonymous(this=function))
        return column_value(self.scope.column(name, node.table or None, node.db or None))

    def _literal(self, node: exp.Literal) -> Typed:
        return literal_text(node.name) if node.is_string else literal_number(node.name)

    def _hex(self, node: exp.HexString) -> Typed:
        digits = node.name.upper()
        digits = digits if len(digits) % 2 == 0 else "0" + digits
        type_ = varbinary(max(len(digits) // 2, 1))
        return Typed(self.context.bind(bytes.fromhex(digits), type_), type_)

    def _no_boolean(self, node: exp.Boolean) -> Typed:
        raise failure("207", "TRUE" if node.this else "FALSE")

    def _parameter(self, node: exp.Parameter) -> Typed:
        if not isinstance(node.this, exp.Parameter):
            return self.context.variable(node.name)
        name = node.this.name.upper()
        if name not in self.context.server and construct(f"@@{name}"):
            raise refused(f"@@{name}")
        if name not in self.context.server:
            raise SqlError(137, f'Must declare the scalar variable "@@{name}".')
        value, type_ = self.context.server[name]
        return Typed(self.context.bind(value, type_), type_)

    def _paren(self, node: exp.Paren) -> Typed:
        inner = self.value(node.this)
        return replace(inner, sql=f"({inner.sql})")

    def _negate(self, node: exp.Neg) -> Typed:
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            inner = literal_number(node.this.name)
            return (
                literal_number("-" + node.this.name) if inner.type.name in LITERAL_TYPES else inner
            )
        inner = self.value(node.this)
        if inner.type.name == "null":
            return inner
        if not inner.type.is_number or inner.type.name == "bit":
            raise failure("8117", inner.type.name, "minus")
        if inner.type.name in ("tinyint", "smallint"):
            small = SqlType("smallint")
            return Typed(f"({cast('0', small)} - {cast(inner.sql, small)})", small)
        return Typed(in_range(f"(-({inner.sql}))", inner.type), inner.type)

    def _case(self, node: exp.Case) -> Typed:
        only(node, "this", "ifs", "default")
        subject = self.value(node.this) if node.this else None
        conditions: list[str] = []
        results: list[Typed] = []
        for branch in node.args["ifs"]:
            if subject is None:
                conditions.append(self.condition(branch.this))
            else:
                conditions.append(comparison("=", subject, self.value(branch.this)))
            results.append(self.value(branch.args["true"]))
        default = node.args.get("default")
        results.append(self.value(default) if default is not None else Typed("NULL", NULL))
        return self.choose(conditions, results)

    def choose(self, conditions: list[str], results: list[Typed]) -> Typed:
        """CASE over typed results; the last result is the ELSE."""
        type_ = self.unify(results)
        if type_.name == "null":
            raise failure("8133")
        values = [assign(result, type_).sql for result in results]
        branches = " ".join(
            f"WHEN {condition} THEN {value}"
            for condition, value in zip(conditions, values, strict=False)
        )
        return Typed(f"(CASE {branches} ELSE {values[-1]} END)", type_)

    def unify(self, values: list[Typed]) -> SqlType:
        """The common type of several values."""
        type_ = values[0].type
        for other in values[1:]:
            type_ = common_type(type_, other.type)
        return type_

    def _conversion(self, node: exp.Expression) -> Typed:
        value, declared = self.value(node.this), node.args["to"]
        to = make_type(declared.name, declared.args.get("arguments") or [], in_cast=True)
        style_node = node.args.get("style")
        style = None
        if style_node is not None:
            if not isinstance(style_node, exp.Literal) or style_node.is_string:
                raise refused("CONVERT with a style that is not a constant")
            style = int(style_node.name)
        result = convert(value, to, style)
        # TRY has no type where DuckDB finds at once that its argument fails
        return Typed(cast(f"TRY({result.sql})", to), to) if node.args.get("safe") else result

    def _function(self, node: exp.Anonymous) -> Typed:
        only(node, "this", "expressions")
        name = node.name.upper()
        if name in AGGREGATES:
            with self.scope.ungrouped():
                return aggregate(self, node)
        if name in RANKINGS:
            raise SqlError(10753, f"The function '{name}' must have an OVER clause.")
        compile_call = FUNCTIONS.get(name)
        if compile_call is None and construct(f"The function {name}"):
            raise refused(f"The function {name}")
        if compile_call is None:
            raise SqlError(195, f"'{node.name}' is not a recognized built-in function name.")
        return compile_call(self, node)

    def _within_group(self, node: exp.WithinGroup) -> Typed:
        with self.scope.ungrouped():
            return aggregate(self, node.this, order=node.expression)

    def _collate(self, node: exp.Collate) -> Typed:
        value, name = self.value(node.this), node.expression.name
        if not value.type.is_text:
            raise SqlError(447, f"Expression type {value.type.name} is invalid for COLLATE clause.")
        rules = collation_rules(name)
        exact = bool({"CS", "BIN", "BIN2"} & rules)
        collation = "C" if exact else '"nocase.noaccent"' if "AI" in rules else "nocase"
        return Typed(f"({value.sql} COLLATE {collation})", value.type)

    def _scalar_subquery(self, node: exp.Expression) -> Typed:
        query = self.subquery(node)
        if len(query.columns) != 1:
            raise failure("116")
        return Typed(f"({query.sql})", query.columns[0][1])

    def subquery(self, node: exp.Expression) -> BoundQuery:
        """Compile a query in parentheses; it sees this scope's columns."""
        if isinstance(node, exp.Subquery):
            only(node, "this")
            node = node.this
        return self.query(node, Scope(parent=self.scope))


_VALUES: dict[type, Callable[..., Typed]] = {
    exp.Column: ExpressionCompiler._column,
    exp.Literal: ExpressionCompiler._literal,
    exp.National: lambda _, node: literal_text(node.name, national=True),
    exp.HexString: ExpressionCompiler._hex,
    exp.Null: lambda *_: Typed("NULL", NULL),
    exp.Boolean: ExpressionCompiler._no_boolean,
    exp.Parameter: ExpressionCompiler._parameter,
    exp.Paren: ExpressionCompiler._paren,
    exp.Neg: ExpressionCompiler._negate,
    exp.Case: ExpressionCompiler._case,
    dialect.Conversion: ExpressionCompiler._conversion,
    exp.Anonymous: ExpressionCompiler._function,
    exp.Dot: call_function,
    exp.Subquery: ExpressionCompiler._scalar_subquery,
    exp.Select: ExpressionCompiler._scalar_subquery,
    exp.Window: window,
    exp.WithinGroup: ExpressionCompiler._within_group,
    exp.AtTimeZone: at_time_zone,
    exp.Collate: ExpressionCompiler._collate,
    exp.BitwiseNot: lambda compiler, node: bitwise_not(compiler.value(node.this)),
}
