"""`xdmod-cloud report log`: the transaction log."""

from collections.abc import Iterable
from datetime import tzinfo
from itertools import chain
from pathlib import Path
from typing import TextIO

import click

from cli.auditing import deliver, output_option, period_options, warn_of_what_is_missing
from cli.output import warn
from cli.sources import Context, opened, sources_argument
from operations.reports.transactions import Wanted, transactions
from reporter import Period
from reporter.csvs import write_rows
from reporter.periods import zone_named
from reporter.transactions import HEADING, Transaction, log_lines, log_rows

__all__ = ["log"]


@click.command()
@sources_argument
@period_options
@click.option("--project", metavar="NAME|ID", help="Only servers of this project, whatever it was called then.")
@click.option("--user", metavar="NAME|ID", help="Only what this user did.")
@click.option("--instance", metavar="ID", help="Only this server.")
@click.option("--format", "form", type=click.Choice(["text", "csv"]), default="text", show_default=True)
@output_option
@click.pass_obj
def log(
    context: Context,
    names: tuple[str, ...],
    period: Period,
    project: str | None,
    user: str | None,
    instance: str | None,
    form: str,
    output: Path | None,
) -> None:
    """List every action that the clouds NAMES recorded, by time.

    Who did what to which server of which project, in plain words, also what failed or changed nothing that is counted.
    Names are those of the time of the action.
    """
    state = opened(context)
    sources = state.configuration.chosen(names)
    with transactions(state.ledger, sources, period, Wanted(project, user, instance)) as found:
        warn_of_what_is_missing(state.ledger, sources, period)
        one = next(found, None)
        if one is None:
            warn(f"Nothing was done in {period.name} that is in the ledger.")
        whole = chain([one] if one else [], found)
        deliver(output, lambda file: _write(file, whole, form, zone_named(period.zone)))


def _write(file: TextIO, found: Iterable[Transaction], form: str, zone: tzinfo) -> None:
    if form == "csv":
        write_rows(file, "log-csv", log_rows(found, zone))
        return
    file.write(f"{HEADING}\n")
    file.writelines(f"{line}\n" for line in log_lines(found, zone))
