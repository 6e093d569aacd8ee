"""Scoring with the live model: PREDICT in the SQL pool, or Spark."""
