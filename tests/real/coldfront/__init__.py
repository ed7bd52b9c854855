"""A real ColdFront, and what is read of it."""
