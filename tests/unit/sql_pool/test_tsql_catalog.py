"""The catalog: every view of Microsoft's list is there, is empty, or is refused by name."""

import fnmatch

import pytest

from bikecast.embedded.sql_pool import Pool
from bikecast.embedded.sql_pool.catalog import system_views

#: https://learn.microsoft.com/azure/synapse-analytics/sql/reference-tsql-system-views
LISTED = """
pdw_column_distribution_properties pdw_distributions pdw_index_mappings
pdw_loader_backup_run_details pdw_loader_backup_runs
pdw_materialized_view_column_distribution_properties
pdw_materialized_view_distribution_properties pdw_materialized_view_mappings
pdw_nodes_column_store_dictionaries pdw_nodes_column_store_row_groups
pdw_nodes_column_store_segments pdw_nodes_columns pdw_nodes_indexes pdw_nodes_partitions
pdw_nodes_pdw_physical_databases pdw_nodes_tables pdw_permanent_table_mappings
pdw_replicated_table_cache_state pdw_table_distribution_properties pdw_table_mappings
resource_governor_workload_groups workload_management_workload_classifier_details
workload_management_workload_classifiers workload_management_workload_groups dm_pdw_dms_cores
dm_pdw_dms_external_work dm_pdw_dms_workers dm_pdw_errors dm_pdw_exec_connections
dm_pdw_exec_requests dm_pdw_exec_sessions dm_pdw_hadoop_operations dm_pdw_lock_waits dm_pdw_nodes
dm_pdw_nodes_database_encryption_keys dm_pdw_os_threads dm_pdw_request_steps dm_pdw_resource_waits
dm_pdw_sql_requests dm_pdw_sys_info dm_pdw_wait_stats dm_pdw_waits database_service_objectives
dm_operation_status all_columns all_objects all_parameters all_sql_modules all_views assemblies
assembly_modules assembly_types certificates check_constraints columns computed_columns credentials
data_spaces database_credentials database_files database_permissions database_principals
database_query_store_options databases default_constraints external_data_sources
external_file_formats external_tables filegroups foreign_key_columns foreign_keys identity_columns
index_columns indexes key_constraints numbered_procedures objects parameters partition_functions
partition_parameters partition_range_values partition_schemes partitions procedures
query_context_settings query_store_plan query_store_query query_store_query_text
query_store_runtime_stats query_store_runtime_stats_interval schemas securable_classes
sql_expression_dependencies sql_modules stats stats_columns symmetric_keys synonyms syscharsets
syscolumns sysdatabases syslanguages sysobjects sysreferences system_columns system_objects
system_parameters system_sql_modules system_views systypes sysusers tables types views
dm_pdw_nodes_db_column_store_row_group_physical_stats dm_pdw_nodes_db_partition_stats
dm_pdw_nodes_exec_query_stats dm_pdw_nodes_os_performance_counters dm_pdw_nodes_tran_locks
dm_exec_compute_nodes dm_exec_distributed_requests
INFORMATION_SCHEMA.CHECK_CONSTRAINTS INFORMATION_SCHEMA.COLUMNS INFORMATION_SCHEMA.PARAMETERS
INFORMATION_SCHEMA.ROUTINES INFORMATION_SCHEMA.SCHEMATA INFORMATION_SCHEMA.TABLES
INFORMATION_SCHEMA.VIEW_COLUMN_USAGE INFORMATION_SCHEMA.VIEW_TABLE_USAGE INFORMATION_SCHEMA.VIEWS
""".split()


