"""The functions of T-SQL, one module a subject."""
