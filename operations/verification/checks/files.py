"""The check of event files: what lies in the folders is what the ledger says was exported."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from exporters.openstack import TARGET
from exporters.outbox import array_lines, day_of
from ledger.counts import counted
from ledger.exports import Exports, WrittenFile
from operations.verification.checks.books import Books
from operations.verification.checks.records import Checked, Finding, checked, error

__all__ = ["exported_files"]


def exported_files(books: Books) -> Checked:
    """Each file of the period has as many events as were exported, and the same bytes."""
    last_second = books.period.end - timedelta(seconds=1)
    first, last = (time.date().isoformat() for time in (books.period.start, last_second))
    told = [
        file
        for file in Exports(books.ledger, books.settings.name, TARGET).files()
        if first <= (day_of(file.name) or "") <= last
    ]
    kept = {file: path for file in told if (path := _found(file, books.folders)) is not None}
    found = (one for file, path in kept.items() for one in _unlike(file, path))
    return checked("event files have the events that were exported", len(kept), "files", found, _reason(told, kept))


def _found(file: WrittenFile, folders: Sequence[Path]) -> Path | None:
    return next((folder / file.name for folder in folders if (folder / file.name).exists()), None)


def _unlike(file: WrittenFile, path: Path) -> Iterator[Finding]:
    events, digest = len(array_lines(path)), sha256(path.read_bytes()).hexdigest()
    if events != file.records:
        yield error(str(path), counted(file.records, "events"), f"{events:,}", f"{events - file.records:+,}")
    elif digest != file.sha256:
        yield error(str(path), f"SHA-256 {file.sha256}", digest)


def _reason(told: Sequence[WrittenFile], kept: dict[WrittenFile, Path]) -> str | None:
    if not told:
        return "no events of the period were exported"
    gone = len(told) - len(kept)
    return f"{counted(gone, 'files are')} in none of the folders; name the one with --events" if gone else None
