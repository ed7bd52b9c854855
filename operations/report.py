"""Report: from the embedded ledger to tables, CSV and PDF, through the same events that XDMoD gets."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from collectors.openstack import OpenStackSource
from exporters.openstack import horizon_of, write_lives
from hierarchy.known import known_projects
from hierarchy.owners import Label, owners
from ledger import DataError, Kind, Ledger, Named
from ledger.exports import Export
from reporter import Only, Period, UsageReport, usage_report, write_report
from usage import Engine

__all__ = ["ledger_sessions", "owner_labels", "report_month"]


@contextmanager
def ledger_sessions(
    ledger: Ledger, settings: OpenStackSource, window: tuple[datetime, datetime], up_to: Export | None = None
) -> Iterator[Engine]:
    """An engine with the sessions, as XDMoD will build them, of all servers that existed in [from, to) (UTC).

    They are those of all that is known, or of what was told up to an export. Raises DataError where there is nothing.
    """
    mark = ledger.watermark(settings.name)
    with TemporaryDirectory(prefix="xdmod-cloud-") as folder, Engine() as engine:
        lives = Path(folder)
        if up_to is not None:
            write_lives(ledger, settings.name, lives, window, up_to.seq_to, up_to.horizon_to)
        elif mark is not None:
            horizon = horizon_of(mark, timedelta(seconds=settings.overlap_seconds))
            write_lives(ledger, settings.name, lives, window, mark.seq, horizon)
        if not any(lives.iterdir()):
            raise DataError(
                f"The ledger knows no server of {settings.name} in {window[0]:%Y-%m-%d} to {window[1]:%Y-%m-%d}."
                " Collect first, or choose another period."
            )
        engine.read(lives)
        yield engine


def report_month(
    ledger: Ledger, settings: OpenStackSource, period: Period, directory: Path, only: Only
) -> tuple[UsageReport, list[Path]]:
    """Report one month of one cloud, or `only` a part of it; returns what it says and the files written.

    What is restricted goes into a folder of its own. Raises ConfigurationError for what is in `only` but not there.
    """
    window = period.start, period.end
    with ledger_sessions(ledger, settings, window) as engine:
        owned = owners(ledger, settings.name, window, owner_labels(ledger, settings.name))
        report = usage_report(engine, period, owned, known_projects(ledger), only)
        folder = directory / _folder(str(only)) if only else directory
        return report, write_report(report, engine, folder, settings.resource)


def _folder(only: str) -> str:
    """A name that every file system takes; a digest keeps apart what it writes alike."""
    return f"{re.sub(r'[^0-9A-Za-z]+', '-', only).strip('-')[:60]}-{sha256(only.encode()).hexdigest()[:8]}"


def owner_labels(ledger: Ledger, source: str) -> dict[str, set[Label]]:
    """Every name that each project of a cloud ever had, in each of its domains' names: events bear them, or the id."""
    mark = ledger.watermark(source)
    labels: dict[str, set[Label]] = defaultdict(set)
    if mark is None:
        return labels
    domains: dict[str | None, set[str]] = defaultdict(set)
    for entry in ledger.entries(source, Kind.DOMAIN, mark.seq):
        if isinstance(entry.record, Named) and entry.record.name:
            domains[entry.record.id].add(entry.record.name)
    for entry in ledger.entries(source, Kind.PROJECT, mark.seq):
        if isinstance(entry.record, Named):
            names: set[str | None] = {*domains.get(entry.record.domain, ())} or {None}
            labels[entry.record.id] |= {
                Label(entry.record.id),
                *(Label(entry.record.name or "", name) for name in names),
            }
    return labels
