"""Synapse's dialect for sqlglot: expressions and queries, PREDICT included.

sqlglot's parser reads many dialects and is lenient. Here functions stay as they are written (the
compiler knows each by name), T-SQL's own quoting holds, and what only other dialects have is
taken out of the grammar.
"""
# ruff: noqa: RUF012 # sqlglot reads a dialect from class attributes

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ErrorLevel
from sqlglot.parsers.tsql import TSQLParser
from sqlglot.tokenizer_core import Token, TokenType

from bikecast.embedded.sql_pool.errors import look, near

#: Tokens of several words, and of several signs, that T-SQL has; all others are left out.
_COMBINED = frozenset({"GROUP BY", "ORDER BY", "PARTITION BY", ">=", "<=", "<>", "!="})


#: The operators of +=, -= and their kin.
COMPOUND: dict[TokenType, type[exp.Binary]] = {
    TokenType.PLUS: exp.Add,
    TokenType.DASH: exp.Sub,
    TokenType.STAR: exp.Mul,
    TokenType.SLASH: exp.Div,
    TokenType.MOD: exp.Mod,
    TokenType.AMP: exp.BitwiseAnd,
    TokenType.PIPE: exp.BitwiseOr,
    TokenType.CARET: exp.BitwiseXor,
}


class Predict(exp.Expression):
    """PREDICT(MODEL = .., DATA = .. AS d, RUNTIME = ONNX) WITH (..) AS p in a FROM clause."""

    arg_types = {
        "model": True,
        "data": True,
        "data_alias": True,
        "runtime": False,
        "outputs": True,
        "alias": False,
    }


class TypeName(exp.Expression):
    """A type as it is written: its name, and its arguments as text."""

    arg_types = {"this": True, "arguments": False}


class Conversion(exp.Expression):
    """CAST, CONVERT and their TRY_ forms; `safe` for TRY_, `style` for CONVERT's third argument."""

    arg_types = {"this": True, "to": True, "style": False, "safe": False}


class OutputColumn(exp.Expression):
    """A column of PREDICT's WITH clause: name, type, NULL or NOT NULL."""

    arg_types = {"this": True, "to": True, "nullable": False}


