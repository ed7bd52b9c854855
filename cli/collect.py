"""`xdmod-cloud collect`: read clouds, and who owns what, into the ledger."""

import click

from cli.lazily import LazyGroup

__all__ = ["collect"]


@click.group(cls=LazyGroup, places={"hierarchy": "cli.hierarchy:collect", "openstack": "cli.openstack:collect"})
def collect() -> None:
    """Read what the clouds did, and who owns what, into the ledger."""
