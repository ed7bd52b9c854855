"""`xdmod-cloud sessions` and `days`: what events come to."""

import sys
from pathlib import Path

import click

from cli.output import warn
from ledger.counts import counted
from usage import Engine

__all__ = ["days", "sessions"]

_directories = click.argument(
    "directories",
    nargs=-1,
    required=True,
    metavar="DIR...",
    type=click.Path(path_type=Path),
)


@click.command()
@_directories
def sessions(directories: tuple[Path, ...]) -> None:
    """Print the sessions of event files, as CSV.

    They are those that XDMoD builds of the files in DIR.
    """
    with Engine() as engine:
        _read(engine, directories)
        engine.write_sessions(sys.stdout)


@click.command()
@_directories
def days(directories: tuple[Path, ...]) -> None:
    """Print the daily sums of event files, as CSV.

    They are what XDMoD aggregates of the files in DIR, by day, flavor and state.
    """
    with Engine() as engine:
        _read(engine, directories)
        engine.write_days(sys.stdout)


def _read(engine: Engine, directories: tuple[Path, ...]) -> None:
    for skipped in engine.read(*directories).skipped:
        number = counted(skipped.records, "records are skipped")
        warn(f"{skipped.path}: {number}, as XDMoD does: {skipped.field}: {skipped.reason}")
