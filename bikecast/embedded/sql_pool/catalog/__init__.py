"""The catalog: objects and columns by name, and the system views."""
