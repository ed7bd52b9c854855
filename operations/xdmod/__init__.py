"""Hands files on to XDMoD: runs its own commands on them, reads what these say, and keeps what has been read."""
