"""Typed expressions to DuckDB SQL."""
