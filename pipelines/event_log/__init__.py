"""What Dagster's event log says, for commands that only look; sqlite_log reads it in no time."""
