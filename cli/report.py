"""`xdmod-cloud report`: what people read."""

from pathlib import Path

import click

from cli.auditing import period_options, xdmod_option
from cli.output import json_option, print_json, print_table
from cli.rates import cards_of, rates_option
from cli.report_log import log
from cli.report_openshift import openshift
from cli.report_published import publish_option, published, say_published, verify
from cli.report_sessions import sessions
from cli.report_statement import statement
from cli.sources import Context, Opened, act_on, opened, sources_argument
from cli.statistic import grants, statistic
from collectors.openstack import OpenStackSource
from operations.configuration import load, load_if_there
from operations.reports.published import publish_usage
from operations.reports.rates import rates_of
from operations.reports.usage import Reported, report_usage
from operations.reports.xdmod import Estate, report_xdmod_usage, resources
from reporter import By, Only, Period, notes, usage_table
from reporter import divisions as divisions_of
from reporter.charges.tables import charge_notes, charge_tables
from reporter.xdmod.warehouse import Warehouse

__all__ = ["report"]


@click.group()
def report() -> None:
    """Report who used what."""


report.add_command(statistic)
report.add_command(grants)
report.add_command(log)
report.add_command(sessions)
report.add_command(openshift)
report.add_command(statement)
report.add_command(published)
report.add_command(verify)


#: What `--by` takes, and what a report is then divided by.
_DIVISIONS: dict[str, tuple[By, ...]] = {
    "institution": ("institution",),
    "pi": ("PI",),
    "project": ("research project", "project"),
    "user": ("user",),
    "flavor": ("flavor",),
}


@report.command()
@sources_argument
@period_options
@xdmod_option
@click.option(
    "--by",
    "divisions",
    multiple=True,
    type=click.Choice(list(_DIVISIONS)),
    help="Only by this, without days and sessions; may be given again.",
)
@click.option(
    "--output",
    "directory",
    default=Path("reports"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the CSV files and the PDF go, in a folder for each resource.",
)
@click.option("--institution", metavar="NAME", help="Only the parts of one institution.")
@click.option("--pi", metavar="NAME", help="Only the projects of one PI.")
@click.option(
    "--project", metavar="PROJECT", help="Only one project and all in it: by key, title, or name in the cloud."
)
@click.option("--user", metavar="NAME", help="Only one user.")
@rates_option
@publish_option
@json_option
@click.pass_obj
def usage(
    context: Context,
    names: tuple[str, ...],
    period: Period,
    url: str | None,
    divisions: tuple[str, ...],
    directory: Path,
    institution: str | None,
    pi: str | None,
    project: str | None,
    user: str | None,
    rates: tuple[Path, ...],
    to_publish: bool,
    as_json: bool,
) -> int:
    """Report who used what in a period.

    Writes, for each of NAMES, sessions as CSV, and hours by institution, PI, project, user and flavor as CSV and PDF;
    by institution, PI and research project where that is known. A report of one institution, PI, project or user has a
    folder of its own. Where there is a rate card for a cloud, it says what that costs.

    With --xdmod the sessions are those that an XDMoD has recorded, and NAMES are its resources, or clouds of the
    configuration; it needs no configuration, but takes from it whose the projects are.
    """
    only = Only(institution, project, user, pi)
    if rates and divisions:
        raise click.UsageError("Charges are of a whole report: leave out --rates, or --by.")
    by = tuple(dict.fromkeys(one for name in divisions for one in _DIVISIONS[name]))
    results: list[Reported] = []

    def show(said: Reported) -> None:
        results.append(said)
        if not as_json:
            _print(said)

    if url is None:
        state = opened(context)
        sources = state.configuration.chosen(names)
        cards = cards_of(rates, state.configuration, [one.resource for one in sources])

        def one(state: Opened, settings: OpenStackSource) -> int:
            card = rates_of(cards, settings.resource)
            said = report_usage(state.ledger, settings, period, directory / settings.resource, only, by, card)
            show(said)
            if to_publish:
                say_published(publish_usage(state.configuration.published, said, card))
            return 0

        code = act_on(state, sources, one)
    else:
        code = 0
        with Warehouse.open(url) as warehouse:
            estate = Estate(load_if_there(context))
            chosen = resources(warehouse, estate, names)
            cards = cards_of(rates, estate.configuration, [resource.code for resource in chosen])
            for resource in chosen:
                card, folder = rates_of(cards, resource.code), directory / resource.code
                said = report_xdmod_usage(warehouse, estate, resource, period, folder, only, by, card)
                show(said)
                if to_publish:
                    say_published(publish_usage(load(context).published, said, card, xdmod=True))
    if as_json:
        print_json(results)
    return code


def _print(said: Reported) -> None:
    for table in (usage_table(said.report, by) for by in divisions_of(said.report)):
        print_table(f"{said.resource}: {table.title}", table.heads, table.rows)
    charges, when = said.report.charges, f"{said.report.period.name} ({said.report.period.zone})"
    for table in charge_tables(charges, when) if charges is not None else ():
        print_table(f"{said.resource}: {table.title}", table.heads, table.rows)
    for note in (*notes(said.report), *(charge_notes(charges) if charges is not None else ())):
        click.echo(note)
    for file in said.files:
        click.echo(f"{said.source}: wrote {file}")
