"""The capacity of a cloud by days, as entries of XDMoD's resource_specs.json, and their place in a site's file."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

import schemas
from exporters.hypervisors.facts import Facts, history, sorted_out
from exporters.quarantine import Unfit, fault, set_aside
from ledger import ConfigurationError, Kind, Ledger
from ledger.files import put_whole, written_safely
from ledger.locks import sole_writer

__all__ = ["ExportedSpecs", "export_specs"]

_OPTION = "--resource-specs"
_DAY = timedelta(days=1)


class _Spec(Struct, frozen=True, kw_only=True):
    """The capacity of a resource from one day to another, both included (UTC); without an end it lasts."""

    resource: str
    start_date: date
    end_date: date | UnsetType = UNSET
    cpu_node_count: int
    cpu_processor_count: int
    cpu_ppn: int
    gpu_node_count: int = 0
    gpu_processor_count: int = 0
    gpu_ppn: int = 0


#: What the ledger knows; the rest of an entry is the site's to say.
_KNOWN = frozenset({"resource", "start_date", "end_date", "cpu_node_count", "cpu_processor_count", "cpu_ppn"})


class _Span(Struct):
    """When an entry of a site's file holds."""

    start_date: date
    end_date: date | None = None

    def covers(self, day: date) -> bool:
        return self.start_date <= day and (self.end_date is None or day <= self.end_date)


class ExportedSpecs(NamedTuple):
    """The entries of one resource, oldest first, what of them does not fit the schema, and where it was set aside.

    `changed` says that the site's file was, or would be, another than before. It never is where something is unfit.
    """

    entries: list[dict[str, Any]]
    unfit: list[Unfit]
    quarantine: Path | None
    changed: bool = False


def export_specs(
    ledger: Ledger, source: str, resource: str, file: Path | None, quarantine: Path, *, dry_run: bool = False
) -> ExportedSpecs:
    """Tell the capacities of a source and, with `file`, put them there in place of those of the same days.

    What the file says of other resources stays, and of this one what the ledger cannot know: days before the first
    observation, GPUs, percent allocated, comments.

    Raises ConfigurationError for a file that is no array of entries or cannot be written, SourceUnavailable for a
    full disk or another that writes the file: it is then as it was.
    """
    mark = ledger.watermark(source)
    fit, _ = sorted_out(ledger.entries(source, Kind.HYPERVISOR, mark.seq)) if mark else ([], [])
    told = list(_entries(resource, history(fit)))
    if file is None or not told:
        return _judged([msgspec.to_builtins(spec) for spec in told], quarantine, dry_run=dry_run)
    file = file.resolve()
    with sole_writer(ledger.engine, f"the entries of {file}"):
        there = _read(file)
        former = [(_span(file, raw), raw) for raw in there if _resource(raw) == resource]
        judged = _judged([_completed(spec, former) for spec in told], quarantine, dry_run=dry_run)
        if judged.unfit:
            return judged
        first = told[0].start_date
        earlier = [_ended(span, raw, first) for span, raw in former if span.start_date < first]
        lines = _in_place(there, resource, [*earlier, *map(msgspec.json.encode, judged.entries)])
        changed = lines != [bytes(raw) for raw in there]
        if changed and not dry_run:
            with written_safely(file, _OPTION):
                put_whole(file, [b"[\n", b",\n".join(lines), b"\n]\n"], keep_rights=True)
    return judged._replace(changed=changed)


def _entries(resource: str, past: Iterable[Facts]) -> Iterator[_Spec]:
    """One entry for each span of days of the same capacity; of a day with several, the last counts."""
    days = sorted({facts.at.date(): _capacity(facts) for facts in past}.items())
    spans = [next(same) for _, same in groupby(days, key=lambda day: day[1])]
    for (start, (nodes, cores)), following in zip(spans, [*spans[1:], None], strict=False):
        yield _Spec(
            resource=resource,
            start_date=start,
            end_date=following[0] - _DAY if following else UNSET,
            cpu_node_count=nodes,
            cpu_processor_count=cores,
            cpu_ppn=cores // nodes if nodes else 0,
        )


def _capacity(facts: Facts) -> tuple[int, int]:
    """Nodes and cores. A host without cores has nothing to offer yet, or no more: it is no node."""
    cores = [host.vcpus for host in facts.hosts if host.vcpus]
    return len(cores), sum(cores)


def _judged(entries: list[dict[str, Any]], quarantine: Path, *, dry_run: bool) -> ExportedSpecs:
    schema = schemas.validator("resource-specs")
    fit, unfit = list[dict[str, Any]](), list[Unfit]()
    for entry in entries:
        reason = fault(schema, [entry])
        if reason:
            unfit.append(Unfit(reason, entry))
        else:
            fit.append(entry)
    return ExportedSpecs(fit, unfit, set_aside(quarantine / "resource-specs.json", unfit, dry_run=dry_run))


def _read(file: Path) -> list[Raw]:
    """The entries of a site's file as they stand in it; none where there is no file."""
    way_out = f"Correct the file, or name another with {_OPTION}."
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Raw])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}. {way_out}") from error
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"{file} is no JSON array of resource specifications: {error}. {way_out}") from error


def _resource(raw: Raw) -> object:
    entry = msgspec.json.decode(raw)
    return entry.get("resource") if isinstance(entry, dict) else None


def _span(file: Path, raw: Raw) -> _Span:
    try:
        return msgspec.json.decode(raw, type=_Span)
    except msgspec.MsgspecError as error:
        raise ConfigurationError(
            f"{file}: an entry of {_resource(raw)} has no dates of the form YYYY-MM-DD: {error}. Correct the entry."
        ) from error


def _completed(spec: _Spec, former: Iterable[tuple[_Span, Raw]]) -> dict[str, Any]:
    """An entry, with what the ledger does not know as the site's entry for its first day has it."""
    entry: dict[str, Any] = msgspec.to_builtins(spec)
    for span, raw in former:
        if span.covers(spec.start_date):
            entry.update({key: value for key, value in msgspec.json.decode(raw).items() if key not in _KNOWN})
    return entry


def _ended(span: _Span, raw: Raw, before: date) -> bytes:
    """An entry of days that the ledger knows nothing of, as it stands but for an end that it may lack."""
    if span.end_date and span.end_date < before:
        return bytes(raw)
    return msgspec.json.encode({**msgspec.json.decode(raw), "end_date": before - _DAY})


def _in_place(there: Sequence[Raw], resource: str, mine: list[bytes]) -> list[bytes]:
    """A file's entries, those of one resource replaced where they begin, those of others as they stand."""
    owners = [_resource(raw) for raw in there]
    first = owners.index(resource) if resource in owners else len(there)
    others = [bytes(raw) for raw, owner in zip(there[first:], owners[first:], strict=True) if owner != resource]
    return [*map(bytes, there[:first]), *mine, *others]
