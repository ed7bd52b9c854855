"""`xdmod-cloud export`: write the files that xdmod-shredder reads."""

from datetime import datetime

import click

from cli.hypervisors import hypervisors
from cli.jobs import openshift
from cli.output import json_option, print_json, shown, warn
from cli.sources import Context, Opened, each_source, sources_argument
from cli.windows import window_of
from collectors.openstack import OpenStackSource
from exporters.openstack import Exported, Grid
from exporters.openstack.scribe import horizon_of
from ledger.counts import counted
from operations.export import event_files, export_openstack

__all__ = ["export"]

#: So many files are named one by one; more, by the first and the last.
_LISTED = 3

_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])


@click.group()
def export() -> None:
    """Write what the ledger knows as files for XDMoD."""


export.add_command(hypervisors)
export.add_command(openshift)


@export.command(short_help="Write the events of servers.")
@sources_argument
@click.option("--from", "start", type=_TIME, help="Write a past window again, from this time (UTC) on …")
@click.option("--to", "end", type=_TIME, help="… up to, but not including, this time (UTC).")
@click.option(
    "--heartbeats",
    type=click.Choice([Grid.HOURLY.value, Grid.DAILY.value]),
    help="How dense [default: hourly; daily where more than two days are told at once]. Sessions are the same.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be written.")
@json_option
@click.pass_obj
def openstack(
    context: Context,
    names: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    heartbeats: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Write the events of the servers of NAMES (default: all that are configured).

    Without --from and --to: what the ledger has learned since the last export, whatever its time.
    """
    window, grid = window_of(start, end), Grid(heartbeats) if heartbeats else None
    results: list[dict[str, object]] = []

    def one(state: Opened, settings: OpenStackSource) -> int:
        outbox = event_files(state.configuration, settings).outbox
        unfit = 0
        if nothing := _nothing(state, settings, window):
            click.echo(f"{settings.name}: {nothing}", err=as_json)
            return 0
        exported = export_openstack(state.ledger, state.configuration, settings, window, grid, dry_run=dry_run)
        for done in exported:
            results.append({"source": settings.name, "outbox": outbox, **_result(done)})
            unfit += len(done.unfit)
            if done.quarantine:
                number = counted(len(done.unfit), "records do not fit the schema")
                warn(f"{settings.name}: {number}; see {done.quarantine}")
            if not as_json:
                _print(settings.name, done, dry_run=dry_run)
        if not as_json and not exported:
            click.echo(f"{settings.name}: nothing new")
        if not as_json and not dry_run:
            click.echo(f"{settings.name}: the outbox is {shown(outbox)}")
        return 1 if unfit else 0

    code = each_source(context, names, one)
    if as_json:
        print_json(results)
    return code


def _nothing(state: Opened, settings: OpenStackSource, window: tuple[datetime, datetime] | None) -> str | None:
    """Why nothing can be exported, if so."""
    mark = state.ledger.watermark(settings.name)
    if mark is None:
        return "has not been collected yet: xdmod-cloud collect openstack"
    known = horizon_of(mark, event_files(state.configuration, settings).overlap)
    if window and window[0] >= known:
        return f"nothing of that time is known yet; the ledger can be exported up to {known:%Y-%m-%d %H:%M:%S} UTC"
    return None


def _result(done: Exported) -> dict[str, object]:
    return {
        "events": done.events,
        "files": [file._asdict() for file in done.files],
        "rewritten": [file._asdict() for file in done.rewritten],
        "unfit": done.unfit,
        "quarantine": done.quarantine,
    }


def _print(name: str, done: Exported, *, dry_run: bool) -> None:
    wrote = "would write" if dry_run else "wrote"
    if len(done.files) > _LISTED:
        names = f"{done.files[0].name} to {done.files[-1].name}"
        click.echo(f"{name}: {wrote} {counted(len(done.files), 'files')}, {names} ({counted(done.events, 'events')})")
    for file in done.files if len(done.files) <= _LISTED else ():
        click.echo(f"{name}: {wrote} {file.name} ({counted(file.records, 'events')})")
    for file in done.rewritten:
        left = counted(file.records, "events left")
        click.echo(f"{name}: rewrote {file.name} without what turned out not to be so ({left})")
    if done.corrected:
        click.echo(f"{name}: corrected {counted(done.corrected, 'servers')} of which XDMoD had been told too much")
    if not done.files and not done.rewritten:
        click.echo(f"{name}: nothing new")
