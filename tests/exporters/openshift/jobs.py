"""Job lines as XDMoD takes them apart, and a cluster whose days are exported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import fields

from exporters.openshift import ExportedJobs, JobFiles, JobForm, export_days, export_jobs
from exporters.openshift.line import Job
from hierarchy.held import Held
from ledger import Ledger
from ledger.database import connect, upgrade
from tests.pods import at, collected, empty_ledger

__all__ = ["COLUMNS", "Cluster", "seconds", "taken_apart"]

COLUMNS = [column.name for column in fields(Job)]


def taken_apart(line: str) -> dict[str, str]:
    """A line as XDMoD reads it: split at its first 25 bars, whatever comes later."""
    parts = line.split("|", 25)
    assert len(parts) == 26
    return dict(zip(COLUMNS, parts, strict=True))


def seconds(job: Mapping[str, str]) -> int:
    """The wall time, as XDMoD reckons it: end minus start, read as UTC."""
    start, end = (datetime.fromisoformat(job[name]).replace(tzinfo=UTC) for name in ("start", "end"))
    return int((end - start).total_seconds())


@dataclass
class Cluster:
    """A cluster in a ledger of its own, exported in one form."""

    folder: Path
    form: JobForm = field(default_factory=lambda: JobForm("openshift_prod", cpu="millicores"))
    held: dict[str, Held] = field(default_factory=dict)
    url: str | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.url:
            upgrade(connect(self.url))
        self.ledger = Ledger.open(self.url) if self.url else empty_ledger(self.folder)
        self.places = JobFiles(self.folder / "jobs", self.folder / "quarantine")

    def collect(self, up_to: str, *records: Any) -> None:
        collected(self.ledger, up_to, [one for some in records for one in (some if isinstance(some, list) else [some])])

    def export(self, *, dry_run: bool = False) -> list[ExportedJobs]:
        return export_jobs(self.ledger, "ocp", self.form, self.places, lambda _: self.held, dry_run=dry_run)

    def again(self, since: str, until: str) -> ExportedJobs:
        return export_days(self.ledger, "ocp", self.form, self.places, lambda _: self.held, (at(since), at(until)))

    def files(self) -> dict[str, bytes]:
        """Every file in the outbox."""
        return {path.name: path.read_bytes() for path in sorted(self.places.outbox.glob("*"))}

    def lines(self) -> list[str]:
        return [line for content in self.files().values() for line in content.decode().splitlines()]

    def jobs(self) -> list[dict[str, str]]:
        """All jobs in the outbox, day by day."""
        return [taken_apart(line) for line in self.lines()]

    def exported(self, up_to: str, *records: Any) -> list[dict[str, str]]:
        """Collect, export, and return the jobs."""
        self.collect(up_to, *records)
        self.export()
        return self.jobs()
