"""`xdmod-cloud collect`: read clouds, and who owns what, into the ledger."""

import click

from cli.lazily import LazyGroup

__all__ = ["collect"]


_PLACES = {
    "hierarchy": "cli.hierarchy:collect",
    "openshift": "cli.openshift:collect",
    "openstack": "cli.openstack:collect",
}


@click.group(cls=LazyGroup, places=_PLACES, short_help="Read clouds and owners into the ledger.")
def collect() -> None:
    """Read what the clouds did, and who owns what, into the ledger."""
