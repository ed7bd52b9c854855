"""Pieces of usage into charges: cut where the card changes and at outages, exact, never rounded."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from typing import NamedTuple

from msgspec import Struct

from usage.rates.cards import Card, Quota, Size
from usage.rates.spans import HOUR

__all__ = ["Charge", "Epoch", "Epochs", "Finding", "Piece", "Term", "charges"]

#: So many sizes are remembered with what they come to; a site has some hundreds.
_SIZES = 2**16


class Finding(StrEnum):
    """Why something billable has no price."""

    NO_RATE = "no rate"
    NO_UNIT = "no unit"
    UNKNOWN_GPU = "unknown GPU"
    UNKNOWN_SIZE = "unknown size"
    UNKNOWN_STATE = "unknown state"


class Piece(Struct, frozen=True):
    """What one instance, or quota, of a project was within `[start, end)`, in whole seconds since 1970, UTC.

    The state is one of `billable_states` in the card's schema, or None if not known; a quota is active.
    """

    instance: str
    project: str | None
    state: str | None
    start: int
    end: int
    size: Size | Quota


class Term(Struct, frozen=True, cache_hash=True):
    """What a size comes to: units by their name and number, the resource that decided it, the price per unit and hour.

    Either there is a price, or a finding says why not; whatever else is known is there all the same.
    """

    unit: str | None
    count: Fraction | None
    by: str | None
    price: Decimal | None
    finding: Finding | None


class Charge(Struct, frozen=True):
    """What a piece comes to within `[start, end)`, a part of it during which nothing in the card changes for it."""

    piece: Piece
    start: int
    end: int
    term: Term

    @property
    def seconds(self) -> int:
        """How long it is."""
        return self.end - self.start

    @property
    def units(self) -> Fraction | None:
        """The unit hours, exact; None where their number is not known."""
        return None if self.term.count is None else self.term.count * self.seconds / HOUR

    @property
    def cost(self) -> Fraction | None:
        """The money in the card's currency, exact and before any rounding of hours; None without a price."""
        units, price = self.units, self.term.price
        return None if units is None or price is None else units * Fraction(price)


def charges(pieces: Iterable[Piece], card: Card) -> Iterator[Charge]:
    """Yield the charges of each piece, by time. What is not billable, and what lies in an outage, has none.

    Pieces of one instance must not overlap; those of a report are clipped to its period, and cut where a size, a state
    or a project changes. A piece of which the size, the GPU or the state is not known, or that the card has no rate
    for, is charged without a price and with a finding; it never stops the others.
    """
    epochs = Epochs(card)
    for piece in pieces:
        if piece.state is None or piece.state in card.billable_states:
            yield from epochs.charges(piece)


class Epoch(NamedTuple):
    """A time `[since, until)`, in whole seconds since 1970, within which nothing in a card changes; None is open."""

    number: int
    since: int | None
    until: int | None
    outage: bool


class Epochs:
    """A card, cut wherever anything in it begins or ends: within an epoch each size comes to one term."""

    def __init__(self, card: Card) -> None:
        windows = [*(unit.window for unit in card.units), *(rate.window for rate in card.rates)]
        self._bounds = sorted({time for span in (*windows, *card.outages) for time in span if time is not None})
        # The second before the first bound stands for all those before it.
        starts = [self._bounds[0] - 1, *self._bounds] if self._bounds else [0]
        self._outages = [any(since <= start < until for since, until in card.outages) for start in starts]
        self._units = [[unit for unit in card.units if unit.window.holds(start)] for start in starts]
        self._prices = [{rate.unit: rate.price for rate in card.rates if rate.window.holds(start)} for start in starts]
        self._term = lru_cache(_SIZES)(self._found)

    def __iter__(self) -> Iterator[Epoch]:
        bounds = [None, *self._bounds, None]
        for number, (since, until) in enumerate(pairwise(bounds)):
            yield Epoch(number, since, until, self._outages[number])

    def term(self, epoch: int, size: Size | Quota) -> Term:
        """Return what a size of a known state comes to in an epoch; in an outage nothing is charged all the same."""
        return self._term(epoch, size, False)

    def charges(self, piece: Piece) -> Iterator[Charge]:
        # What changes for others only does not cut this piece.
        for term, same in groupby(self._spans(piece), key=itemgetter(2)):
            if term is not None:
                first, *others = same
                yield Charge(piece, first[0], (others or [first])[-1][1], term)

    def _spans(self, piece: Piece) -> Iterator[tuple[int, int, Term | None]]:
        start, epoch = piece.start, bisect_right(self._bounds, piece.start)
        while start < piece.end:
            end = min(piece.end, self._bounds[epoch]) if epoch < len(self._bounds) else piece.end
            yield start, end, None if self._outages[epoch] else self._term(epoch, piece.size, piece.state is None)
            start, epoch = end, epoch + 1

    def _found(self, epoch: int, size: Size | Quota, stateless: bool) -> Term:
        unit = next((unit for unit in self._units[epoch] if unit.takes(size)), None)
        counted = unit.count(size) if unit else None
        count, by = counted or (None, None)
        price = self._prices[epoch].get(unit.name) if unit else None
        finding = None if price is not None else Finding.NO_RATE
        if stateless:
            finding = Finding.UNKNOWN_STATE
        elif unit is None and _nothing_known(size):
            finding = Finding.UNKNOWN_SIZE
        elif unit is None:
            finding = Finding.UNKNOWN_GPU if _may_have_gpu(size) else Finding.NO_UNIT
        elif counted is None:
            finding = Finding.UNKNOWN_SIZE
        return Term(unit.name if unit else None, count, by, None if finding else price, finding)


def _may_have_gpu(size: Size | Quota) -> bool:
    return isinstance(size, Size) and (size.gpus != 0 or size.gpu_type is not None)


def _nothing_known(size: Size | Quota) -> bool:
    if not isinstance(size, Size) or size.gpus or size.gpu_type is not None:
        return False
    return size.flavor is None and size.vcpus is None and size.memory_mib is None
