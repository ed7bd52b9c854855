"""What one source tells of who owns what."""

from datetime import datetime
from typing import NamedTuple

from ledger import Kind, Rejected
from ledger.ownership import Owning

__all__ = ["Told"]


class Told(NamedTuple):
    """Everything that one source knows, read at once.

    `at` is the source's own time (UTC) when the reading began. `kinds` were read as a whole: what the ledger knows of
    them from this source, and what is not in `records`, is gone. `rejected` could not be made a record.
    """

    source: str
    at: datetime
    kinds: frozenset[Kind]
    records: list[Owning]
    rejected: list[Rejected]
    warnings: list[str]
