"""What resources have, from files: a site's resource_specs.json, or the hypervisor facts beside event files."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ledger import ConfigurationError
from usage.statistics import Span

__all__ = ["Specification", "observed", "spans", "specified"]

_FACTS = re.compile(r"hypervisor_facts_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.json", re.ASCII)
_WHOLE = 100


class Specification(Struct, frozen=True):
    """An entry of resource_specs.json: the cores of a resource from one day to another, both included (UTC).

    Without an end it lasts until the day of the ingest. `percent_allocated` is the part that counts.
    """

    resource: str
    start_date: date
    cpu_processor_count: int
    end_date: date | None = None
    percent_allocated: float | None = None


class _Host(Struct, frozen=True):
    hypervisor_hostname: str
    vcpus: int


class _Facts(Struct, frozen=True):
    hypervisors: list[_Host]
    ts: Annotated[datetime, Meta(tz=True)]


def specified(file: Path) -> list[Specification]:
    """Return the entries of a resource_specs.json. Raises ConfigurationError for a file that is none."""
    entries: list[Specification] = _decoded(file, list[Specification], "no array of resource specifications")
    return entries


def spans(
    specifications: Iterable[Specification], ids: Mapping[str, int], today: date
) -> tuple[list[Span], list[Span]]:
    """Return the spans of cores and those of percent, of the resources that have an id; what has no end ends `today`.

    Of several entries of a resource that begin on one day the last counts. Source: XDMoD's hpcdb/resource-specs.json.
    """
    last = {(it.resource, it.start_date): it for it in specifications if it.resource in ids}
    cores, percents = list[Span](), list[Span]()
    for it in last.values():
        since, until = _first_second(it.start_date), _last_second(it.end_date or today)
        percent = _WHOLE if it.percent_allocated is None else int(it.percent_allocated + 0.5)
        cores.append(Span(ids[it.resource], since, until, it.cpu_processor_count))
        percents.append(Span(ids[it.resource], since, until, percent))
    return cores, percents


def observed(directories: Iterable[Path], resource_id: int) -> tuple[list[Span], list[Span]]:
    """Return the spans that the hypervisor facts in the directories tell, the last one without an end; none without.

    The cores of a day (UTC) are those of all hosts that its files name, of each host in its last one; they last until
    the next day with a file. A file without hosts says nothing. Raises ConfigurationError for a file that is no facts.
    """
    days: dict[date, dict[str, int]] = {}
    for facts in sorted(_facts(directories), key=lambda facts: facts.ts):
        if facts.hypervisors:
            hosts = days.setdefault(facts.ts.astimezone(UTC).date(), {})
            hosts.update({host.hypervisor_hostname: host.vcpus for host in facts.hypervisors})
    starts = [_first_second(day) for day in days]
    ends = [start - 1 for start in starts[1:]] + [_last_second(date.max - timedelta(days=1))]
    cores = [
        Span(resource_id, start, end, sum(hosts.values()))
        for start, end, hosts in zip(starts, ends, days.values(), strict=bool(starts))
    ]
    return cores, [Span(resource_id, cores[0].since, cores[-1].until, _WHOLE)] if cores else []


def _facts(directories: Iterable[Path]) -> Iterator[_Facts]:
    for directory in directories:
        for path in sorted(directory.iterdir()):
            if _FACTS.fullmatch(path.name):
                yield _decoded(path, _Facts, "no hypervisor facts")


def _decoded(file: Path, kind: Any, otherwise: str) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror}. Correct its rights, or name another."
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is {otherwise}: {error}. Correct the file, or name another.") from error


def _first_second(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _last_second(day: date) -> int:
    return _first_second(day) + 86_399
