"""`xdmod-cloud collect openstack`: read the clouds into the ledger."""

import click

from cli.output import json_option, print_json, progress_of, warn
from cli.sources import Context, Opened, each_source, sources_argument
from collectors.openstack import OpenStackSource
from ledger.counts import tallied
from operations.collect import collect_openstack
from operations.runs import CollectRun

__all__ = ["collect"]


@click.command("openstack", short_help="Read Nova, Keystone and Placement.")
@sources_argument
@click.option("--sweep", is_flag=True, help="Read everything now, not only what changed since the last run.")
@click.option("--accept-vanished", is_flag=True, help="Believe that many servers are gone that Nova lists no more.")
@json_option
@click.pass_obj
def collect(context: Context, names: tuple[str, ...], sweep: bool, accept_vanished: bool, as_json: bool) -> int:
    """Read Nova, Keystone and Placement of the clouds NAMES (default: all that are configured)."""
    runs: list[CollectRun] = []

    def one(state: Opened, settings: OpenStackSource) -> int:
        with progress_of(settings.name) as progress:
            run = collect_openstack(state.ledger, settings, progress, sweep=sweep, accept_vanished=accept_vanished)
        runs.append(run)
        for warning in run.warnings:
            warn(f"{run.source}: {warning}")
        if not as_json:
            click.echo(f"{run.source}: read {run.mode} up to {run.up_to:%Y-%m-%d %H:%M:%S} UTC: {tallied(run.counts)}.")
        return 1 if run.counts["rejected"] else 0

    code = each_source(context, names, one)
    if as_json:
        print_json(runs)
    return code
