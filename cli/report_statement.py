"""`xdmod-cloud report statement`: what a charge on an invoice is explained with."""

from pathlib import Path

import click

from cli.auditing import period_of, period_options, warn_of_what_is_missing
from cli.output import json_option, print_table
from cli.rates import cards_of, rates_option
from cli.report_published import publish_option, say_published
from cli.sources import Context, Opened, each_source, sources_argument
from collectors.openstack import OpenStackSource
from operations.charges import rates_of
from operations.published import publish_statement
from operations.statement import Delivered, WantedStatements, statements
from reporter.statement_tables import statement_json, statement_notes, statement_tables

__all__ = ["statement"]


@click.command()
@sources_argument
@period_options
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
    month: str | None,
    first: str | None,
    last: str | None,
    zone: str,
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
    """
    if (project is not None) + (pi is not None) + everyone != 1:
        raise click.UsageError("Name whose statement it is: --project, --pi, or --all.")
    period, wanted = period_of(month, first, last, zone), WantedStatements(project, pi)
    printed = 0

    def one(state: Opened, settings: OpenStackSource) -> int:
        nonlocal printed
        card = rates_of(cards_of(rates, state.configuration), settings.resource)
        warn_of_what_is_missing(state.ledger, (settings,), period)
        for delivered in statements(state.ledger, settings, period, wanted, card, directory / settings.resource):
            if as_json:
                click.echo("," if printed else "[")
                for text in statement_json(settings.name, delivered.statement, delivered.files):
                    click.echo(text, nl=False)
                printed += 1
            else:
                _show(settings.name, delivered, tables=not everyone)
            if to_publish:
                say_published(publish_statement(state.configuration.published, settings.name, delivered, card))
        return 0

    code = each_source(context, names, one)
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
