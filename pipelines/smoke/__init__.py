"""The smallest real run in Azure: its own names, its calls recorded and checked."""
