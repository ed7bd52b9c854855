"""`xdmod-cloud shred`, `ingest`, `import-hierarchy` and `run`: hand on to XDMoD what lies in the outbox."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import click

from cli.output import json_option, print_json, print_table, progress_of, shown, warn
from cli.sources import Context, Opened, opened
from ledger.counts import counted, tallied
from operations.xdmod.chain import Run, shred_all
from operations.xdmod.chain import run as run_chain
from operations.xdmod.commands import Commands
from operations.xdmod.importing import Imported, import_hierarchy
from operations.xdmod.ingest import Ingested, ingest
from operations.xdmod.pending import Pending
from operations.xdmod.shred import Shredded, resources_of

__all__ = ["import_command", "ingest_command", "run_command", "shred_command"]

_HEADS = ("resource", "kind", "files", "exported", "read", "skipped", "duplicates", "left")


@click.command("shred", short_help="Have XDMoD read the files of the outbox.")
@click.argument("resources", nargs=-1, metavar="[RESOURCE]...")
@json_option
@click.pass_obj
def shred_command(context: Context, resources: tuple[str, ...], as_json: bool) -> int:
    """Have xdmod-shredder read what lies in the outbox for each RESOURCE (default: all that are configured)."""
    with _alone(context) as (state, commands):
        done, clouds = Run(), resources_of(state.configuration, resources)
        shred_all(state.ledger, state.configuration, commands, clouds, done)
        done.retried = commands.retried
    return _end(done, {name: getattr(done, name) for name in ("shredded", "troubles", "retried")}, as_json)


@click.command("ingest", short_help="Have XDMoD ingest and add up what was shredded.")
@click.option(
    "--from",
    "first",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Also ingest and add up everything since that day once more, as after a change of who owns what.",
)
@json_option
@click.pass_obj
def ingest_command(context: Context, first: datetime | None, as_json: bool) -> int:
    """Have xdmod-ingestor take over and add up what was shredded, then move its files into the archive."""
    with _alone(context) as (state, commands):
        pending = Pending(state.configuration.outbox)
        if first is not None:
            pending.again(first.date())
        done = ingest(state.configuration, commands, pending)
    return _end(Run(ingested=done, retried=commands.retried), {"ingested": done, "retried": commands.retried}, as_json)


@click.command("import-hierarchy", short_help="Have XDMoD import who owns what.")
@json_option
@click.pass_obj
def import_command(context: Context, as_json: bool) -> int:
    """Have xdmod-import-csv read the four CSVs of `hierarchy export`, if they tell XDMoD something new."""
    with _alone(context) as (state, commands):
        pending = Pending(state.configuration.outbox)
        done = import_hierarchy(state.ledger, state.configuration, commands, pending)
    if as_json:
        print_json({"imported": done, "retried": commands.retried})
    else:
        _print_imported(done)
        if not done:
            click.echo("hierarchy: there is nothing that XDMoD has not been told.")
    return 0


@click.command("run", short_help="Collect, export, import, shred and ingest.")
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@json_option
@click.pass_obj
def run_command(context: Context, names: tuple[str, ...], as_json: bool) -> int:
    """Bring what is new in the clouds NAMES (default: all that are configured) into XDMoD.

    Reads them and who owns what, writes the files, has XDMoD import, shred, ingest and add them up, and moves them
    into the archive. Whatever cannot be done now is done by the next run.
    """
    state = opened(context)
    with progress_of("run") as progress:
        done = run_chain(state.ledger, state.configuration, names, progress)
    return _end(done, done, as_json)


@contextmanager
def _alone(context: Context) -> Iterator[tuple[Opened, Commands]]:
    state = opened(context)
    with Commands.alone(state.configuration.xdmod, state.configuration.outbox, state.ledger) as commands:
        yield state, commands


def _end(done: Run, result: object, as_json: bool) -> int:
    """Print what was done, and what went wrong; returns the exit code."""
    for warning in [*done.warnings, *(warning for part in done.shredded for warning in part.warnings)]:
        warn(warning)
    for part in done.shredded:
        for faulty in part.faulty:
            click.echo(
                f"xdmod-cloud: {shown(faulty.file)}: {faulty.why}. It stays there; correct it, or wait.", err=True
            )
        if part.untried:
            warn(f"{part.resource}: {counted(part.untried, f'more files of {part.kind} were not tried')}.")
    for one in [*done.troubles, *(done.ingested.troubles if done.ingested else [])]:
        click.echo(f"xdmod-cloud: {one.where}: {one.error}", err=True)
    if as_json:
        print_json(result)
    else:
        _print(done)
    return done.exit_code


def _print(done: Run) -> None:
    for name, counts in done.collected.items():
        click.echo(f"{name}: read {tallied(counts)}")
    for part in done.written:
        click.echo(f"{part.source}: wrote {counted(part.files, 'files')} ({counted(part.records, 'records')})")
    _print_imported(done.imported)
    _print_shredded(done.shredded)
    if done.ingested:
        _print_ingested(done.ingested)
    if done.retried:
        click.echo(f"XDMoD's commands had to be begun again {counted(done.retried, 'times')}.")


def _print_imported(done: Sequence[Imported]) -> None:
    for one in done:
        click.echo(f"hierarchy: XDMoD imported {one.file} ({counted(one.lines, 'lines')})")


def _print_shredded(done: Sequence[Shredded]) -> None:
    rows = [
        (
            part.resource,
            part.kind,
            part.files,
            part.exported,
            "" if part.read is None else part.read,
            part.skipped,
            part.duplicates,
            len(part.faulty) + part.untried,
        )
        for part in done
    ]
    if rows:
        print_table("Shredded: files, and records in them", _HEADS, rows)
    else:
        click.echo("There was nothing to shred.")


def _print_ingested(done: Ingested) -> None:
    for first, last in done.again:
        click.echo(f"XDMoD ingested {first} to {last} once more")
    for part in done.archived:
        click.echo(f"{part.resource}: archived {counted(part.files, f'files of {part.kind}')}")
    for resource, (before, after) in done.sessions.items():
        click.echo(f"{resource}: {counted(before, 'sessions before')}, {after:,} now")
    if not (done.archived or done.again or done.aggregated):
        click.echo("There was nothing to ingest.")
