"""Notebooks: what they import, and how they are written, opened and published."""
