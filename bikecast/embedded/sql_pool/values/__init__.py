"""Types, conversions, operators and texts of single values."""
