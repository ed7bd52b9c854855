"""What the ledger has learned of hypervisors since the last export, as fact files that XDMoD shreds."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from exporters.hypervisors.facts import Facts, document, file_name, history, sorted_out, statements
from exporters.outbox import write_document
from exporters.quarantine import Unfit, set_aside
from ledger import Kind, Ledger
from ledger.exports import Export, ExportId, Exports, WrittenFile
from ledger.files import written_safely
from ledger.locks import sole_writer
from ledger.store import Seq

__all__ = ["TARGET", "ExportedFacts", "FactFiles", "export_facts"]

TARGET = "hypervisor-facts"


class FactFiles(NamedTuple):
    """Where the facts of a source go: `outbox` is what XDMoD reads, `quarantine` what it must not."""

    outbox: Path
    quarantine: Path


class ExportedFacts(NamedTuple):
    """What an export wrote, or would write: files with their numbers of hosts, and what was set aside, where."""

    files: list[WrittenFile]
    unfit: list[Unfit]
    quarantine: Path | None


class _News(NamedTuple):
    facts: list[Facts]
    unfit: list[Unfit]


def export_facts(ledger: Ledger, source: str, places: FactFiles, *, dry_run: bool = False) -> list[ExportedFacts]:
    """Write a file for each change since the last export; first finish an export that its process did not.

    Raises SourceUnavailable for a full disk or another export under way: running again completes it.
    """
    with sole_writer(ledger.engine, f"the hypervisors of {source}"):
        exports = Exports(ledger, source, TARGET)
        done = []
        begun = exports.begun()
        if begun:
            done.append(_write(ledger, source, places, exports, begun, dry_run=dry_run))
        due = _due(ledger, source, begun if begun and dry_run else exports.last())
        if due and any(_news(ledger, source, due)):
            due = due if dry_run else exports.begin(due.seq_to, due.horizon_to)
            done.append(_write(ledger, source, places, exports, due, dry_run=dry_run))
        elif due and due.seq_to > due.seq_from and not dry_run:
            # What says nothing new about hypervisors waits for this export no longer.
            exports.finish(exports.begin(due.seq_to, due.horizon_to), [])
        return done


def _due(ledger: Ledger, source: str, last: Export | None) -> Export | None:
    """What would be exported next, if there were news in it; none before the source was read."""
    mark = ledger.watermark(source)
    if mark is None:
        return None
    if last is None:
        return Export(ExportId(0), Seq(0), mark.seq, None, mark.at)
    return Export(ExportId(0), last.seq_to, mark.seq, last.horizon_to, max(mark.at, last.horizon_to))


def _news(ledger: Ledger, source: str, due: Export) -> _News:
    """What is to be said by what the ledger knew at the end of an export, and was not by what it knew before."""
    fit, refused = sorted_out(ledger.entries(source, Kind.HYPERVISOR, due.seq_to))
    said = set[Facts]()
    if due.horizon_from is not None:
        before = [entry for entry in fit if entry.seq <= due.seq_from]
        said.update(statements(list(history(before)), due.horizon_from))
    facts = [one for one in statements(list(history(fit)), due.horizon_to) if one not in said]
    return _News(facts, [unfit for entry, unfit in refused if entry.seq > due.seq_from])


def _write(
    ledger: Ledger, source: str, places: FactFiles, exports: Exports, due: Export, *, dry_run: bool
) -> ExportedFacts:
    news = _news(ledger, source, due)
    # Names have whole seconds: of two changes in one, the later says all that the earlier does.
    named = {file_name(facts): facts for facts in news.facts}
    files = [_put(places.outbox / name, facts, dry_run=dry_run) for name, facts in named.items()]
    quarantine = set_aside(places.quarantine / f"hypervisors-export-{due.id}.json", news.unfit, dry_run=dry_run)
    if not dry_run:
        exports.finish(due, files)
    return ExportedFacts(files, news.unfit, quarantine)


def _put(path: Path, facts: Facts, *, dry_run: bool) -> WrittenFile:
    """Write a file, or only count what it would hold."""
    if dry_run:
        return WrittenFile(path.name, len(facts.hosts), "")
    with written_safely(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return write_document(path, msgspec.json.format(msgspec.json.encode(document(facts))) + b"\n", len(facts.hosts))
