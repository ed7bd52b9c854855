"""What the reports that charge share: the rate cards, named in the configuration or on the command line."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from ledger import ConfigurationError
from operations.configuration import Configuration
from operations.reports.rates import rates_of, read_cards
from reporter.charges.reckoning import Rates

__all__ = ["cards_of", "rates_option"]

F = TypeVar("F", bound=Callable[..., Any])


def rates_option(command: F) -> F:
    """Give a command the option that `cards_of` takes."""
    return click.option(
        "--rates",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A rate card, to charge by it; may be given again [default: those of the configuration].",
    )(command)


def cards_of(
    rates: tuple[Path, ...], configuration: Configuration | None, resources: Iterable[str]
) -> tuple[Rates, ...]:
    """Read the rate cards that are named; else those of the configuration, if any.

    Raises as `read_cards` does, and ConfigurationError for one of the resources that no card is for which was named.
    """
    cards = read_cards(rates or (configuration.rates if configuration else ()))
    for resource in resources if rates else ():
        if rates_of(cards, resource) is None:
            named = " and ".join(str(file) for file in rates)
            raise ConfigurationError(
                f"No rate card is for {resource}: {named} is for other resources. Name one more with --rates, or add"
                " the resource to the card."
            )
    return cards
