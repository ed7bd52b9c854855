"""`xdmod-cloud report openshift`: what pods used, and what that comes to."""

from pathlib import Path

import click

from cli.auditing import period_options
from cli.output import json_option, print_json, print_table
from cli.rates import cards_of, rates_option
from cli.sources import Context, Opened, act_on, opened, sources_argument
from collectors.openshift import OpenShiftSource
from operations.reports.clusters import report_cluster
from operations.reports.rates import rates_of
from reporter import Period
from reporter.clusters.tables import cluster_notes, cluster_tables

__all__ = ["openshift"]


@click.command(short_help="Report what pods used.")
@sources_argument
@period_options
@rates_option
@click.option(
    "--output",
    "directory",
    default=Path("reports"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the CSV files go, in a folder for each resource.",
)
@json_option
@click.pass_obj
def openshift(
    context: Context,
    names: tuple[str, ...],
    period: Period,
    rates: tuple[Path, ...],
    directory: Path,
    as_json: bool,
) -> int:
    """Report what the pods of the clusters NAMES used in a period, by namespace and class.

    Writes pods and sums as CSV and, with a rate card, what they come to in service units: as an invoice, and by class.
    """
    state = opened(context)
    clusters = state.configuration.chosen_clusters(names)
    cards = cards_of(rates, state.configuration, [cluster.resource for cluster in clusters])
    results: list[dict[str, object]] = []

    def one(state: Opened, settings: OpenShiftSource) -> int:
        card = rates_of(cards, settings.resource)
        said, written = report_cluster(state.ledger, settings, period, directory / settings.resource, card)
        results.append({"source": settings.name, "report": said, "files": written})
        if not as_json:
            for table in cluster_tables(said):
                print_table(f"{settings.resource}: {table.title}", table.heads, table.rows)
            for note in cluster_notes(said):
                click.echo(note)
            for file in written:
                click.echo(f"{settings.name}: wrote {file}")
        return 0

    code = act_on(state, clusters, one)
    if as_json:
        print_json(results)
    return code
