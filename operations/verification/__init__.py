"""Compare what was seen, kept, handed on, rebuilt and reported."""
