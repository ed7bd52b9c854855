"""Read the outside world and return typed records: one sub-package per kind of source."""
