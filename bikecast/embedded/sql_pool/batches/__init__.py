"""Batches: control flow, variables, procedures, transactions and errors that are raised."""
