"""T-SQL texts made by a grammar of types: most parse, bind and run, some are mutated."""

import random

INTEGERS = ("id", "n")
DECIMALS = ("d", "f")
TEXTS = ("s", "w")
MOMENTS = ("dt", "d2", "da")
NUMBERS = "0 1 -7 2147483647 1.50 0.001 1e3 NULL 99999999999 -1.5e-3 38 .5 100".split()
STRINGS = (
    "'a'", "''", "'2024-02-29'", "N'é'", "'12'", "'a%b'", "'x y '", "NULL", "'-1.5'", "'[_]'",
    "' Lead'", "'1e2'", "'20240131'", "'12:34:56.789'", "N'中文'", "'{\"a\": [1, 2]}'",
)  # fmt: skip
DATES = (
    "GETDATE()", "CAST('2024-02-29' AS date)", "CAST('1999-12-31T23:59:59.997' AS datetime)",
    "CAST('0001-01-01' AS datetime2(3))", "CAST('9999-12-31' AS date)", "NULL",
    "DATEFROMPARTS(2024, 2, 29)", "CAST('2024-01-02 03:04:05 +02:00' AS datetimeoffset(0))",
)  # fmt: skip
NUMBER_TYPES = (
    "int bigint tinyint smallint bit real float money decimal(9,2) decimal(38,10)".split()
)
TEXT_TYPES = "varchar(5) nvarchar(10) char(3) varchar(max) nchar(2) varchar(60)".split()
DATE_TYPES = "date datetime datetime2(3) smalldatetime datetimeoffset(0) datetime2".split()
OTHER_TYPES = "time(2) varbinary(4) uniqueidentifier binary(8)".split()
ZONES = ("'UTC'", "'Central European Standard Time'", "N'Nepal Standard Time'", "'none'", "NULL")
PARTS = "year quarter month dayofyear day week weekday hour minute second millisecond".split()
NUMBER_CALLS = "ABS SIGN CEILING FLOOR SQRT EXP LOG SQUARE SIN DEGREES RADIANS".split()
TEXT_CALLS = "UPPER LOWER REVERSE LTRIM RTRIM TRIM QUOTENAME SOUNDEX".split()
MEASURES = "LEN DATALENGTH ASCII UNICODE ISNUMERIC ISDATE ISJSON".split()
AGGREGATES = "SUM AVG MIN MAX STDEV VAR".split()
FRAMES = (
    "", "", " ROWS UNBOUNDED PRECEDING", " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", " RANGE UNBOUNDED PRECEDING",
)  # fmt: skip
NUMBER_FORMATS = ("'N2'", "'0.00'", "'C'", "'D3'")
DATE_FORMATS = ("'yyyy-MM-dd'", "'d'", "'HH:mm'")
PATHS = ("'$.a'", "'$.a[0]'", "'$'", "'strict $.b'")
SEPARATORS = ("','", "' '")
JUNK = (
    "( ) , ; . = <> SELECT FROM WHERE NULL ' [ ] @x @@ROWCOUNT CASE END BEGIN AS OVER IN NOT 0x "
    "-- /* 1e #t GROUP ORDER BY TOP UNION"
).split()


