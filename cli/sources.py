"""What the commands on configured sources share: the configuration, the ledger, one source after the other."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click

from collectors.openshift import OpenShiftSource
from collectors.openstack import OpenStackSource
from ledger import Ledger, XdmodCloudError
from operations.configuration import Configuration, load

__all__ = ["Context", "Opened", "act_on", "each_source", "opened", "sources_argument"]

#: What the main command hands down: the configuration file named, if any.
Context = Path | None

S = TypeVar("S", OpenShiftSource, OpenStackSource)

sources_argument = click.argument("names", nargs=-1, metavar="[NAMES]...")


class Opened:
    """The configuration and its ledger."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.ledger = Ledger.open(configuration.ledger_url, configuration.ledger_archive)


def opened(context: Context) -> Opened:
    """Load the configuration and open its ledger."""
    return Opened(load(context))


def each_source(context: Context, names: tuple[str, ...], act: Callable[[Opened, OpenStackSource], int]) -> int:
    """Act on each source; one that fails does not keep the others from their turn.

    Returns the highest exit code: try again later before wrong configuration before data set aside.
    """
    state = opened(context)
    return act_on(state, state.configuration.chosen(names), act)


def act_on(state: Opened, chosen: Iterable[S], act: Callable[[Opened, S], int]) -> int:
    """Act on each of the sources chosen; see `each_source`."""
    codes = []
    for settings in chosen:
        try:
            codes.append(act(state, settings))
        except XdmodCloudError as error:
            click.echo(f"xdmod-cloud: {settings.name}: {error}", err=True)
            codes.append(error.exit_code)
    return max(codes)
