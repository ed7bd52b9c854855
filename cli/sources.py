"""What the commands on configured sources share: the configuration, the ledger, one source after the other."""

from collections.abc import Callable
from pathlib import Path

import click

from collectors.openstack import OpenStackSource
from ledger import Ledger, XdmodCloudError
from operations.configuration import Configuration, load

__all__ = ["Context", "Opened", "each_source", "opened", "sources_argument"]

#: What the main command hands down: the configuration file named, if any.
Context = Path | None

sources_argument = click.argument("names", nargs=-1, metavar="[NAMES]...")


class Opened:
    """The configuration and its ledger."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.ledger = Ledger.open(configuration.ledger_url)


def opened(context: Context) -> Opened:
    """Load the configuration and open its ledger."""
    return Opened(load(context))


def each_source(context: Context, names: tuple[str, ...], act: Callable[[Opened, OpenStackSource], int]) -> int:
    """Act on each source; one that fails does not keep the others from their turn.

    Returns the highest exit code: try again later before wrong configuration before data set aside.
    """
    state = opened(context)
    codes = []
    for settings in state.configuration.chosen(names):
        try:
            codes.append(act(state, settings))
        except XdmodCloudError as error:
            click.echo(f"xdmod-cloud: {settings.name}: {error}", err=True)
            codes.append(error.exit_code)
    return max(codes)
