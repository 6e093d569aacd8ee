"""Spark: prepares the training table; Spark Connect on Sail, a cluster, or a JVM."""