@pytest.fixture(scope="module")
def filled(shared_session):
    """A session over a pool with a table of each kind, a view, a procedure and statistics."""
    for batch in (
        "CREATE TABLE dbo.days (id int NOT NULL, temp real DEFAULT 1.5, "
        "CONSTRAINT pk_days PRIMARY KEY NONCLUSTERED (id) NOT ENFORCED) "
        "WITH (DISTRIBUTION = HASH(id), CLUSTERED COLUMNSTORE INDEX)",
        "CREATE TABLE dbo.names (name nvarchar(20)) WITH (DISTRIBUTION = REPLICATE, HEAP)",
        "INSERT INTO dbo.days SELECT 1, 2 UNION ALL SELECT 2, 3 UNION ALL SELECT 3, 4",
        "CREATE STATISTICS days_stats ON dbo.days (temp, id)",
        "CREATE INDEX days_temp ON dbo.days (temp)",
        "CREATE VIEW dbo.all_days AS SELECT id FROM dbo.days",
        "CREATE PROCEDURE dbo.p @a int, @b nvarchar(9) OUTPUT AS SELECT 1 AS a",
    ):
        shared_session.run(batch)
    return shared_session


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_view_answers_or_is_refused_by_name(filled, error_of, name):
    full = (name if "." in name else f"sys.{name}").lower()
    _, _, refused = view_names()
    if not any(fnmatch.fnmatch(full, pattern) for pattern in refused) or full in shown():
        assert filled.run(f"SELECT * FROM {full}")[0].columns
        return
    error = error_of(filled, f"SELECT * FROM {full}")
    assert error.number == 103010
    assert f"The view {full} is not supported by the embedded SQL pool, although" in error.message
    assert "It shows" in error.message


def view_names():
    """Names of the views with rows, of the empty ones, and the patterns of those refused."""
    empty, refused = system_views._without_rows()
    with_rows = {*system_views._views("pool"), *system_views._ALL, *system_views.Requests.VIEWS}
    return with_rows, set(empty), refused


def shown():
    """The names of the views that answer, with rows or without."""
    rows, empty, _ = view_names()
    return rows | empty


def test_a_view_has_one_fate_only():
    rows, empty, refused = view_names()
    assert not set(rows) & set(empty)
    assert not (set(rows) | set(empty)) & set(refused)


def test_a_view_that_no_pool_has_is_no_object(filled, error_of):
    assert error_of(filled, "SELECT * FROM sys.no_such_view").number == 208


def test_empty_views_have_no_rows_and_their_types(filled):
    assert filled.run("SELECT * FROM sys.computed_columns")[0].rows == []
    filled.run(
        "CREATE TABLE dbo.copied WITH (DISTRIBUTION = ROUND_ROBIN, HEAP) AS "
        "SELECT * FROM sys.computed_columns"
    )
    types = "SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'copied' AND "
    assert filled.run(types + "COLUMN_NAME = 'is_persisted'")[0].rows == [("bit",)]
    filled.run("DROP TABLE dbo.copied")


def test_the_sizes_of_tables_are_found_by_the_joins_of_microsofts_view(filled):
    # https://learn.microsoft.com/azure/synapse-analytics/sql-data-warehouse/
    # sql-data-warehouse-tables-overview#table-size-queries
    result = filled.run(
        "SELECT s.name, t.name, tp.distribution_policy_desc, di.name, SUM(nps.row_count) "
        "FROM sys.schemas s JOIN sys.tables t ON s.schema_id = t.schema_id "
        "JOIN sys.indexes i ON t.object_id = i.object_id AND i.index_id <= 1 "
        "JOIN sys.pdw_table_distribution_properties tp ON t.object_id = tp.object_id "
        "JOIN sys.pdw_table_mappings tm ON t.object_id = tm.object_id "
        "JOIN sys.pdw_nodes_tables nt ON tm.physical_name = nt.name "
        "JOIN sys.dm_pdw_nodes pn ON nt.pdw_node_id = pn.pdw_node_id "
        "JOIN sys.pdw_distributions di ON nt.distribution_id = di.distribution_id "
        "JOIN sys.dm_pdw_nodes_db_partition_stats nps ON nt.object_id = nps.object_id "
        "AND nt.pdw_node_id = nps.pdw_node_id AND nt.distribution_id = nps.distribution_id "
        "AND i.index_id = nps.index_id WHERE pn.type = 'COMPUTE' "
        "GROUP BY s.name, t.name, tp.distribution_policy_desc, di.name ORDER BY t.name"
    )[0]
    assert result.rows == [
        ("dbo", "days", "HASH", "Distribution_1", 3),
        ("dbo", "names", "REPLICATE", "Distribution_1", 0),
    ]


