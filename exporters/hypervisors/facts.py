"""The hosts of a cloud through time, and what XDMoD must read to know them: pure functions of the ledger's records."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

import schemas
from exporters.quarantine import Unfit, fault
from ledger import Entry, Hypervisor
from ledger.text import HOST_WIDTH, fitted
from ledger.times import iso_seconds

__all__ = ["Facts", "Host", "Refused", "document", "file_name", "history", "sorted_out", "statements"]

#: The longest day of any time zone: whichever XDMoD's database keeps, moments so far apart lie on different days.
_DAY = timedelta(hours=25)


class Host(Struct, frozen=True, order=True):
    """One host and what it has for servers: memory in MiB, cores."""

    hypervisor_hostname: str
    memory_mb: int
    vcpus: int


class Facts(NamedTuple):
    """All hosts there are from a moment (UTC) on, by name."""

    at: datetime
    hosts: tuple[Host, ...]


class Refused(NamedTuple):
    """A record of the ledger of which XDMoD cannot be told."""

    entry: Entry
    unfit: Unfit


def sorted_out(entries: Iterable[Entry]) -> tuple[list[Entry], list[Refused]]:
    """Part the records of which XDMoD can be told from those that do not fit the schema.

    A host of which a record does not fit is taken to be as it was before, and not to be gone.
    """
    schema = schemas.validator("hypervisor-facts")
    fit, refused = list[Entry](), list[Refused]()
    for entry in entries:
        if isinstance(entry.record, Hypervisor):
            told = document(Facts(entry.observed, (_host(entry.record),)))
            reason = None if entry.record.gone else fault(schema, told)
            if reason:
                refused.append(Refused(entry, Unfit(reason, msgspec.to_builtins(entry.record))))
            else:
                fit.append(entry)
    return fit, refused


def history(entries: Iterable[Entry]) -> Iterator[Facts]:
    """The hosts at each moment at which one came, went or changed its size; what was learned at once is one moment."""
    known, before = dict[str, Host](), tuple[Host, ...]()
    for at, learned in groupby(entries, key=lambda entry: entry.observed):
        for entry in learned:
            if not isinstance(entry.record, Hypervisor):
                continue
            if entry.record.gone:
                known.pop(entry.record.name, None)
            else:
                known[entry.record.name] = _host(entry.record)
        hosts = tuple(sorted(known.values()))
        if hosts != before:
            before = hosts
            yield Facts(at, hosts)


def statements(past: Sequence[Facts], horizon: datetime) -> Iterator[Facts]:
    """What XDMoD must read to know that history, as far as it goes at the horizon (UTC).

    That is each change as it stands but for two. XDMoD does not see that the last hosts go: they stay, with nothing to
    offer. And it keeps one row for each host and day: what contradicts a statement of the same day is stated again
    on the next, or a host that went would stay for ever.
    """
    stated = list[Facts]()
    for now, following in zip(past, [*past[1:], None], strict=False):
        hosts = now.hosts or tuple(replace(host, memory_mb=0, vcpus=0) for host in stated[-1].hosts)
        contradicts = any(now.at - facts.at < _DAY and not set(facts.hosts) <= set(hosts) for facts in stated)
        stated.append(Facts(now.at, hosts))
        yield stated[-1]
        again = now.at + _DAY
        if contradicts and again <= (following.at if following else horizon):
            stated.append(Facts(again, hosts))
            yield stated[-1]


def document(facts: Facts) -> dict[str, Any]:
    """Facts as the JSON document that their schema describes."""
    return {"hypervisors": msgspec.to_builtins(facts.hosts), "ts": iso_seconds(facts.at)}


def file_name(facts: Facts) -> str:
    """The name by which XDMoD finds the file of some facts."""
    return f"hypervisor_facts_{facts.at:%Y-%m-%dT%H:%M:%S}.json"


def _host(known: Hypervisor) -> Host:
    return Host(fitted(known.name, HOST_WIDTH), known.memory_mb, known.vcpus)