class _SynapseParser(TSQLParser):
    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        "CAST": lambda self: self._parse_conversion(type_first=False, safe=False),
        "TRY_CAST": lambda self: self._parse_conversion(type_first=False, safe=True),
        "CONVERT": lambda self: self._parse_conversion(type_first=True, safe=False),
        "TRY_CONVERT": lambda self: self._parse_conversion(type_first=True, safe=True),
        "TRIM": lambda self: self._parse_trim_call(),
    }
    NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
    NO_PAREN_FUNCTION_PARSERS = {"CASE": TSQLParser.NO_PAREN_FUNCTION_PARSERS["CASE"]}
    QUERY_MODIFIER_PARSERS = {
        token: parse
        for token, parse in TSQLParser.QUERY_MODIFIER_PARSERS.items()
        if token.name
        in ("WHERE", "GROUP_BY", "HAVING", "ORDER_BY", "OPTION", "FOR", "OFFSET", "FETCH")
    }
    COLUMN_OPERATORS = {TokenType.DOT: TSQLParser.COLUMN_OPERATORS[TokenType.DOT]}

    def _parse_unary(self) -> exp.Expr | None:
        look()
        return super()._parse_unary()

    def _parse_projections(self) -> tuple[list[exp.Expr], list[exp.Expr] | None]:
        items = self._parse_csv(lambda: self._parse_compound() or self._parse_expression())
        return [
            exp.alias_(item.expression, item.this.this, copy=False)
            if isinstance(item, exp.EQ) and isinstance(item.this, exp.Column)
            else item
            for item in items
        ], None

    def _parse_compound(self) -> exp.Expr | None:
        """@name += value of a select list, as @name = (@name + (value))."""
        ahead = [token.token_type for token in self._tokens[self._index : self._index + 4]]
        if len(ahead) < 4 or ahead[0] != TokenType.PARAMETER or ahead[3] != TokenType.EQ:
            return None
        operator = COMPOUND.get(ahead[2])
        if operator is None:
            return None
        variable = self._parse_unary()
        if variable is None:
            return None
        self._advance(2)
        changed = operator(this=variable, expression=exp.Paren(this=self._parse_assignment()))
        return exp.EQ(this=variable.copy(), expression=exp.Paren(this=changed))

    def _parse_table(self, *args: Any, **kwargs: Any) -> exp.Expr | None:
        is_call = bool(self._next and self._next.token_type == TokenType.L_PAREN)
        if is_call and self._curr and self._curr.text.upper() == "PREDICT":
            return self._parse_predict()
        return super()._parse_table(*args, **kwargs)

    def _parse_table_parts(self, *args: Any, **kwargs: Any) -> exp.Table | exp.Dot | None:
        """A table's name; that of a temporary table keeps its sign, as its columns do."""
        table: exp.Table | exp.Dot | None = super()._parse_table_parts(*args, **kwargs)
        if isinstance(table, exp.Table) and table.this.args.pop("temporary", None):
            table.this.set("this", f"#{table.name}")
        return table

    def _parse_primary(self) -> exp.Expr | None:
        """A literal; one behind it is its alias, and not a continuation as in standard SQL."""
        if self._match_set((TokenType.STRING, TokenType.NATIONAL_STRING)):
            read: Any = self.PRIMARY_PARSERS[self._prev.token_type]
            literal: exp.Expr = read(self, self._prev)
            return literal
        return super()._parse_primary()

    def _parse_string_as_identifier(self) -> exp.Identifier | None:
        """An alias in quotation marks, with or without the N before it."""
        if not self._match_set((TokenType.STRING, TokenType.NATIONAL_STRING)):
            return None
        if not self._prev.text:
            self.raise_error("Incorrect syntax near ''.")
        return exp.to_identifier(self._prev.text, quoted=True)

    def _parse_table_alias(self, *args: Any, **kwargs: Any) -> exp.TableAlias | None:
        behind = self._next if self._curr.token_type is TokenType.ALIAS else self._curr
        if behind.token_type in (TokenType.STRING, TokenType.NATIONAL_STRING):
            self.raise_error(f"Incorrect syntax near '{behind.text}'.")
        alias: exp.TableAlias | None = super()._parse_table_alias(*args, **kwargs)
        return alias

    def _parse_type_name(self) -> TypeName:
        name = self._parse_id_var(any_token=True)
        arguments: list[str] = []
        if self._match(TokenType.L_PAREN):
            while self._curr and self._curr.token_type != TokenType.R_PAREN:
                if self._curr.token_type != TokenType.COMMA:
                    arguments.append(self._curr.text)
                self._advance()
            self._match_r_paren()
        return TypeName(this=name, arguments=arguments)

    def _parse_conversion(self, *, type_first: bool, safe: bool) -> Conversion:
        style = None
        if type_first:
            to = self._parse_type_name()
            if not self._match(TokenType.COMMA):
                self.raise_error("Incorrect syntax near 'CONVERT'.")
            value = self._parse_assignment()
            if self._match(TokenType.COMMA):
                style = self._parse_assignment()
        else:
            value = self._parse_assignment()
            if not self._match(TokenType.ALIAS):
                self.raise_error("Incorrect syntax near 'CAST', expected 'AS'.")
            to = self._parse_type_name()
        return Conversion(this=value, to=to, style=style, safe=safe)

    def _parse_trim_call(self) -> exp.Anonymous:
        arguments = [self._parse_assignment()] if self._curr.text != ")" else []
        if self._match(TokenType.FROM):
            arguments.insert(0, self._parse_assignment())
        return exp.Anonymous(this="TRIM", expressions=arguments)

    def _parse_output_column(self) -> OutputColumn:
        name = self._parse_id_var()
        if name is None:
            self.raise_error("PREDICT needs a WITH clause that names the outputs.")
        to = self._parse_type_name()
        if self._match_text_seq("COLLATE"):
            self._parse_id_var()
        nullable = not self._match(TokenType.NOT)
        if not self._match(TokenType.NULL) and not nullable:
            self.raise_error("Incorrect syntax near 'NOT', expected 'NULL'.")
        return OutputColumn(this=name, to=to, nullable=nullable)

    def _parse_join(self, *args: Any, **kwargs: Any) -> exp.Join | None:
        comma = bool(self._curr and self._curr.token_type == TokenType.COMMA)
        join: exp.Join | None = super()._parse_join(*args, **kwargs)
        if join is not None:
            join.meta["comma"] = comma
        return join

    def _parse_predict(self) -> Predict:
        self._advance(2)
        arguments: dict[str, Any] = {}
        while True:
            name = self._curr.text.upper() if self._curr else ""
            if name not in ("MODEL", "DATA", "RUNTIME") or name.lower() in arguments:
                self.raise_error(f"Incorrect syntax near '{name}'.")
            self._advance()
            if not self._match(TokenType.EQ):
                self.raise_error(f"Incorrect syntax near '{name}'.")
            if name == "MODEL":
                arguments["model"] = self._parse_unary()
            elif name == "DATA":
                arguments["data"] = self._parse_table_parts()
                if self._match(TokenType.ALIAS):
                    arguments["data_alias"] = self._parse_id_var(any_token=False)
            else:
                arguments["runtime"] = self._parse_var(any_token=True)
            if not self._match(TokenType.COMMA):
                break
        self._match_r_paren()
        for name in ("model", "data"):
            if name not in arguments:
                self.raise_error(f"PREDICT needs {name.upper()} = ...")
        if not self._match(TokenType.WITH):
            self.raise_error("PREDICT needs a WITH clause that names the outputs.")
        arguments["outputs"] = self._parse_wrapped_csv(self._parse_output_column)
        self._match(TokenType.ALIAS)
        arguments["alias"] = self._parse_id_var(any_token=False)
        return Predict(**arguments)