def test_statistics_have_their_columns_and_a_date(filled):
    columns = filled.run(
        "SELECT COL_NAME(k.object_id, k.column_id) FROM sys.stats AS s JOIN sys.stats_columns AS k "
        "ON k.object_id = s.object_id AND k.stats_id = s.stats_id WHERE s.name = 'days_stats' "
        "ORDER BY k.stats_column_id"
    )[0].rows
    assert columns == [("temp",), ("id",)]
    dates = (
        "SELECT STATS_DATE(object_id, stats_id), GETDATE() FROM sys.stats WHERE name = 'days_stats'"
    )
    first, now = filled.run(dates)[0].rows[0]
    assert first <= now
    filled.run("UPDATE STATISTICS dbo.days")
    second, _ = filled.run(dates)[0].rows[0]
    assert first < second
    assert filled.run("SELECT STATS_DATE(OBJECT_ID('dbo.days'), 99)")[0].rows == [(None,)]


def test_constraints_and_parameters_are_in_the_information_schema(filled):
    usage = (
        "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE"
    )
    assert filled.run(usage)[0].rows == [("days", "pk_days", "id")]
    kinds = "SELECT CONSTRAINT_TYPE FROM INFORMATION_SCHEMA.TABLE_CONSTRAINTS"
    assert filled.run(kinds)[0].rows == [("PRIMARY KEY",)]
    parameters = (
        "SELECT PARAMETER_NAME, PARAMETER_MODE, DATA_TYPE FROM INFORMATION_SCHEMA.PARAMETERS "
        "ORDER BY ORDINAL_POSITION"
    )
    assert filled.run(parameters)[0].rows == [("@a", "IN", "int"), ("@b", "INOUT", "nvarchar")]


def test_requests_are_listed_with_label_status_and_error(session, error_of):
    session.run("SELECT 1 AS a OPTION (LABEL = 'it''s mine')")
    error_of(session, "SELECT 1 / 0 AS a")
    requests = session.run(
        "SELECT session_id, status, label, error_id FROM sys.dm_pdw_exec_requests "
        "ORDER BY submit_time DESC"
    )[0].rows
    assert requests[0] == (session.run("SELECT SESSION_ID()")[0].rows[0][0], "Running", None, None)
    assert requests[1][1:3] == ("Failed", None)
    assert requests[2][1:] == ("Completed", "it's mine", None)
    errors = session.run("SELECT error_id, details FROM sys.dm_pdw_errors")[0].rows
    assert errors == [(requests[1][3], "Msg 8134: Divide by zero error encountered.")]
    status = "SELECT status FROM sys.dm_pdw_exec_sessions WHERE session_id = SESSION_ID()"
    assert session.run(status)[0].rows == [("Active",)]


def test_a_call_of_sp_executesql_is_listed_by_its_text_and_label(session):
    session.run(
        "EXEC sp_executesql N'SELECT @a AS b OPTION (LABEL = ''named'')', N'@a int', @a = 1"
    )
    listed = session.run("SELECT label, command FROM sys.dm_pdw_exec_requests")[0].rows[0]
    assert listed == ("named", "SELECT @a AS b OPTION (LABEL = 'named')")


def test_the_list_of_requests_shows_no_secret(session, error_of):
    error_of(
        session,
        "COPY INTO dbo.t FROM 'https://x/y.csv' WITH (CREDENTIAL = (IDENTITY = 'Storage Account "
        "Key', SECRET = 'it''s-hidden'))",
    )
    commands = session.run("SELECT command FROM sys.dm_pdw_exec_requests")[0].rows
    assert "SECRET = '***'" in commands[0][0]
    assert "hidden" not in str(commands)


