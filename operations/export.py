"""Export: what the ledger knows, as files in the outbox."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from collectors.openstack import OpenStackSource
from exporters.openstack import EventFiles, Exported, Grid, export_news, export_window
from ledger import Ledger
from operations.configuration import Configuration

__all__ = ["event_files", "export_openstack"]


def event_files(configuration: Configuration, settings: OpenStackSource) -> EventFiles:
    """Where the events of a cloud go."""
    folder = configuration.outbox / settings.resource
    return EventFiles(folder / "events", folder / "quarantine", timedelta(seconds=settings.overlap_seconds))


def export_openstack(
    ledger: Ledger,
    configuration: Configuration,
    settings: OpenStackSource,
    window: tuple[datetime, datetime] | None = None,
    grid: Grid | None = None,
    *,
    dry_run: bool = False,
) -> Sequence[Exported]:
    """Write one cloud's events: those of a window (half-open, UTC) again, or what was learned since the last export."""
    places = event_files(configuration, settings)
    if window is None:
        return export_news(ledger, settings.name, places, grid, dry_run=dry_run)
    return [export_window(ledger, settings.name, places, window, grid or Grid.HOURLY, dry_run=dry_run)]