class Synapse(TSQL):
    """T-SQL as a dedicated SQL pool reads it."""

    class Tokenizer(TSQL.Tokenizer):
        """QUOTED_IDENTIFIER is always ON, so double quotes hold identifiers."""

        QUOTES = ["'"]
        KEYWORDS = {
            text: token
            for text, token in TSQL.Tokenizer.KEYWORDS.items()
            if text in _COMBINED or (text.isidentifier() and text not in ("PRINT", "GO", "RENAME"))
        }
        KEYWORDS |= {"!<": TokenType.GTE, "!>": TokenType.LTE}
        COMMANDS: ClassVar[set[TokenType]] = set()
        COMMAND_PREFIX_TOKENS: ClassVar[set[TokenType]] = set()

    Parser = _SynapseParser


_DIALECT = Synapse()
#: What begins the name of a variable or of a temporary table.
_SIGNS = (TokenType.PARAMETER, TokenType.HASH)


def tokenize(text: str) -> list[Token]:
    """Tokens of a batch.

    Raises SqlError 103010 for a # or @ without its name, and sqlglot.errors.TokenError for an
    unterminated string or comment.
    """
    tokens: list[Token] = []
    for token in _DIALECT.tokenize(text):
        before = tokens[-1] if tokens else None
        if before is None or before.token_type not in _SIGNS:
            tokens.append(token)
            continue
        is_plain = token.end - token.start + 1 == len(token.text)  # without quotes
        if token.start != before.end + 1 or not is_plain:
            raise near(before.text, before.line, before.col)
        if not (token.text[:1].isalpha() or token.text[:1] == "_"):
            tokens.append(token)
        elif before.token_type is TokenType.PARAMETER:
            tokens.append(_named(token, token.text, token.start))
        elif [t.token_type for t in tokens[-2:-1]] != [TokenType.HASH]:
            tokens[-1] = _named(token, f"#{token.text}", before.start)
        else:
            tokens.append(token)
    return tokens


def _named(token: Token, name: str, start: int) -> Token:
    """The name of a variable or of a temporary table: its sign lets it be a reserved word."""
    place = (token.line, token.col, start, token.end, token.comments)
    return Token(TokenType.IDENTIFIER, name, *place)


def parse_tokens(tokens: list[Token], text: str, *, expression: bool = False) -> exp.Expression:
    """The sqlglot tree of one statement's tokens, or of those of an expression or condition.

    Raises sqlglot.errors.ParseError, and ValueError for tokens that hold none.
    """
    parser = _SynapseParser(dialect=_DIALECT, error_level=ErrorLevel.IMMEDIATE)
    parse = partial(parser.parse_into, exp.Condition) if expression else parser.parse
    trees = parse(tokens, text)
    tree = trees[0] if len(trees) == 1 else None
    if tree is None:
        raise ValueError("the tokens hold nothing")
    return tree  # type: ignore[return-value]