def test_requests_of_one_pool_are_seen_by_its_sessions_and_by_no_other_pool(tmp_path):
    for name in ("one", "two"):
        pool = Pool(tmp_path / f"{name}.duckdb", tmp_path)
        with pool.session() as first, pool.session() as second:
            first.run(f"SELECT 1 AS {name}")
            commands = second.run("SELECT command FROM sys.dm_pdw_exec_requests")[0].rows
            assert commands[0] == (f"SELECT 1 AS {name}",)
            assert first.run("SELECT @@SPID")[0].rows != second.run("SELECT @@SPID")[0].rows


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("SERVERPROPERTY('EngineEdition')", 6),
        ("SERVERPROPERTY('edition')", "SQL Azure"),
        ("SERVERPROPERTY('ProductVersion')", "12.0.2000.8"),
        ("SERVERPROPERTY('nothing')", None),
        ("SERVERPROPERTY(NULL)", None),
        ("TYPEPROPERTY('sysname', 'Precision')", 128),
        ("DATABASEPROPERTYEX('pool', 'Edition')", "DataWarehouse"),
        ("DATABASEPROPERTYEX(DB_NAME(), 'Collation')", "SQL_Latin1_General_CP1_CI_AS"),
        ("DATABASEPROPERTYEX('master', 'Edition')", None),
        ("HAS_DBACCESS('POOL')", 1),
        ("HAS_DBACCESS('master')", None),
        ("@@LANGUAGE", "us_english"),
        ("INDEXPROPERTY(OBJECT_ID('dbo.days'), 'days_temp', 'IsClustered')", 0),
        ("INDEXPROPERTY(OBJECT_ID('dbo.days'), 'pk_days', 'IsUnique')", 1),
        ("INDEXPROPERTY(OBJECT_ID('dbo.days'), 'nothing', 'IsClustered')", None),
        ("TYPEPROPERTY('decimal', 'Precision')", 38),
        ("TYPEPROPERTY('nvarchar', 'scale')", None),
        ("TYPEPROPERTY('int', 'AllowsNull')", 1),
    ],
)
def test_properties_of_server_database_index_and_type(filled, expression, value):
    assert filled.run(f"SELECT {expression}")[0].rows == [(value,)]


def test_a_property_that_is_no_constant_is_refused_by_name(filled, error_of):
    error = error_of(filled, "SELECT SERVERPROPERTY(name) FROM dbo.names")
    assert "SERVERPROPERTY of a property that is not a constant" in error.message


def test_a_table_that_another_session_changes_is_seen_as_it_is(pool):
    with pool.session() as one, pool.session() as other:
        one.run("CREATE TABLE dbo.shared (a int)")
        assert one.run("SELECT * FROM dbo.shared")[0].rows == []
        other.run("ALTER TABLE dbo.shared ADD b int")
        assert [c.name for c in one.run("SELECT * FROM dbo.shared")[0].columns] == ["a", "b"]
        other.run("DROP TABLE dbo.shared; CREATE TABLE dbo.shared (c nvarchar(9))")
        assert [c.name for c in one.run("SELECT * FROM dbo.shared")[0].columns] == ["c"]
        one.run("BEGIN TRAN; SELECT 1 FROM dbo.shared")
        other.run("ALTER TABLE dbo.shared ADD d int")
        assert [c.name for c in one.run("SELECT * FROM dbo.shared")[0].columns] == ["c"]
        one.run("COMMIT")
        assert [c.name for c in one.run("SELECT * FROM dbo.shared")[0].columns] == ["c", "d"]


def test_what_a_failed_definition_left_is_not_remembered(pool, error_of):
    with pool.session() as session:
        session.run("CREATE TABLE dbo.kept (a int); INSERT INTO dbo.kept SELECT 1")
        error_of(session, "ALTER TABLE dbo.kept ADD b int NOT NULL, c int NOT NULL DEFAULT 'x'")
        assert [c.name for c in session.run("SELECT * FROM dbo.kept")[0].columns] == ["a"]


def test_a_remembered_object_is_of_the_statements_own_snapshot(pool, monkeypatch):
    """A change that is committed between the look into what is remembered and the query counts."""
    with pool.session() as one, pool.session() as other:
        one.run("CREATE TABLE dbo.raced (a int); INSERT INTO dbo.raced SELECT 1")
        one.run("SELECT a FROM dbo.raced")
        catalog = one._engine._interpreter.catalog
        find = catalog.find

        def find_and_change(name):
            found = find(name)
            monkeypatch.undo()
            other.run("ALTER TABLE dbo.raced ALTER COLUMN a varchar(9)")
            return found

        monkeypatch.setattr(catalog, "find", find_and_change)
        assert one.run("SELECT a + 1 AS b FROM dbo.raced")[0].rows == [(2,)]
        assert one.run("SELECT a + 'x' AS b FROM dbo.raced")[0].rows == [("1x",)]
