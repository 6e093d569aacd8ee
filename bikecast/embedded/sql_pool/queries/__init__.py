"""Queries to DuckDB SQL: FROM items, grouping, ordering, PREDICT as a source."""
