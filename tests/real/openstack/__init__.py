"""A real OpenStack cloud, and what servers go through in it."""
