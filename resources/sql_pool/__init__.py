"""The dedicated SQL pool: T-SQL and PREDICT; embedded locally, Synapse in azure."""
