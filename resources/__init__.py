"""The outside world: one folder a system, each with its port and its adapters."""
