"""Making and removing all that the azure environment needs, by Azure Resource Manager."""