class Grammar:
    """Draws statements; `depth` bounds the expressions.

    A value of another type than its place wants is drawn now and then, and an eighth of the texts
    is mutated word by word.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.columns = True

    def one_of(self, *choices):
        return self.random.choice(choices)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def leaf(self, columns, constants) -> str:
        return self.one_of(*(columns if self.columns and self.chance(0.6) else constants))

    def value(self, depth: int = 3) -> str:
        return self.one_of(self.number, self.number, self.text, self.text, self.moment)(depth)

    def number(self, depth: int = 3) -> str:
        if self.chance(0.03):
            return self.value(depth)
        if depth <= 0 or self.chance(0.2):
            return self.leaf((*INTEGERS, *DECIMALS, "b"), (*NUMBERS, "@x"))
        v, t, m = self.number, self.text, self.moment
        d = depth - 1
        choices = (
            lambda: f"({v(d)} {self.one_of('+', '-', '*', '/')} {v(d)})",
            lambda: f"({self.integer(d)} {self.one_of('%', '&', '|', '^')} {self.integer(d)})",
            lambda: f"CAST({v(d)} AS {self.one_of(*NUMBER_TYPES)})",
            lambda: f"TRY_CAST({t(d)} AS {self.one_of(*NUMBER_TYPES)})",
            lambda: f"{self.one_of(*NUMBER_CALLS)}({v(d)})",
            lambda: f"{self.one_of(*MEASURES)}({t(d)})",
            lambda: f"{self.one_of('POWER', 'ATN2')}({v(d)}, {self.one_of('0', '2', '-1', '.5')})",
            lambda: f"ROUND({v(d)}, {self.one_of('0', '2', '-1')}{self.one_of('', ', 1')})",
            lambda: f"{self.one_of('ISNULL', 'NULLIF', 'COALESCE')}({v(d)}, {v(d)})",
            lambda: f"CHARINDEX({t(d)}, {t(d)})",
            lambda: f"PATINDEX({t(d)}, {t(d)})",
            lambda: f"DATEDIFF({self.one_of(*PARTS)}, {m(d)}, {m(d)})",
            lambda: f"DATEPART({self.one_of(*PARTS)}, {m(d)})",
            lambda: f"{self.one_of('YEAR', 'MONTH', 'DAY')}({m(d)})",
            lambda: f"CASE WHEN {self.condition(d)} THEN {v(d)} ELSE {v(d)} END",
            lambda: f"IIF({self.condition(d)}, {v(d)}, {v(d)})",
            lambda: f"(SELECT {self.one_of('MAX', 'MIN', 'COUNT')}(q.id) FROM dbo.t AS q)",
            lambda: f"(SELECT TOP (1) q.n FROM dbo.t AS q WHERE q.id = {self.integer(0)})",
        )
        return self.one_of(*choices)()

    def integer(self, depth: int = 2) -> str:
        if depth <= 0 or self.chance(0.5):
            return self.leaf(INTEGERS, ("1", "2", "-1", "0", "7", "@x"))
        return f"({self.integer(depth - 1)} {self.one_of('+', '-')} {self.integer(0)})"

    def text(self, depth: int = 3) -> str:
        if self.chance(0.03):
            return self.value(depth)
        if depth <= 0 or self.chance(0.2):
            return self.leaf(TEXTS, STRINGS)
        t, i, d = self.text, self.integer, depth - 1
        style = self.one_of("0", "1", "2", "3", "9", "101", "103", "112", "120", "121", "126", "14")
        choices = (
            lambda: f"({t(d)} + {t(d)})",
            lambda: f"CONCAT({t(d)}, {self.number(d)}, {t(d)})",
            lambda: f"CONCAT_WS({t(0)}, {t(d)}, {t(d)})",
            lambda: f"{self.one_of(*TEXT_CALLS)}({t(d)})",
            lambda: f"{self.one_of('LEFT', 'RIGHT', 'REPLICATE')}({t(d)}, {i(d)})",
            lambda: f"SUBSTRING({t(d)}, {i(d)}, {i(d)})",
            lambda: f"STUFF({t(d)}, {i(d)}, {i(d)}, {t(d)})",
            lambda: f"REPLACE({t(d)}, {t(d)}, {t(d)})",
            lambda: f"CAST({self.number(d)} AS {self.one_of(*TEXT_TYPES)})",
            lambda: f"CONVERT({self.one_of(*TEXT_TYPES)}, {self.moment(d)}, {style})",
            lambda: f"TRY_CONVERT({self.one_of(*TEXT_TYPES)}, {self.number(d)})",
            lambda: f"STR({self.number(d)}, {i(0)}, {i(0)})",
            lambda: f"FORMAT({self.number(d)}, {self.one_of(*NUMBER_FORMATS)})",
            lambda: f"FORMAT({self.moment(d)}, {self.one_of(*DATE_FORMATS)})",
            lambda: f"DATENAME({self.one_of(*PARTS)}, {self.moment(d)})",
            lambda: f"{self.one_of('ISNULL', 'NULLIF', 'COALESCE')}({t(d)}, {t(d)})",
            lambda: f"CASE {i(d)} WHEN {i(0)} THEN {t(d)} ELSE {t(d)} END",
            lambda: f"JSON_VALUE({t(0)}, {self.one_of(*PATHS)})",
            lambda: f"JSON_MODIFY({t(0)}, {self.one_of(*PATHS)}, {self.one_of(t, i)(d)})",
            lambda: f"{self.one_of('CHAR', 'NCHAR', 'SPACE')}({i(d)})",
            lambda: f"CONVERT(varchar(20), CAST({t(d)} AS varbinary(6)), {self.one_of('1', '2')})",
        )
        return self.one_of(*choices)()

    def moment(self, depth: int = 3) -> str:
        if depth <= 0 or self.chance(0.3):
            return self.leaf(MOMENTS, DATES)
        m, d = self.moment, depth - 1
        style = self.one_of("0", "1", "101", "103", "112", "120", "121", "126")
        choices = (
            lambda: f"DATEADD({self.one_of(*PARTS)}, {self.integer(d)}, {m(d)})",
            lambda: f"CAST({m(d)} AS {self.one_of(*DATE_TYPES)})",
            lambda: f"TRY_CONVERT({self.one_of(*DATE_TYPES)}, {self.text(d)}, {style})",
            lambda: f"EOMONTH({m(d)}{self.one_of('', ', 1', ', -13')})",
            lambda: f"ISNULL({m(d)}, {m(d)})",
            lambda: f"SWITCHOFFSET(CAST({m(d)} AS datetimeoffset(3)), '+05:30')",
            lambda: f"(CAST({m(d)} AS datetime2) AT TIME ZONE {self.one_of(*ZONES)})",
            lambda: f"DATETIME2FROMPARTS({self.integer(0)}, 2, 3, 4, 5, 6, 0, 3)",
        )
        return self.one_of(*choices)()

    def condition(self, depth: int = 2) -> str:
        d = depth - 1
        of = self.one_of(self.number, self.text, self.moment)
        operator = self.one_of("=", "<>", "<", ">=", "<=", ">")
        choices = [
            lambda: f"{of(d)} {operator} {of(d)}",
            lambda: f"{of(d)} IS {self.one_of('', 'NOT ')}NULL",
            lambda: f"{self.text(d)} {self.one_of('', 'NOT ')}LIKE {self.one_of(*STRINGS)}",
            lambda: f"{self.text(d)} LIKE {self.text(d)} ESCAPE '!'",
            lambda: f"{of(d)} {self.one_of('', 'NOT ')}IN ({of(d)}, {of(d)})",
            lambda: f"{of(d)} BETWEEN {of(0)} AND {of(0)}",
            lambda: (
                f"{self.integer(d)} IN (SELECT q.id FROM dbo.t AS q WHERE q.n > {self.integer(0)})"
            ),
            lambda: (
                f"{self.integer(d)} {operator} {self.one_of('ALL', 'ANY')} (SELECT n FROM dbo.t)"
            ),
            lambda: f"EXISTS (SELECT 1 FROM dbo.u AS q WHERE q.id = {self.integer(0)})",
        ]
        if depth > 0:
            choices += [
                lambda: f"NOT ({self.condition(d)})",
                lambda: f"({self.condition(d)} {self.one_of('AND', 'OR')} {self.condition(d)})",
            ]
        return self.one_of(*choices)()

    def where(self, share: float = 0.5) -> str:
        return f" WHERE {self.condition()}" if self.chance(share) else ""

    def query(self) -> str:
        source = self.one_of(
            "dbo.t", "t AS a", "(SELECT * FROM dbo.t) AS q", "dbo.v", "dbo.t WITH (NOLOCK)",
            "dbo.t CROSS JOIN (SELECT 1 AS one) AS o",
            "(dbo.t LEFT JOIN ((SELECT 1 AS o) AS x CROSS JOIN (SELECT 2 AS p) AS y) ON x.o = 1)",
        )  # fmt: skip
        choices = (self._plain, self._plain, self._grouped, self._windows, self._joined)
        choices += (self._set_operation, self._cte, self._split, self._catalog)
        return self.one_of(*choices)(source)

    def _plain(self, source: str) -> str:
        top = self.one_of("", "", "TOP (2) ", "DISTINCT ", "TOP 1 WITH TIES ")
        items = ", ".join(f"{self.value()} AS c{i}" for i in range(self.random.randint(1, 3)))
        order = f" ORDER BY {self.one_of('1', 'c0 DESC')}"
        order = order if "TIES" in top or self.chance(0.4) else ""
        return f"SELECT {top}{items} FROM {source}{self.where()}{order}"

    def _grouped(self, source: str) -> str:
        key = self.one_of(*INTEGERS, *TEXTS, *MOMENTS)
        call = self.one_of(
            f"{self.one_of(*AGGREGATES)}({self.number(1)})", "COUNT(*)", f"COUNT({self.text(1)})",
            f"COUNT(DISTINCT {self.number(0)})", f"STRING_AGG({self.text(1)}, ',')",
            f"MAX({self.moment(1)})",
        )  # fmt: skip
        having = " HAVING COUNT(*) > 0" if self.chance(0.3) else ""
        by = self.one_of(key, key, f"ROLLUP({key})")
        return f"SELECT {key}, {call} AS a FROM {source}{self.where()} GROUP BY {by}{having}"

    def _windows(self, source: str) -> str:
        order = f"PARTITION BY {self.one_of(*TEXTS, 'b')} ORDER BY {self.one_of(*INTEGERS, 'dt')}"
        ranked = self.one_of(
            "ROW_NUMBER()", "RANK()", "DENSE_RANK()", "NTILE(2)", f"LAG({self.value(1)})",
            f"LEAD({self.number(1)}, 2, 0)", "PERCENT_RANK()", "CUME_DIST()",
        )  # fmt: skip
        framed = self.one_of(f"SUM({self.number(1)})", "COUNT(*)", f"FIRST_VALUE({self.value(1)})")
        call = self.one_of(
            f"{ranked} OVER ({order})", f"{framed} OVER ({order}{self.one_of(*FRAMES)})"
        )
        return f"SELECT id, {call} AS w FROM {source}{self.where(0.3)}"

    def _joined(self, _: str) -> str:
        on = self.one_of("x.id = y.id", "x.n < y.id", "x.s = y.s", "x.dt > y.dt")
        join = self.one_of("JOIN", "LEFT JOIN", "FULL JOIN", "RIGHT OUTER JOIN")
        return f"SELECT x.id, y.s FROM dbo.t AS x {join} dbo.t AS y ON {on}"

    def _set_operation(self, source: str) -> str:
        word = self.one_of("UNION", "UNION ALL", "EXCEPT", "INTERSECT")
        of = self.one_of(self.number, self.text, self.moment)
        return f"SELECT {of()} AS a FROM {source} {word} SELECT {of()} FROM dbo.t ORDER BY 1"

    def _cte(self, source: str) -> str:
        inner = f"SELECT id, {self.value(2)} AS k FROM {source}{self.where(0.3)}"
        return f"WITH c AS ({inner}) SELECT c.k, COUNT(*) AS n FROM c GROUP BY c.k"

    def _split(self, _: str) -> str:
        rows = f"STRING_SPLIT(x.w, {self.one_of(*SEPARATORS)})"
        return f"SELECT x.id, p.value FROM dbo.t AS x CROSS APPLY {rows} AS p"

    def _catalog(self, _: str) -> str:
        return self.one_of(
            "SELECT name, type_desc FROM sys.objects WHERE type = 'U'",
            "SELECT COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 't'",
            "SELECT OBJECT_ID('dbo.t'), COL_LENGTH('dbo.t', 's'), DB_NAME(), SCHEMA_NAME()",
            "SELECT t.name, c.name FROM sys.tables AS t JOIN sys.columns AS c "
            "ON c.object_id = t.object_id",
        )

    def scalar(self, depth: int = 2) -> str:
        """A value outside of a query: without columns."""
        self.columns = False
        found = self.value(depth)
        self.columns = True
        return found

    def statement(self) -> str:
        choices = (
            *[self.query] * 8,
            lambda: f"INSERT INTO dbo.u (id, s) SELECT {self.integer()}, {self.text(2)} FROM dbo.t",
            lambda: f"UPDATE dbo.u SET s = LEFT({self.text(0)}, 3), id = id + 1",
            lambda: f"DELETE FROM dbo.u WHERE id {self.one_of('=', '<')} {self.one_of('1', '2')}",
            lambda: (
                f"BEGIN TRY {self.query()} END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS e END CATCH"
            ),
            lambda: f"DECLARE @y {self.one_of(*TEXT_TYPES)} = {self.scalar()}; SELECT @y AS y",
            lambda: f"IF {self.scalar()} IS NULL PRINT 'a' ELSE PRINT 'b'",
            lambda: f"BEGIN TRAN; UPDATE dbo.u SET id = 1; {self.one_of('COMMIT', 'ROLLBACK')}",
            lambda: (
                "DROP TABLE IF EXISTS #t; CREATE TABLE #t (a int, b varchar(9)); "
                f"INSERT INTO #t SELECT {self.integer()}, 'x' FROM dbo.t; SELECT * FROM #t"
            ),
            lambda: (
                "DROP TABLE IF EXISTS dbo.w; "
                "CREATE TABLE dbo.w WITH (DISTRIBUTION = ROUND_ROBIN, HEAP) AS SELECT "
                f"{self.value()} AS a FROM dbo.t; SELECT * FROM dbo.w; DROP TABLE dbo.w"
            ),
            lambda: (
                f"EXEC sp_executesql N'SELECT @p AS p, s FROM dbo.t', N'@p "
                f"{self.one_of(*NUMBER_TYPES)}', @p = {self.one_of(*NUMBERS)}"
            ),
            lambda: f"EXEC dbo.p @a = {self.one_of(*NUMBERS, *STRINGS)}",
            lambda: (
                "MERGE dbo.u AS x USING dbo.t AS y ON x.id = y.id WHEN MATCHED THEN UPDATE "
                f"SET s = LEFT(y.s, {self.one_of('1', '3')}) WHEN NOT MATCHED THEN INSERT (id) "
                "VALUES (y.id);"
            ),
            lambda: (
                f"DECLARE @y {self.one_of(*OTHER_TYPES)}; SELECT @y AS y, CAST("
                f"{self.scalar()} AS {self.one_of(*OTHER_TYPES)}) AS z"
            ),
        )
        return self.one_of(*choices)()

    def batch(self) -> str:
        text = f"DECLARE @x int = 3; {self.statement()}"
        if self.chance(0.12):
            words = text.split(" ")
            for _ in range(self.random.randint(1, 2)):
                place = self.random.randrange(len(words))
                words[place : place + self.random.randint(0, 1)] = [self.one_of(*JUNK)]
            text = " ".join(words)
        return text
