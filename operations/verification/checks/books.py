"""What the checks of a cloud's reports look into: the ledger, the sessions of a period, the report made of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from collectors.openstack import OpenStackSource
from exporters.openstack.history import History
from exporters.openstack.life import Life, life
from hierarchy.known import known_projects
from hierarchy.owners import Owner, owners
from ledger import DataError, Ledger, Watermark
from operations.reports.usage import ledger_sessions, owner_labels
from reporter import Period, UsageReport, usage_report
from usage import Engine

__all__ = ["Books", "Limits", "Lived", "opened"]

_TICK = timedelta(microseconds=1)


class Limits(NamedTuple):
    """What is still in order: a cloud is read every `cadence`, and loses at most so many per cent of its servers."""

    cadence: timedelta = timedelta(minutes=20)
    largest_drop_percent: float = 10


class Lived(NamedTuple):
    """What is known of one server, and its life as it is told."""

    history: History
    life: Life


class Books(NamedTuple):
    """One cloud and one period. `folders` hold its event files, as far as they are kept; `now` is UTC."""

    ledger: Ledger
    settings: OpenStackSource
    period: Period
    mark: Watermark
    engine: Engine
    owners: Sequence[Owner]
    report: UsageReport
    folders: Sequence[Path]
    limits: Limits
    now: datetime

    def lives(self, window: tuple[datetime, datetime] | None = None) -> Iterator[Lived]:
        """The servers that existed in the period, or another window (UTC), by all that is known."""
        watermarks = self.ledger.watermarks(self.settings.name, self.mark.seq)
        window = window or (self.period.start, self.period.end)
        for _, entries in self.ledger.lives(self.settings.name, self.mark.seq, window=window):
            told = life(entries, watermarks, {})
            if told is not None:
                yield Lived(History.of(entries, watermarks), told)

    def living(self) -> Iterator[Lived]:
        """The servers that existed when the cloud was last read."""
        return self.lives((self.mark.at, self.mark.at + _TICK))


@contextmanager
def opened(
    ledger: Ledger,
    settings: OpenStackSource,
    period: Period,
    folders: Sequence[Path],
    limits: Limits | None = None,
    now: datetime | None = None,
) -> Iterator[Books]:
    """Report a period, and lay everything open. Raises DataError for a cloud or a period of which nothing is known."""
    mark = ledger.watermark(settings.name)
    if mark is None:
        raise DataError(f"{settings.name} was never read. First: xdmod-cloud collect openstack")
    window = period.start, period.end
    with ledger_sessions(ledger, settings, window) as engine:
        owned = owners(ledger, settings.name, window, owner_labels(ledger, settings.name))
        report = usage_report(engine, period, owned, known_projects(ledger))
        yield Books(
            ledger,
            settings,
            period,
            mark,
            engine,
            owned,
            report,
            folders,
            limits or Limits(),
            now or datetime.now(UTC),
        )
