"""Statements that read, write and define."""
