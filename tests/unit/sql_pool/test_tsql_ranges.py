"""Values outside of a type's range, and windows and aggregates that T-SQL does not have."""

import pytest


@pytest.mark.parametrize(
    ("expression", "number", "message"),
    [
        ("CAST(922337203685477 AS money) + CAST(922337203685477 AS money)", 8115,
         "Arithmetic overflow error converting expression to data type money."),
        ("CAST(922337203685477.58 AS money) + 1", 8115,
         "Arithmetic overflow error converting expression to data type money."),
        ("CAST(900000000000000 AS money) / CAST(0.0001 AS money)", 8115,
         "Arithmetic overflow error converting expression to data type money."),
        ("CAST(214748.3647 AS smallmoney) + CAST(1 AS smallmoney)", 8115,
         "Arithmetic overflow error converting expression to data type smallmoney."),
        ("-CAST(-922337203685477.5808 AS money)", 8115,
         "Arithmetic overflow error converting expression to data type money."),
        ("-CAST(-214748.3648 AS smallmoney)", 8115,
         "Arithmetic overflow error converting expression to data type smallmoney."),
        ("ABS(CAST(-922337203685477.5808 AS money))", 8115,
         "Arithmetic overflow error converting expression to data type money."),
        ("CEILING(CAST(922337203685477.5 AS money))", 8115,
         "Arithmetic overflow error converting expression to data type money."),
        ("ROUND(CAST(922337203685477.5807 AS money), 0)", 8115,
         "Arithmetic overflow error converting expression to data type money."),
        ("POWER(CAST(98000000 AS money), 2)", 8115,
         "Arithmetic overflow error converting expression to data type money."),
        ("CAST(3e9 AS int)", 232,
         "Arithmetic overflow error for type int, value = 3000000000.000000."),
        ("'10' * '4'", 8117, "Operand data type varchar is invalid for multiply operator."),
        ("'x' + CAST('2024-01-05' AS date)", 402,
         "The data types varchar and date are incompatible in the add operator."),
        ("CONCAT('a')", 189, "The concat function requires 2 to 254 arguments."),
    ],
)  # fmt: skip
def test_a_result_out_of_range_is_an_error(shared_session, error_of, expression, number, message):
    error = error_of(shared_session, f"SELECT {expression} AS x")
    assert (error.number, error.message) == (number, message)


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("SUM(x) FROM (SELECT $922337203685477 x UNION ALL SELECT $922337203685477)", 8115),
        ("AVG(x) FROM (SELECT 2147483647 x UNION ALL SELECT 2147483647)", 8115),
        ("SUM(ROW_NUMBER() OVER (ORDER BY x)) FROM (SELECT 1 x)", 4109),
        ("COUNT(DISTINCT *) FROM (SELECT 1 x)", 103010),
        ("SUM(x) OVER (ORDER BY x ROWS BETWEEN 1 FOLLOWING AND 1 PRECEDING) FROM (SELECT 1 x)",
         4193),
        ("SUM(x) OVER (ORDER BY x ROWS BETWEEN CURRENT ROW AND 1 PRECEDING) FROM (SELECT 1 x)",
         4193),
        ("SUM(x) OVER (ORDER BY x ROWS UNBOUNDED FOLLOWING) FROM (SELECT 1 x)", 4193),
        ("MAX(NULL) FROM (SELECT 1 x)", 8117),
        ("PERCENTILE_CONT(1.5) WITHIN GROUP (ORDER BY x) OVER () FROM (SELECT 1 x)", 103010),
        ("PERCENTILE_CONT(-.5) WITHIN GROUP (ORDER BY x DESC) OVER () FROM (SELECT 1 x)", 103010),
        ("PERCENTILE_CONT(x) WITHIN GROUP (ORDER BY x) OVER () FROM (SELECT 2 x)", 103010),
        ("PERCENTILE_DISC(-.5) WITHIN GROUP (ORDER BY x) OVER () FROM (SELECT 1 x)", 103010),
        ("CAST(x AS float(54)) FROM (SELECT 1 x)", 2750),
    ],
)  # fmt: skip
def test_an_aggregate_or_window_that_sql_server_refuses_is_refused(
    shared_session, error_of, query, number
):
    assert error_of(shared_session, f"SELECT {query} AS q").number == number


def test_frames_on_one_side_of_the_row_are_read(shared_session):
    (found,) = shared_session.run(
        "SELECT SUM(x) OVER (ORDER BY x ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) AS before, "
        "SUM(x) OVER (ORDER BY x ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS behind "
        "FROM (SELECT 1 AS x UNION ALL SELECT 2 UNION ALL SELECT 4) AS q ORDER BY x"
    )
    assert found.rows == [(None, 6), (1, 4), (3, None)]


def test_percentiles_count_from_the_top_where_the_order_falls(shared_session):
    (found,) = shared_session.run(
        "DECLARE @p float = 0; SELECT DISTINCT "
        "PERCENTILE_CONT(@p) WITHIN GROUP (ORDER BY x DESC) OVER () AS highest, "
        "PERCENTILE_DISC(.5) WITHIN GROUP (ORDER BY x DESC) OVER () AS middle, "
        "PERCENTILE_CONT(1) WITHIN GROUP (ORDER BY x DESC) OVER () AS lowest "
        "FROM (SELECT 1 AS x UNION ALL SELECT 2 UNION ALL SELECT 4 UNION ALL SELECT 8) AS q"
    )
    assert found.rows == [(8.0, 4, 1.0)]
