"""Export: what the ledger knows, as files in the outbox."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from collectors.openshift import OpenShiftSource
from collectors.openstack import OpenStackSource
from exporters.hypervisors import ExportedFacts, ExportedSpecs, FactFiles, export_facts, export_specs
from exporters.openshift import ExportedJobs, JobFiles, JobForm, export_days, export_jobs
from exporters.openstack import EventFiles, Exported, Grid, export_news, export_window
from hierarchy import clouds_of
from hierarchy.held import Held
from hierarchy.namespaces import held_namespaces
from ledger import Ledger
from operations.configuration import Configuration

__all__ = [
    "STDOUT",
    "HypervisorExport",
    "event_files",
    "export_hypervisors",
    "export_openshift",
    "export_openstack",
    "job_files",
]

#: In place of a file: return what would be written there.
STDOUT = Path("-")


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


def job_files(configuration: Configuration, settings: OpenShiftSource) -> JobFiles:
    """Where the jobs of a cluster go."""
    folder = configuration.outbox / settings.resource
    return JobFiles(folder / "jobs", folder / "quarantine")


def export_openshift(
    ledger: Ledger,
    configuration: Configuration,
    settings: OpenShiftSource,
    window: tuple[datetime, datetime] | None = None,
    *,
    dry_run: bool = False,
) -> Sequence[ExportedJobs]:
    """Write one cluster's jobs: those of the days (UTC) of a window again, or those of the days that are new."""
    form = JobForm(
        resource=settings.resource,
        cpu=settings.cpu,
        per=settings.per,
        minimum_cpu=settings.minimum_cpu,
        gpu_types=settings.gpu_types,
        pi=settings.pi,
        account=settings.account,
        user=settings.user,
        prefix=settings.prefix,
    )
    places, cloud = job_files(configuration, settings), clouds_of((), (settings,))[0]

    def holders(moment: datetime) -> Mapping[str, Held]:
        return held_namespaces(ledger, cloud, moment)

    if window is None:
        return export_jobs(ledger, settings.name, form, places, holders, dry_run=dry_run)
    return [export_days(ledger, settings.name, form, places, holders, window, dry_run=dry_run)]


class HypervisorExport(NamedTuple):
    """What of a cloud's hypervisors was exported, or would be; `specs` only where they were asked for."""

    outbox: Path
    facts: list[ExportedFacts]
    specs: ExportedSpecs | None


def export_hypervisors(
    ledger: Ledger,
    configuration: Configuration,
    settings: OpenStackSource,
    specs: Path | None = None,
    *,
    dry_run: bool = False,
) -> HypervisorExport:
    """Write one cloud's hypervisor facts that are new, and tell its capacities in the file `specs`.

    With `STDOUT` for a file, the capacities are returned only.
    """
    folder = configuration.outbox / settings.resource
    places = FactFiles(folder / "hypervisors", folder / "quarantine")
    told = None
    # The site's file comes first: where it is at fault, nothing has been exported of which the caller is not told.
    if specs is not None:
        file = None if specs == STDOUT else specs
        told = export_specs(ledger, settings.name, settings.resource, file, places.quarantine, dry_run=dry_run)
    facts = export_facts(ledger, settings.name, places, dry_run=dry_run)
    return HypervisorExport(places.outbox, facts, told)
