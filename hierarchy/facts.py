"""What is known of who owns what: everything that sources ever told, each as it was told last."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from collectors.told import Told
from ledger import Kind, Ledger, Rejected
from ledger.ownership import (
    Allocation,
    CloudProject,
    Membership,
    Organization,
    Owning,
    Person,
    ResearchProject,
    Share,
    TreeProject,
)
from ledger.tables import IDENTITY_WIDTH, SUBJECT_WIDTH

__all__ = ["SOURCE", "Facts", "facts_as_of", "known_facts", "news"]

#: What the ledger calls all of it.
SOURCE = "hierarchy"
#: The kinds of record, in the order in which they are appended.
_TYPES: tuple[type[Owning], ...] = (
    Person,
    Organization,
    ResearchProject,
    Allocation,
    CloudProject,
    Membership,
    TreeProject,
    Share,
)
T = TypeVar("T", bound=Owning)
#: What tells the things of one kind apart: subject and identity.
Thing = tuple[str, str]


class Facts:
    """The newest record of each thing, those that are gone included."""

    def __init__(self, records: Iterable[Owning]) -> None:
        self._records: dict[type[object], dict[Thing, Owning]] = {kind: {} for kind in _TYPES}
        for record in records:
            self._records[type(record)][_thing(record)] = record

    def all(self, kind: type[T]) -> Iterator[T]:
        """The records of one kind."""
        return (record for record in self._records[kind].values() if isinstance(record, kind))

    def present(self, kind: type[T]) -> Iterator[T]:
        """The records of one kind that are not gone."""
        return (record for record in self.all(kind) if not record.gone)

    def get(self, kind: type[T], thing: Thing) -> Owning | None:
        """What is known of one thing."""
        return self._records[kind].get(thing)

    def overlaid(self, records: Iterable[Owning]) -> "Facts":
        """What is known once these records are known, too."""
        both = Facts(records)
        for kind, newer in both._records.items():
            both._records[kind] = self._records[kind] | newer
        return both


class News(Struct, frozen=True):
    """What sources told that was not known: the records to append, and what the ledger cannot tell apart or hold.

    Beside them, how many things of each kind were there and how many of these are gone now.
    """

    records: list[Owning]
    rejected: list[Rejected]
    gone: dict[Kind, int]
    present: dict[Kind, int]


def known_facts(ledger: Ledger) -> Facts:
    """What the ledger knows."""
    return Facts(record for kind in _TYPES for record in ledger.newest(SOURCE, kind))


def facts_as_of(ledger: Ledger, moment: datetime) -> Facts:
    """What the ledger knew at a moment (UTC)."""
    mark = ledger.watermark(SOURCE)
    entries = (entry for kind in _TYPES for entry in (ledger.entries(SOURCE, kind.kind, mark.seq) if mark else ()))
    # Entries come in the order in which they were learned, so that the newest of each thing stays.
    return Facts(entry.record for entry in entries if entry.observed <= moment and isinstance(entry.record, Owning))


def news(known: Facts, told: Sequence[Told]) -> News:
    """What of the things told is new, and what is no longer told by the source that told it."""
    records, rejected = list[Owning](), list[Rejected]()
    gone, present = dict[Kind, int](), dict[Kind, int]()
    for kind in _TYPES:
        whole = [one.source for one in told if kind.kind in one.kinds]
        every = [record for one in told for record in one.records if isinstance(record, kind)]
        fresh = {_thing(record): record for record in every if not _unfit(record)}
        rejected += [Rejected(why, _encoded(record)) for record in every if (why := _unfit(record))]
        before = [record for record in known.present(kind) if any(_is_from(record, source) for source in whole)]
        lost = [record for record in before if _thing(record) not in fresh]
        records += [record for thing, record in fresh.items() if known.get(kind, thing) != record]
        records += [replace(record, gone=True) for record in lost]
        if whole:
            gone[kind.kind], present[kind.kind] = len(lost), len(before)
    return News(records, rejected, gone, present)


def _thing(record: Owning) -> Thing:
    return record.subject, record.identity


def _unfit(record: Owning) -> str | None:
    """Why the ledger's keys cannot hold a thing: MariaDB takes no notice of blanks at the end of them."""
    for part, width in zip(_thing(record), (SUBJECT_WIDTH, IDENTITY_WIDTH), strict=True):
        if len(part) > width:
            return f'A {record.kind} is called "{part[:60]}…", which is longer than {width} characters'
        if part != part.strip():
            return f'A {record.kind} is called "{part}", with a blank at its end'
    return None


def _encoded(record: Owning) -> str:
    return msgspec.json.encode(record).decode()


def _is_from(record: Owning, source: str) -> bool:
    """Whether a record is one that this source told."""
    if isinstance(record, ResearchProject | Allocation):
        return record.source == source
    if isinstance(record, CloudProject):
        return record.cloud == source
    if isinstance(record, Membership):
        return record.project.startswith(f"{source}/")
    return True
