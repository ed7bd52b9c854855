"""`xdmod-cloud report`: what people read."""

from pathlib import Path

import click

from cli.output import json_option, print_json, print_table
from cli.report_log import log
from cli.report_sessions import sessions
from cli.sources import Context, Opened, each_source, sources_argument
from cli.statistic import grants, statistic
from collectors.openstack import OpenStackSource
from operations.report import report_month
from reporter import Only, Period, divisions, notes, usage_table

__all__ = ["report"]


@click.group()
def report() -> None:
    """Report who used what."""


report.add_command(statistic)
report.add_command(grants)
report.add_command(log)
report.add_command(sessions)


@report.command()
@sources_argument
@click.option("--month", required=True, metavar="YYYY-MM", help="The month to report (UTC).")
@click.option(
    "--output",
    "directory",
    default=Path("reports"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the CSV files and the PDF go, in a folder for each resource.",
)
@click.option("--institution", metavar="NAME", help="Only the parts of one institution.")
@click.option(
    "--project", metavar="PROJECT", help="Only one project and all in it: by key, title, or name in the cloud."
)
@click.option("--user", metavar="NAME", help="Only one user.")
@json_option
@click.pass_obj
def usage(
    context: Context,
    names: tuple[str, ...],
    month: str,
    directory: Path,
    institution: str | None,
    project: str | None,
    user: str | None,
    as_json: bool,
) -> int:
    """Report who used what in a month.

    Writes, for each of NAMES, sessions as CSV, and hours by institution, PI, project, user and flavor as CSV and PDF;
    by institution, PI and research project where the hierarchy was collected. A report of one institution, project or
    user has a folder of its own.
    """
    period, only = Period.month(month), Only(institution, project, user)
    results: list[dict[str, object]] = []

    def one(state: Opened, settings: OpenStackSource) -> int:
        said, files = report_month(state.ledger, settings, period, directory / settings.resource, only)
        results.append({"source": settings.name, "report": said, "files": files})
        if not as_json:
            for table in (usage_table(said, by) for by in divisions(said)):
                print_table(f"{settings.resource}: {table.title}", table.heads, table.rows)
            for note in notes(said):
                click.echo(note)
            for file in files:
                click.echo(f"{settings.name}: wrote {file}")
        return 0

    code = each_source(context, names, one)
    if as_json:
        print_json(results)
    return code
