"""Backup: everything that cannot be made again, in one place, proven, and brought back."""
