"""What the command doctor checks: this machine, and in azure identity, services and roles."""
