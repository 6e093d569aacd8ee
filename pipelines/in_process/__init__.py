"""Running jobs and ticking sensors from a command, without a daemon."""
