"""What the reports for auditors share: the period that is asked for, and where the report goes."""

import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

import click

from cli.output import warn
from collectors.openstack import OpenStackSource
from ledger import ConfigurationError, Ledger
from operations.reports.transactions import watermark
from reporter import Period
from reporter.files import write_together
from reporter.periods import zone_named

__all__ = ["deliver", "output_option", "period_options", "warn_of_what_is_missing", "xdmod_option"]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--month", metavar="YYYY-MM", help="The month to report [default: the last one that is over]."),
    click.option("--from", "first", metavar="YYYY-MM-DD", help="Instead of a month: the first day …"),
    click.option("--to", "last", metavar="YYYY-MM-DD", help="… and the last day, included."),
    click.option(
        "--time-zone", "zone", default="UTC", show_default=True, help="Whose days these are, as Europe/Berlin."
    ),
)

output_option = click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, whole or not at all [default: standard output].",
)

xdmod_option = click.option(
    "--xdmod",
    "url",
    metavar="URL",
    envvar="XDMOD_CLOUD_XDMOD",
    help="An XDMoD's database, mysql+pymysql://USER@HOST?read_default_file=FILE [default: $XDMOD_CLOUD_XDMOD].",
)


def period_options(command: F) -> F:
    """Give a command the options that name a period, as its parameter `period`: the last whole month, if none is named.

    Raises UsageError where two are.
    """

    @wraps(command)
    def asked(*words: Any, month: str | None, first: str | None, last: str | None, zone: str, **others: Any) -> Any:
        return command(*words, period=_period(month, first, last, zone), **others)

    for option in reversed(_OPTIONS):
        asked = option(asked)
    return cast(F, asked)


def _period(month: str | None, first: str | None, last: str | None, zone: str) -> Period:
    if first is None and last is None:
        return Period.last_month(zone_named(zone)) if month is None else Period.month(month, zone_named(zone))
    if month is None and first is not None and last is not None:
        return Period.days(first, last, zone_named(zone))
    raise click.UsageError("Name one period: --month, or --from and --to.")


def warn_of_what_is_missing(ledger: Ledger, sources: tuple[OpenStackSource, ...], period: Period) -> None:
    """Say of each cloud that was not read to the end of the period, up to when it is known."""
    for source in sources:
        known: datetime = watermark(ledger, source).at
        if known < period.end:
            warn(f"{source.name} is known up to {known:%Y-%m-%d %H:%M} UTC; what came later is not in the report.")


def deliver(output: Path | None, write: Callable[[TextIO], None]) -> None:
    """Let a report be written to a file, which appears when it is whole, or to standard output.

    Raises ConfigurationError for a file that cannot be written, SourceUnavailable for a full disk.
    """
    if output is None:
        write(sys.stdout)
        return
    if output.exists() and not output.is_file():
        raise ConfigurationError(f"{output} is there, and no file. Name another with --output.")
    write_together(output.parent, [output.name], partial(_fill, write))


def _fill(write: Callable[[TextIO], None], part: Path) -> None:
    with part.open("w", encoding="utf-8", newline="") as file:
        write(file)
