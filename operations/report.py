"""Report: from the embedded ledger to tables, CSV and PDF, through the same events that XDMoD gets."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from collectors.openstack import OpenStackSource
from exporters.openstack import write_lives
from ledger import DataError, Ledger
from reporter import Period, UsageReport, usage_report, write_report
from usage import Engine

__all__ = ["ledger_sessions", "report_month"]


@contextmanager
def ledger_sessions(ledger: Ledger, settings: OpenStackSource, window: tuple[datetime, datetime]) -> Iterator[Engine]:
    """An engine with the sessions, as XDMoD will build them, of all servers that existed in [from, to) (UTC)."""
    with TemporaryDirectory(prefix="xdmod-cloud-") as folder, Engine() as engine:
        lives = Path(folder)
        write_lives(ledger, settings.name, lives, window, timedelta(seconds=settings.overlap_seconds))
        if not any(lives.iterdir()):
            raise DataError(
                f"The ledger knows no server of {settings.name} in {window[0]:%Y-%m-%d} to {window[1]:%Y-%m-%d}."
                " Collect first, or choose another period."
            )
        engine.read(lives)
        yield engine


def report_month(
    ledger: Ledger, settings: OpenStackSource, period: Period, directory: Path
) -> tuple[UsageReport, list[Path]]:
    """Report one month of one cloud; returns what it says and the files written."""
    with ledger_sessions(ledger, settings, (period.start, period.end)) as engine:
        report = usage_report(engine, period)
        return report, write_report(report, engine, directory, settings.resource)
