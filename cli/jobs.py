"""`xdmod-cloud export openshift`: write the jobs that pods are to XDMoD."""

from datetime import datetime

import click

from cli.output import json_option, print_json, shown, warn
from cli.sources import Context, Opened, act_on, opened, sources_argument
from cli.windows import window_of
from collectors.openshift import OpenShiftSource
from exporters.openshift import ExportedJobs
from ledger.counts import counted
from operations.export import export_openshift, job_files

__all__ = ["openshift"]

_DAY = click.DateTime(["%Y-%m-%d"])
#: So many files are named one by one; more, by the first and the last.
_LISTED = 3


@click.command(short_help="Write pods as jobs.")
@sources_argument
@click.option("--from", "start", type=_DAY, help="Write past days again as they were told, from this one (UTC) on …")
@click.option("--to", "end", type=_DAY, help="… up to, but not including, this one (UTC).")
@click.option("--dry-run", is_flag=True, help="Only print what would be written.")
@json_option
@click.pass_obj
def openshift(
    context: Context,
    names: tuple[str, ...],
    start: datetime | None,
    end: datetime | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Write the pods of the clusters NAMES (default: all that are read), a file of jobs for each day that is whole.

    Without --from and --to: the days that were not written yet. What a day has told stays, whatever is learned later.
    """
    window = window_of(start, end)
    results: list[dict[str, object]] = []

    def one(state: Opened, settings: OpenShiftSource) -> int:
        if state.ledger.watermark(settings.name) is None:
            click.echo(f"{settings.name}: has not been collected yet: xdmod-cloud collect openshift", err=as_json)
            return 0
        outbox, unfit = job_files(state.configuration, settings).outbox, 0
        exported = export_openshift(state.ledger, state.configuration, settings, window, dry_run=dry_run)
        for done in exported:
            results.append({"source": settings.name, "outbox": outbox, **_result(done)})
            unfit += len(done.unfit)
            _warn(settings.name, done)
            if not as_json:
                _print(settings.name, done, dry_run=dry_run)
        if not as_json and not exported:
            click.echo(f"{settings.name}: no day is whole that was not written")
        if not as_json and not dry_run:
            click.echo(f"{settings.name}: the outbox is {shown(outbox)}")
        return 1 if unfit else 0

    state = opened(context)
    code = act_on(state, state.configuration.chosen_clusters(names), one)
    if as_json:
        print_json(results)
    return code


def _result(done: ExportedJobs) -> dict[str, object]:
    return {
        "jobs": done.jobs,
        "files": [file._asdict() for file in done.files],
        "counts": done.counts,
        "late": done.late._asdict(),
        "unfit": done.unfit,
        "quarantine": done.quarantine,
    }


def _warn(name: str, done: ExportedJobs) -> None:
    if done.quarantine:
        warn(f"{name}: {counted(len(done.unfit), 'records do not fit the schema')}; see {done.quarantine}")
    if done.late.warning:
        warn(f"{name}: {done.late.warning}")


def _print(name: str, done: ExportedJobs, *, dry_run: bool) -> None:
    wrote = "would write" if dry_run else "wrote"
    if len(done.files) > _LISTED:
        names = f"{done.files[0].name} to {done.files[-1].name}"
        click.echo(f"{name}: {wrote} {counted(len(done.files), 'files')}, {names} ({counted(done.jobs, 'jobs')})")
    for file in done.files if len(done.files) <= _LISTED else ():
        click.echo(f"{name}: {wrote} {file.name} ({counted(file.records, 'jobs')})")
    if not done.files:
        click.echo(f"{name}: nothing to write")
    odd = [f"{what}: {number:,}" for what, number in done.counts.items() if number and what != "jobs"]
    if odd:
        click.echo(f"{name}: {', '.join(odd)}")
