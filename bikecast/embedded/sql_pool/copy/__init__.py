"""COPY INTO: its options, the files it names, their records, and rows that are rejected."""
