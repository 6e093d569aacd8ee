"""Which model is live: candidates compared, promoted and rolled back."""
