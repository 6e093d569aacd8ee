"""Checks of tables, model and predictions: blocking ones, and those that stop nothing."""
