"""`xdmod-cloud report statement`: what a charge on an invoice is explained with."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from cli.auditing import period_options, warn_of_what_is_missing, xdmod_option
from cli.output import json_option, print_table
from cli.rates import cards_of, rates_option
from cli.report_published import publish_option, say_published
from cli.sources import Context, Opened, act_on, opened, sources_argument
from collectors.openstack import OpenStackSource
from operations.configuration import load, load_if_there
from operations.reports.published import publish_statement
from operations.reports.rates import rates_of
from operations.reports.statements import Delivered, WantedStatements, statements
from operations.reports.xdmod import Estate, resources
from operations.reports.xdmod_statement import xdmod_statements
from reporter import Period
from reporter.charges.reckoning import Rates
from reporter.statements.tables import statement_json, statement_notes, statement_tables
from reporter.xdmod.warehouse import Warehouse

__all__ = ["statement"]


@click.command(short_help="Write the statement of a project or PI.")
@sources_argument
@period_options
@xdmod_option
@click.option("--project", metavar="PROJECT", help="One project and all in it: by key, title, or name in the cloud.")
@click.option("--pi", metavar="NAME", help="All projects of one PI: by name, name and institution, or identity.")
@click.option("--all", "everyone", is_flag=True, help="Each project of the cloud, in files of its own.")
@rates_option
@publish_option
@click.option(
    "--output",
    "directory",
    default=Path("reports"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the CSV files and the PDF go: a folder for each resource, and in it for each project or PI.",
)
@json_option
@click.pass_obj
def statement(
    context: Context,
    names: tuple[str, ...],
    period: Period,
    url: str | None,
    project: str | None,
    pi: str | None,
    everyone: bool,
    rates: tuple[Path, ...],
    to_publish: bool,
    directory: Path,
    as_json: bool,
) -> int:
    """Write the statement of a project or PI: what it used, server by server, what that costs, and what was done.

    Every stretch of every server with its name, flavor, state, hours, service units and cost, and the transaction log
    of these servers, as CSV and PDF.

    With --xdmod it is of the sessions that an XDMoD has recorded, and NAMES are its resources, or clouds of the
    configuration. The names of servers and the log are there if the configuration has the cloud, and its ledger both.
    """
    if (project is not None) + (pi is not None) + everyone != 1:
        raise click.UsageError("Name whose statement it is: --project, --pi, or --all.")
    wanted = WantedStatements(project, pi)
    printed = 0

    def show(source: str, made: Iterator[Delivered], card: Rates | None) -> None:
        nonlocal printed
        for delivered in made:
            if as_json:
                click.echo("," if printed else "[")
                for text in statement_json(source, delivered.statement, delivered.files):
                    click.echo(text, nl=False)
                printed += 1
            else:
                _show(source, delivered, tables=not everyone)
            if to_publish:
                kept = publish_statement(load(context).published, source, delivered, card, xdmod=url is not None)
                say_published(kept)

    def of_ledger() -> int:
        state = opened(context)
        sources = state.configuration.chosen(names)
        cards = cards_of(rates, state.configuration, [one.resource for one in sources])
        return act_on(state, sources, lambda state, settings: one(state, settings, cards))

    def one(state: Opened, settings: OpenStackSource, cards: Sequence[Rates]) -> int:
        card = rates_of(cards, settings.resource)
        warn_of_what_is_missing(state.ledger, (settings,), period)
        folder = directory / settings.resource
        show(settings.name, statements(state.ledger, settings, period, wanted, card, folder), card)
        return 0

    def of_xdmod(database: str) -> int:
        with Warehouse.open(database) as warehouse:
            estate = Estate(load_if_there(context))
            chosen = resources(warehouse, estate, names)
            cards = cards_of(rates, estate.configuration, [resource.code for resource in chosen])
            for resource in chosen:
                card, folder = rates_of(cards, resource.code), directory / resource.code
                show(resource.code, xdmod_statements(warehouse, estate, resource, period, wanted, card, folder), card)
        return 0

    code = of_ledger() if url is None else of_xdmod(url)
    if as_json:
        click.echo("\n]" if printed else "[]")
    return code


def _show(source: str, delivered: Delivered, *, tables: bool) -> None:
    said = delivered.statement
    if tables:
        for table in statement_tables(said):
            print_table(f"{said.resource}, {said.subject}: {table.title}", table.heads, table.rows)
        for note in statement_notes(said):
            click.echo(note)
    for file in delivered.files:
        click.echo(f"{source}: wrote {file}")
