"""`xdmod-cloud report sessions`: every session of a period."""

from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import click

from cli.auditing import (
    deliver,
    output_option,
    period_options,
    warn_of_what_is_missing,
    xdmod_option,
)
from cli.output import warn
from cli.sources import Context, opened, sources_argument
from ledger import ConfigurationError
from operations.configuration import load_if_there
from operations.reports.session_list import WantedSessions, list_sessions
from operations.reports.xdmod import Estate, list_xdmod_jobs, list_xdmod_sessions, resources
from reporter import Period
from reporter.session_list import heading
from reporter.xdmod.job_list import heading as job_heading
from reporter.xdmod.warehouse import Warehouse

__all__ = ["sessions"]


@click.command(short_help="List every session of a period, as CSV.")
@sources_argument
@period_options
@xdmod_option
@click.option("--jobs", is_flag=True, help="With --xdmod: the jobs of XDMoD's other resources, instead of sessions.")
@click.option("--project", metavar="NAME|ID", help="Only servers of this project, whatever it was called then.")
@click.option("--user", metavar="NAME|ID", help="Only servers of this user.")
@click.option("--institution", metavar="NAME", help="Only while the project belonged to this institution.")
@output_option
@click.pass_obj
def sessions(
    context: Context,
    names: tuple[str, ...],
    period: Period,
    url: str | None,
    jobs: bool,
    project: str | None,
    user: str | None,
    institution: str | None,
    output: Path | None,
) -> None:
    """List every session in the clouds NAMES that touches a period, as CSV.

    They are what a report of the period is made of, each with the institution and PI that its project belonged to; one
    during which that changed has a row for each. Times are in UTC.

    With --xdmod they are those that an XDMoD has recorded, and NAMES are its resources, or clouds of the configuration.
    """
    wanted = WantedSessions(project, user, institution)
    if url is not None:
        with Warehouse.open(url) as warehouse:
            _deliver(output, *_of_xdmod(warehouse, context, names, period, wanted, jobs=jobs))
        return
    if jobs:
        raise ConfigurationError("Jobs are in XDMoD only. Name its database with --xdmod.")
    state = opened(context)
    sources = state.configuration.chosen(names)
    lines = list_sessions(state.ledger, sources, period, wanted, warn)
    warn_of_what_is_missing(state.ledger, sources, period)
    _deliver(output, heading(), lines)


def _of_xdmod(
    warehouse: Warehouse,
    context: Context,
    names: tuple[str, ...],
    period: Period,
    wanted: WantedSessions,
    *,
    jobs: bool,
) -> tuple[str, Iterable[str]]:
    if jobs:
        return job_heading(), list_xdmod_jobs(warehouse, names, period, wanted)
    estate = Estate(load_if_there(context))
    chosen = resources(warehouse, estate, names)
    return heading(), list_xdmod_sessions(warehouse, estate, chosen, period, wanted)


def _deliver(output: Path | None, first: str, lines: Iterable[str]) -> None:
    def write(file: TextIO) -> None:
        file.write(first)
        file.writelines(lines)

    deliver(output, write)
