"""Text to statements; what a dedicated pool refuses is refused here, by name."""
