"""T-SQL texts made by a grammar: most parse, bind and run, some are mutated."""

import random

COLUMNS = ("id", "n", "s", "d", "f", "dt", "vb", "b")
NUMBERS = ("0", "1", "-7", "2147483647", "1.50", "0.001", "1e3", "NULL", "99999999999")
TEXTS = ("'a'", "''", "'2024-02-29'", "N'é'", "'12'", "'a%b'", "'x y '", "NULL")
TYPES = (
    "int bigint tinyint bit real float date datetime datetime2(3) time(2) money varchar(5) "
    "nvarchar(10) char(3) decimal(9,2) varbinary(4) uniqueidentifier datetimeoffset(0)"
).split()
PARTS = "year quarter month dayofyear day week weekday hour minute second millisecond".split()
ONE = (
    "ABS SIGN CEILING FLOOR SQRT EXP LOG SQUARE SIN DEGREES LEN DATALENGTH UPPER LOWER REVERSE "
    "LTRIM RTRIM TRIM YEAR MONTH DAY EOMONTH ISDATE ISNUMERIC ASCII UNICODE CHAR NCHAR SPACE STR "
    "QUOTENAME SOUNDEX"
).split()
TWO = (
    "ISNULL NULLIF COALESCE LEFT RIGHT REPLICATE CHARINDEX PATINDEX POWER ROUND CONCAT ATN2".split()
)
AGGREGATES = "COUNT SUM AVG MIN MAX STDEV VAR COUNT_BIG".split()
WINDOWS = "ROW_NUMBER() RANK() NTILE(2) LAG(n) LEAD(s) FIRST_VALUE(d) SUM(n) COUNT(*)".split()
JUNK = (
    "( ) , ; . = <> SELECT FROM WHERE NULL ' [ ] @x @@ROWCOUNT CASE END BEGIN AS OVER IN NOT 0x "
    "-- /* 1e #t GROUP ORDER BY TOP UNION"
).split()


class Grammar:
    """Draws statements; `depth` bounds the expressions."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def one_of(self, *choices):
        return self.random.choice(choices)

    def value(self, depth: int = 3) -> str:
        if depth == 0 or self.random.random() < 0.2:
            return self.one_of(*COLUMNS, *NUMBERS, *TEXTS, "0x0102", "@x", "GETDATE()")
        kind = self.random.randrange(10)
        v = lambda: self.value(depth - 1)  # noqa: E731
        if kind < 2:
            return f"({v()} {self.one_of('+', '-', '*', '/', '%', '&', '|')} {v()})"
        if kind == 2:
            return f"CAST({v()} AS {self.one_of(*TYPES)})"
        if kind == 3:
            style = self.one_of("0", "1", "2", "101", "103", "112", "120", "121", "126", "9")
            return f"{self.one_of('', 'TRY_')}CONVERT({self.one_of(*TYPES)}, {v()}, {style})"
        if kind == 4:
            return f"{self.one_of(*ONE)}({v()})"
        if kind == 5:
            return f"{self.one_of(*TWO)}({v()}, {v()})"
        if kind == 6:
            return f"CASE WHEN {self.condition(depth - 1)} THEN {v()} ELSE {v()} END"
        if kind == 7:
            function = self.one_of("DATEADD", "DATEDIFF", "DATEPART", "DATENAME")
            rest = v() if function in ("DATEPART", "DATENAME") else f"{v()}, {v()}"
            return f"{function}({self.one_of(*PARTS)}, {rest})"
        if kind == 8:
            return f"SUBSTRING({v()}, {v()}, {v()})"
        return f"(SELECT {self.one_of('MAX', 'MIN', 'COUNT')}({self.one_of(*COLUMNS)}) FROM dbo.t)"

    def condition(self, depth: int = 2) -> str:
        kind = self.random.randrange(7 if depth > 0 else 3)
        if kind == 0:
            operator = self.one_of("=", "<>", "<", ">=")
            return f"{self.value(depth)} {operator} {self.value(depth)}"
        if kind == 1:
            return f"{self.value(depth)} IS {self.one_of('', 'NOT ')}NULL"
        if kind == 2:
            return f"{self.value(depth)} LIKE {self.one_of(*TEXTS)}"
        if kind == 3:
            return f"{self.value(depth)} IN ({self.value(depth - 1)}, {self.value(depth - 1)})"
        if kind == 4:
            return f"{self.value(depth)} BETWEEN {self.value(0)} AND {self.value(0)}"
        if kind == 5:
            return f"NOT ({self.condition(depth - 1)})"
        word = self.one_of("AND", "OR")
        return f"({self.condition(depth - 1)} {word} {self.condition(depth - 1)})"

    def query(self) -> str:
        source = self.one_of("dbo.t", "dbo.t", "t AS a", "(SELECT * FROM dbo.t) AS q", "dbo.v")
        where = f" WHERE {self.condition()}" if self.random.random() < 0.5 else ""
        kind = self.random.randrange(6)
        if kind == 0:
            key = self.one_of(*COLUMNS)
            call = f"{self.one_of(*AGGREGATES)}({self.value(1)})"
            having = " HAVING COUNT(*) > 0" if self.random.random() < 0.3 else ""
            return f"SELECT {key}, {call} AS a FROM {source}{where} GROUP BY {key}{having}"
        if kind == 1:
            over = f"OVER (PARTITION BY {self.one_of(*COLUMNS)} ORDER BY id)"
            return f"SELECT {self.one_of(*WINDOWS)} {over} AS w FROM {source}{where}"
        if kind == 2:
            return (
                f"SELECT {self.value()} AS a UNION {self.one_of('', 'ALL ')}SELECT {self.value()}"
            )
        if kind == 3:
            on = self.one_of("x.id = y.id", "x.n < y.id", "x.s = y.s")
            join = self.one_of("JOIN", "LEFT JOIN", "FULL JOIN")
            return f"SELECT x.id, y.s FROM dbo.t AS x {join} dbo.t AS y ON {on}"
        top = self.one_of("", "", "TOP (2) ", "DISTINCT ")
        items = ", ".join(f"{self.value()} AS c{i}" for i in range(self.random.randint(1, 3)))
        order = f" ORDER BY {self.one_of('1', 'c0 DESC')}" if self.random.random() < 0.4 else ""
        return f"SELECT {top}{items} FROM {source}{where}{order}"

    def statement(self) -> str:
        kind = self.random.randrange(12)
        if kind < 6:
            return self.query()
        if kind == 6:
            return f"INSERT INTO dbo.u (id, s) SELECT {self.value(2)}, {self.value(2)} FROM dbo.t"
        if kind == 7:
            return f"UPDATE dbo.u SET s = {self.value(2)} WHERE {self.condition(1)}"
        if kind == 8:
            return f"DELETE FROM dbo.u WHERE {self.condition(1)}"
        if kind == 9:
            return f"IF {self.condition(1)} {self.query()} ELSE PRINT {self.value(1)}"
        if kind == 10:
            return (
                f"BEGIN TRY {self.query()} END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS e END CATCH"
            )
        return f"DECLARE @y {self.one_of(*TYPES)} = {self.value(2)}; SELECT @y AS y"

    def batch(self) -> str:
        text = f"DECLARE @x int = 3; {self.statement()}"
        if self.random.random() < 0.15:
            words = text.split(" ")
            for _ in range(self.random.randint(1, 2)):
                place = self.random.randrange(len(words))
                words[place : place + self.random.randint(0, 1)] = [self.one_of(*JUNK)]
            text = " ".join(words)
        return text
