"""Recorded answers of a T-SQL engine, and how an answer is compared with them; see README.md."""
