"""`xdmod-cloud export hypervisors`: write which hosts there are, and what they have for servers."""

from pathlib import Path
from typing import Any

import click

from cli.output import json_option, print_json, shown, warn
from cli.sources import Context, Opened, each_source, sources_argument
from collectors.openstack import OpenStackSource
from ledger.counts import counted
from operations.export import STDOUT, HypervisorExport, export_hypervisors

__all__ = ["hypervisors"]


@click.command(short_help="Write what hypervisors hold.")
@sources_argument
@click.option(
    "--resource-specs",
    "specs",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Also put the capacities, by days (UTC), into this resource_specs.json of XDMoD; - prints them.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be written.")
@json_option
@click.pass_obj
def hypervisors(context: Context, names: tuple[str, ...], specs: Path | None, dry_run: bool, as_json: bool) -> int:
    """Write the hypervisors of NAMES (default: all that are configured): a file for each change since the last export.

    In a resource_specs.json, what was said of other resources, of days before the first observation and of GPUs stays.
    """
    results: list[dict[str, object]] = []
    entries: list[dict[str, Any]] = []

    def one(state: Opened, settings: OpenStackSource) -> int:
        done = export_hypervisors(state.ledger, state.configuration, settings, specs, dry_run=dry_run)
        results.append({"source": settings.name, **_result(done)})
        entries.extend(done.specs.entries if done.specs else [])
        unfit = _warn(settings.name, done)
        if not as_json:
            _print(settings.name, done, specs, dry_run=dry_run)
        return 1 if unfit else 0

    code = each_source(context, names, one)
    if as_json:
        print_json(results)
    elif specs == STDOUT:
        print_json(entries)
    return code


def _result(done: HypervisorExport) -> dict[str, object]:
    return {
        "outbox": done.outbox,
        "files": [file._asdict() for part in done.facts for file in part.files],
        "unfit": [unfit for part in _parts(done) for unfit in part.unfit],
        "quarantine": [part.quarantine for part in _parts(done) if part.quarantine],
        "resource_specs": done.specs and {"entries": done.specs.entries, "changed": done.specs.changed},
    }


def _parts(done: HypervisorExport) -> list[Any]:
    return [*done.facts, *([done.specs] if done.specs else [])]


def _warn(name: str, done: HypervisorExport) -> int:
    for part in _parts(done):
        if part.quarantine:
            warn(f"{name}: {counted(len(part.unfit), 'records do not fit the schema')}; see {part.quarantine}")
    return sum(len(part.unfit) for part in _parts(done))


def _print(name: str, done: HypervisorExport, specs: Path | None, *, dry_run: bool) -> None:
    wrote, aside = "would write" if dry_run else "wrote", specs == STDOUT
    files = [file for part in done.facts for file in part.files]
    for file in files:
        click.echo(f"{name}: {wrote} {file.name} ({counted(file.records, 'hosts')})", err=aside)
    if not files:
        click.echo(f"{name}: nothing new", err=aside)
    if not dry_run:
        click.echo(f"{name}: the outbox is {shown(done.outbox)}", err=aside)
    if done.specs and not aside:
        entries = f"{wrote} {specs} ({counted(len(done.specs.entries), 'entries')})"
        click.echo(f"{name}: {entries if done.specs.changed else f'{specs} stays as it is'}")
