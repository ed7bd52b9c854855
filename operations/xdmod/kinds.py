"""The kinds of file that XDMoD shreds: where each waits, and which of XDMoD's steps it takes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from exporters.outbox import DAY_FILE

__all__ = ["KINDS", "Kind"]

#: What is not hidden, not a part of a file, and not a directory as lost+found.
_JOBS = re.compile(r"^(?!\.).*\d{4}-\d\d-\d\d.*\.(log|txt|sacct)$")
_FACTS = re.compile(r"hypervisor_facts_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.json$")
_JSON = re.compile(r"^(?!\.).*\.json$")


class Kind(NamedTuple):
    """One kind of file.

    `folder` is its place in the outbox below the resource, `format` what xdmod-shredder calls it, `names` what its
    files are called. `ingest` are the phases of xdmod-ingestor that take it over, in order, and `realm` what is then
    aggregated. Whoever writes its files holds the lock `guard` of the source. With `alone`, XDMoD is given one file at
    a time. `count` tells the records of a file.
    """

    folder: str
    format: str
    names: re.Pattern[str]
    ingest: tuple[str, ...]
    realm: str
    guard: str
    count: Callable[[Path], int]
    alone: bool = False


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _objects(path: Path) -> int:
    # Event files have a record a line, and may be as long as a month.
    with path.open("rb") as file:
        return sum(1 for line in file if line.startswith(b"{"))


class _Facts(Struct):
    hypervisors: list[Raw]


def _hosts(path: Path) -> int:
    return len(msgspec.json.decode(path.read_bytes(), type=_Facts).hypervisors)


def _elements(path: Path) -> int:
    return len(msgspec.json.decode(path.read_bytes(), type=list[Raw]))


#: In the order in which they are shredded. XDMoD 11 ingests hypervisor facts along with events, and has no phase of
#: their own for them. It passes jobs on only at the end of a call that went well, and only those of this call: a file
#: that breaks would keep those from it that were read before.
KINDS = (
    Kind("events", "openstack", DAY_FILE, ("--datatype=openstack",), "cloud", "the events of {}", _objects),
    Kind(
        "hypervisors",
        "cloudresourcespecs",
        _FACTS,
        ("--datatype=openstack",),
        "resourcespecs",
        "the hypervisors of {}",
        _hosts,
    ),
    Kind(
        "jobs",
        "slurm",
        _JOBS,
        ("--ingest-shredded", "--ingest-staging", "--ingest-hpcdb"),
        "job",
        "the jobs of {}",
        _lines,
        alone=True,
    ),
    Kind("storage", "storage", _JSON, ("--datatype=storage",), "storage", "the storage of {}", _elements),
)
