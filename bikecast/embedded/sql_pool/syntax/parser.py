"""Batches to statements: control flow, variables, EXEC, transactions; queries go to sqlglot."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from bikecast.embedded.sql_pool.errors import SqlError, failure, look, refused
from bikecast.embedded.sql_pool.limits import Limits
from bikecast.embedded.sql_pool.syntax import changes, definitions, profile
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.names import database, is_current
from bikecast.embedded.sql_pool.syntax.reader import BODY_WORDS, Reader
from bikecast.embedded.sql_pool.values.types import SqlType

#: A driver sends one text for many rows; longer ones carry their data and do not come again.
_REMEMBERED_LENGTH = 10_000
_COMMA = frozenset({","})
_ALONE = ("CREATE/ALTER VIEW", "CREATE/ALTER PROCEDURE", "CREATE/ALTER FUNCTION", "CREATE SCHEMA")


def parse_batch(text: str, limits: Limits | None = None) -> tuple[st.Statement, ...]:
    """The statements of one batch (a script between GO lines); nobody changes them.

    Raises SqlError with SQL Server's number for a parse error, an unsupported construct and a batch
    beyond the limits, and Cancelled where the client gives it up meanwhile.
    """
    if len(text) <= _REMEMBERED_LENGTH:
        return _remembered(text, limits or Limits(), database())
    return _parsed(text, limits or Limits())


@functools.lru_cache(maxsize=256)
def _remembered(text: str, limits: Limits, _database: str) -> tuple[st.Statement, ...]:
    return _parsed(text, limits)


def _parsed(text: str, limits: Limits) -> tuple[st.Statement, ...]:
    reader = Reader(text, limits)
    parser = BatchParser(reader)
    statements: list[st.Statement] = []
    while parser.skip_semicolons():
        look()
        statements.append(parser.statement())
    return tuple(statements)


class BatchParser:
    """Recursive descent over the statements of a batch."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._loops = 0
        self._parsers: dict[str, Callable[[int], st.Statement]] = {
            "SELECT": self._query,
            "WITH": self._query,
            "(": self._query,
            "INSERT": self._insert,
            "UPDATE": self._update,
            "DELETE": lambda line: changes.delete(self.reader, line),
            "MERGE": lambda line: changes.merge(self.reader, line),
            "DECLARE": self._declare,
            "SET": self._set,
            "IF": self._if,
            "WHILE": self._while,
            "BEGIN": self._begin,
            "COMMIT": self._end_transaction,
            "ROLLBACK": self._end_transaction,
            "EXEC": self._execute,
            "EXECUTE": self._execute,
            "PRINT": self._print,
            "THROW": self._throw,
            "RAISERROR": self._raiserror,
            "RETURN": self._jump,
            "BREAK": self._jump,
            "CONTINUE": self._jump,
            "CREATE": self._create,
            "ALTER": self._create,
            "DROP": lambda line: definitions.drop(self.reader, line),
            "TRUNCATE": lambda line: definitions.truncate(self.reader, line),
            "RENAME": lambda line: definitions.rename(self.reader, line),
            "COPY": lambda line: definitions.copy_into(self.reader, line),
            "USE": self._use,
        }

    def skip_semicolons(self) -> bool:
        """Step over semicolons; False at the end of the batch."""
        while self.reader.kind() is TokenType.SEMICOLON:
            self.reader.take()
        return not self.reader.at_end

    def statement(self) -> st.Statement:
        """The statement that starts here."""
        word = self.reader.word()
        parse = self._parsers.get(word)
        if parse is None:
            if reason := profile.refused_statement(self.reader.words()):
                raise reason
            if self.reader.position or self.reader.kind() is TokenType.PARAMETER:
                raise self.reader.error()
            call = self._call(self.reader.line, None)  # of a procedure, first in its batch
            return replace(call, is_bare="." not in call.name.written)
        return parse(self.reader.line)

    def _use(self, line: int) -> st.Statement:
        self.reader.take()
        if not is_current(self.reader.identifier()):
            raise failure("40508")
        return st.Use(line)

    def _query(self, line: int) -> st.Statement:
        reader = self.reader
        selects = 1 if reader.word() == "WITH" else 0
        end = reader.span(selects=selects)
        following = reader.tokens[end].text.upper() if end < len(reader.tokens) else ""
        if selects and following in ("UPDATE", "DELETE", "INSERT", "MERGE"):
            raise refused(f"A common table expression before {following}")
        return st.Query(line, reader.tree_until(end))

    def _insert(self, line: int) -> st.Statement:
        reader = self.reader
        end = reader.span()
        words = {token.text.upper() for token in reader.tokens[reader.position : end]}
        if "VALUES" not in words:
            end = reader.span(selects=1)
        if end < len(reader.tokens) and reader.tokens[end].text.upper() in ("EXEC", "EXECUTE"):
            raise refused("INSERT ... EXEC", "Write to a temporary table in the procedure.")
        return st.Insert(line, reader.tree_until(end))

    def _update(self, line: int) -> st.Statement:
        if self.reader.word(1) == "STATISTICS":
            return definitions.update_statistics(self.reader, line)
        return changes.update(self.reader, line)

    def _declare(self, line: int) -> st.Statement:
        self.reader.take()
        return st.Declare(line, self.reader.listed(self._declared))

    def _declared(self) -> tuple[str, SqlType, exp.Expression | None]:
        reader = self.reader
        if "CURSOR" in (reader.word(1), reader.word(2)):  # of a name, or of a variable
            raise refused("A cursor")
        name = reader.variable()
        reader.match("AS")
        type_ = reader.type_name()
        return name, type_, reader.expression(_COMMA) if reader.match("=") else None

    def _set(self, line: int) -> st.Statement:
        reader = self.reader
        reader.take()
        if reader.match("IDENTITY_INSERT"):
            table = reader.object_name()
            on = reader.match("ON")
            if not on:
                reader.expect("OFF")
            return st.SetIdentityInsert(line, table, on)
        if reader.kind() is not TokenType.PARAMETER:
            return self._set_option(line)
        name = reader.variable()
        operator = reader.compound_operator()
        reader.expect("=")
        value = reader.expression()
        if operator:
            current = exp.Parameter(this=exp.Var(this=name))
            value = exp.Paren(this=operator(this=current, expression=exp.Paren(this=value)))
        return st.SetVariable(line, name, value)

    def _set_option(self, line: int) -> st.Statement:
        end = self.reader.span()
        words = [token.text.upper() for token in self.reader.tokens[self.reader.position : end]]
        self.reader.position = end
        name, value = " ".join(words[:-1]), words[-1] if words else ""
        profile.check_set_option(name, value)
        return st.SetOption(line, name, value)

    def _if(self, line: int) -> st.Statement:
        reader = self.reader
        reader.take()
        condition = reader.expression(BODY_WORDS)
        then = self.statement()
        mark = reader.position
        self.skip_semicolons()
        if not reader.match("ELSE"):
            reader.position = mark
            return st.If(line, condition, then, None)
        return st.If(line, condition, then, self.statement())

    def _while(self, line: int) -> st.Statement:
        self.reader.take()
        condition = self.reader.expression(BODY_WORDS)
        self._loops += 1
        body = self.statement()
        self._loops -= 1
        return st.While(line, condition, body)

    def _begin(self, line: int) -> st.Statement:
        reader = self.reader
        if reader.word(1) in ("TRAN", "TRANSACTION", "DISTRIBUTED"):
            return self._begin_transaction(line)
        if reader.match("BEGIN", "TRY"):
            body = self._body("TRY")
            self.skip_semicolons()
            reader.expect("BEGIN", "CATCH")
            return st.TryCatch(line, body, self._body("CATCH", may_be_empty=True))
        reader.take()
        return st.Block(line, self._body(""))

    def _body(self, closing: str, *, may_be_empty: bool = False) -> tuple[st.Statement, ...]:
        reader = self.reader
        statements: list[st.Statement] = []
        while self.skip_semicolons() and reader.word() != "END":
            statements.append(self.statement())
        reader.expect("END", *([closing] if closing else []))
        if not statements and not may_be_empty:
            raise reader.error()
        return tuple(statements)

    def _begin_transaction(self, line: int) -> st.Statement:
        reader = self.reader
        reader.take()
        if reader.take().text.upper() == "DISTRIBUTED":
            raise refused("A distributed transaction")
        self._no_transaction_name()
        return st.Transaction(line, "BEGIN")

    def _no_transaction_name(self) -> None:
        if not self.reader.at_statement_end():
            raise refused("A named or marked transaction")

    def _end_transaction(self, line: int) -> st.Statement:
        action = self.reader.take().text.upper()
        if not self.reader.match("TRAN") and not self.reader.match("TRANSACTION"):
            self.reader.match("WORK")
        self._no_transaction_name()
        return st.Transaction(line, action)

    def _execute(self, line: int) -> st.Statement:
        reader = self.reader
        reader.take()
        if reader.kind() is TokenType.L_PAREN:
            return st.ExecuteText(line, reader.expression())
        status = None
        if reader.kind() is TokenType.PARAMETER:
            if reader.word(2) != "=":
                raise refused("EXEC of a variable")
            status = reader.variable()
            reader.expect("=")
        return self._call(line, status)

    def _call(self, line: int, status: str | None) -> st.ExecuteProcedure:
        reader = self.reader
        name = reader.object_name()
        arguments = () if reader.at_statement_end() else reader.listed(self._argument)
        return st.ExecuteProcedure(line, name, arguments, status)

    def _argument(self) -> st.Argument:
        reader = self.reader
        name = None
        if reader.kind() is TokenType.PARAMETER and reader.word(2) == "=":
            name = reader.variable()
            reader.expect("=")
        value = reader.expression(frozenset({",", "OUTPUT", "OUT"}))
        output = reader.match("OUTPUT") or reader.match("OUT")
        return st.Argument(name, value, output)

    def _print(self, line: int) -> st.Statement:
        self.reader.take()
        return st.Print(line, self.reader.expression())

    def _throw(self, line: int) -> st.Statement:
        self.reader.take()
        return st.Throw(line, tuple(self._csv()))

    def _raiserror(self, line: int) -> st.Statement:
        self.reader.take()
        self.reader.expect("(")
        arguments = tuple(self._csv())
        self.reader.expect(")")
        more = self.reader.match("WITH")
        while more:  # the message goes out at once in any case, and no log is kept
            if not any(self.reader.match(option) for option in ("NOWAIT", "LOG", "SETERROR")):
                raise self.reader.error()
            more = self.reader.match(",")
        return st.RaiseError(line, arguments)

    def _csv(self) -> list[exp.Expression]:
        reader = self.reader
        expressions: list[exp.Expression] = []
        while not self.reader.at_statement_end() and reader.word() != ")":
            expressions.append(reader.expression(_COMMA))
            if not reader.match(","):
                break
        return expressions

    def _jump(self, line: int) -> st.Statement:
        word = self.reader.take().text.upper()
        if word != "RETURN" and not self._loops:
            raise failure("135" if word == "BREAK" else "136")
        if word == "RETURN" and not self.reader.at_statement_end():
            return st.Jump(line, word, self.reader.expression())
        return st.Jump(line, word)

    def _create(self, line: int) -> st.Statement:
        reader = self.reader
        noun = definitions.KINDS.get(reader.word(1), "")
        words = f"CREATE/ALTER {noun}" if noun != "SCHEMA" else f"{reader.word()} SCHEMA"
        if words in _ALONE and any(
            token.token_type is not TokenType.SEMICOLON
            for token in reader.tokens[: reader.position]
        ):
            raise SqlError(111, f"'{words}' must be the first statement in a query batch.")
        if noun == "PROCEDURE":
            return self._procedure(line)
        if noun == "FUNCTION":
            return self._function(line)
        return definitions.create(reader, line)

    def _function(self, line: int) -> st.Statement:
        """CREATE FUNCTION name (parameters) RETURNS type [WITH ...] [AS] BEGIN ... END."""
        reader = self.reader
        alter = reader.take().text.upper() == "ALTER"
        reader.take()
        name = reader.object_name()
        parameters = definitions.procedure_parameters(reader, defaults=True)
        reader.expect("RETURNS")
        if reader.word() == "TABLE":
            raise refused("A function that returns a table")
        returns = reader.type_name()
        while not reader.at_end and reader.word() not in ("AS", "BEGIN"):
            reader.take()
        reader.match("AS")
        reader.expect("BEGIN")
        body = self._body("")
        self.skip_semicolons()
        if not reader.at_end:
            raise reader.error()
        if not isinstance(body[-1], st.Jump):
            raise SqlError(455, "The last statement included within a function must be a return.")
        return st.CreateFunction(line, name, reader.text, parameters, returns, body, alter)

    def _procedure(self, line: int) -> st.Statement:
        reader = self.reader
        alter = reader.take().text.upper() == "ALTER"
        reader.take()
        name = reader.object_name()
        parameters = definitions.procedure_parameters(reader)
        reader.expect("AS")
        body: list[st.Statement] = []
        while self.skip_semicolons():
            body.append(self.statement())
        if not body:
            raise reader.error()
        return st.CreateProcedure(line, name, reader.text, parameters, tuple(body), alter)
