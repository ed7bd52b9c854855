"""`xdmod-cloud report sessions`: every session of a period."""

from pathlib import Path
from typing import TextIO

import click

from cli.auditing import deliver, output_option, period_of, period_options, warn_of_what_is_missing
from cli.output import warn
from cli.sources import Context, opened, sources_argument
from operations.session_list import WantedSessions, list_sessions
from reporter.session_list import heading

__all__ = ["sessions"]


@click.command()
@sources_argument
@period_options
@click.option("--project", metavar="NAME|ID", help="Only servers of this project, whatever it was called then.")
@click.option("--user", metavar="NAME|ID", help="Only servers of this user.")
@click.option("--institution", metavar="NAME", help="Only while the project belonged to this institution.")
@output_option
@click.pass_obj
def sessions(
    context: Context,
    names: tuple[str, ...],
    month: str | None,
    first: str | None,
    last: str | None,
    zone: str,
    project: str | None,
    user: str | None,
    institution: str | None,
    output: Path | None,
) -> None:
    """List every session in the clouds NAMES that touches a period, as CSV.

    They are what a report of the period is made of, each with the institution and PI that its project belonged to; one
    during which that changed has a row for each. Times are in UTC.
    """
    period = period_of(month, first, last, zone)
    state = opened(context)
    sources = state.configuration.chosen(names)
    lines = list_sessions(state.ledger, sources, period, WantedSessions(project, user, institution), warn)
    warn_of_what_is_missing(state.ledger, sources, period)

    def write(file: TextIO) -> None:
        file.write(heading())
        file.writelines(lines)

    deliver(output, write)
