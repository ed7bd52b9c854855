"""The rate cards that reports charge by: read, checked against each other, and one chosen for each cloud."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from ledger import ConfigurationError
from reporter.charges.reckoning import Rates
from reporter.csvs import digest_of
from usage.rates import read_rates

__all__ = ["rates_of", "read_cards"]


def read_cards(files: Iterable[Path]) -> tuple[Rates, ...]:
    """Read rate cards. Raises ConfigurationError for what is wrong in one, and for two of different currencies."""
    cards = []
    for file in files:
        # Read first: whatever keeps the file from being read is said there.
        card = read_rates(file)
        cards.append(Rates(file, digest_of(file), card))
    for one in cards[1:]:
        if one.card.currency != cards[0].card.currency:
            raise ConfigurationError(
                f"{one.file} is in {one.card.currency}, and {cards[0].file} in {cards[0].card.currency}."
                " Name rate cards of one currency."
            )
    return tuple(cards)


def rates_of(cards: Sequence[Rates], resource: str) -> Rates | None:
    """Return the first card that is for a resource; none where there is no such one."""
    return next((one for one in cards if not one.card.resources or resource in one.card.resources), None)
