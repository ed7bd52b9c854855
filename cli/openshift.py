"""`xdmod-cloud collect openshift`: read the clusters into the ledger."""

from datetime import UTC, datetime

import click

from cli.output import json_option, print_json, progress_of, warn
from cli.sources import Context, Opened, act_on, opened, sources_argument
from collectors.openshift import OpenShiftSource
from ledger.counts import tallied
from operations.collect import collect_openshift
from operations.runs import CollectRun

__all__ = ["collect"]


@click.command("openshift", short_help="Read Prometheus or Thanos.")
@sources_argument
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Read no further than the begin of that day (UTC), where much is to be caught up with.",
)
@click.option("--accept-empty", is_flag=True, help="Believe that a cluster has no pod at all that had some before.")
@json_option
@click.pass_obj
def collect(context: Context, names: tuple[str, ...], until: datetime | None, accept_empty: bool, as_json: bool) -> int:
    """Read the Prometheus of the clusters NAMES (default: all that have one), window by window."""
    runs: list[CollectRun] = []
    until = until and until.replace(tzinfo=UTC)

    def one(state: Opened, settings: OpenShiftSource) -> int:
        rejected = 0
        with progress_of(settings.name) as progress:
            for run in collect_openshift(state.ledger, settings, progress, until=until, accept_empty=accept_empty):
                runs.append(run)
                rejected += run.counts["rejected"]
                _tell(run, quiet=as_json)
        return 1 if rejected else 0

    state = opened(context)
    code = act_on(state, state.configuration.chosen_clusters(names), one)
    if as_json:
        print_json(runs)
    return code


def _tell(run: CollectRun, *, quiet: bool) -> None:
    for warning in run.warnings:
        warn(f"{run.source}: {warning}")
    if not quiet:
        click.echo(f"{run.source}: read up to {run.up_to:%Y-%m-%d %H:%M:%S} UTC: {tallied(run.counts)}.")
