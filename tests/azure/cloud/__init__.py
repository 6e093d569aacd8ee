"""A fake cloud at protocol level: what Azure's services answer to the real SDK clients."""
