"""Charges into a bill: what each project owes for each unit, summed unrounded, hours rounded as the card says."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from msgspec import Struct

from ledger import DataError
from usage.rates.cards import Card, Hours
from usage.rates.charges import Charge, Finding, Term
from usage.rates.spans import HOUR

__all__ = ["Bill", "Billing", "Line", "bill", "printed"]

#: Of a decimal(21,2), as the invoices that are made of bills have it.
_DIGITS = 21


class Line(Struct, frozen=True):
    """What a project comes to for one unit at one price: the time, the unit hours after rounding, and the money, exact.

    None is unknown; `finding` says why there is no price.
    """

    project: str | None
    unit: str | None
    price: Decimal | None
    finding: Finding | None
    seconds: int
    units: Fraction | None

    @property
    def cost(self) -> Fraction | None:
        """The money in the bill's currency, unrounded."""
        return None if self.units is None or self.price is None else self.units * Fraction(self.price)


class Bill(Struct, frozen=True):
    """The lines of a period, by project, unit and price."""

    currency: str
    lines: tuple[Line, ...]

    @property
    def cost(self) -> Fraction:
        """The money of all lines that have a price, unrounded."""
        return sum((line.cost for line in self.lines if line.cost is not None), Fraction())

    @property
    def findings(self) -> dict[Finding, int]:
        """The seconds that have no price, by the reason."""
        seconds = defaultdict[Finding, int](int)
        for line in self.lines:
            if line.finding is not None:
                seconds[line.finding] += line.seconds
        return dict(seconds)


class _Rule(NamedTuple):
    """How hours are rounded: which charges together, whether their units are, or their seconds, and how."""

    together: Callable[[Charge], Hashable]
    of_units: bool
    rounded: Callable[[int | Fraction], int | Fraction]


def _whole_hours(seconds: int | Fraction) -> int:
    return -(-seconds // HOUR) * HOUR


#: Source: NERC bills hours per instance on OpenStack, unit hours per project and unit on OpenShift and for storage.
_RULES: Mapping[Hours, _Rule | None] = {
    "exact": None,
    "ceil_per_instance": _Rule(lambda charge: charge.piece.instance, False, _whole_hours),
    "ceil_total": _Rule(lambda charge: (charge.piece.project, charge.term.unit), True, _whole_hours),
    "min_1h_per_session": _Rule(
        lambda charge: (charge.piece.instance, charge.piece.start), False, lambda seconds: max(seconds, HOUR)
    ),
}

_Part = tuple[str | None, Term]
_Key = tuple[str | None, str | None, Decimal | None, Finding | None]


class _Together(Struct):
    """What is rounded at once: seconds, or those of all units, and the end and the part of the last charge."""

    measure: int | Fraction
    end: int
    part: _Part


def bill(charges: Iterable[Charge], card: Card) -> Bill:
    """Add up the charges of a period, made with the same card; in any order.

    What is rounded up is rounded once for a whole instance, session, or project and unit. What that adds has the price,
    the size and the project of the last charge in it, as if it had gone on until the hour was full. A session is a
    piece: one that a period clips counts for an hour in each.
    """
    billing = Billing(card)
    for charge in charges:
        billing.add(charge)
    return billing.bill()


class Billing:
    """A bill in the making, of charges that come one by one; see `bill`.

    It holds what is rounded together and the sums of each project, and no charge.
    """

    def __init__(self, card: Card) -> None:
        self._currency, self._rule = card.currency, _RULES[card.hours]
        self._seconds = defaultdict[_Part, int](int)
        self._groups = dict[Hashable, _Together]()

    def add(self, charge: Charge) -> None:
        """Take one more charge."""
        self._seconds[charge.piece.project, charge.term] += charge.end - charge.start
        if self._rule is not None and charge.term.count is not None:
            _note(self._groups, self._rule, charge, charge.term.count)

    def bill(self) -> Bill:
        """The bill of all charges so far."""
        spent = defaultdict[_Key, int](int)
        units = defaultdict[_Key, Fraction | None](Fraction)
        for part, time in self._seconds.items():
            key, count = _key(part), part[1].count
            spent[key] += time
            units[key] = _sum(units[key], None if count is None else count * time / HOUR)
        for key, more in _added(self._groups.values(), self._rule):
            units[key] = _sum(units[key], more / HOUR)
        return Bill(self._currency, tuple(Line(*key, spent[key], units[key]) for key in sorted(spent, key=_order)))


def _note(groups: dict[Hashable, _Together], rule: _Rule, charge: Charge, count: Fraction) -> None:
    name, part = rule.together(charge), (charge.piece.project, charge.term)
    measure = charge.seconds * count if rule.of_units else charge.seconds
    group = groups.get(name)
    if group is None:
        groups[name] = _Together(measure, charge.end, part)
        return
    group.measure += measure
    # Of several that end together one with a price is preferred, and it must not matter which came first.
    if charge.end > group.end or (charge.end == group.end and _order(_key(part)) < _order(_key(group.part))):
        group.end, group.part = charge.end, part


def _added(groups: Iterable[_Together], rule: _Rule | None) -> Iterator[tuple[_Key, Fraction]]:
    """What rounding adds to the unit seconds of each line; the seconds of a part first, as they are whole numbers."""
    added = defaultdict[_Part, int | Fraction](int)
    for group in groups:
        if rule is not None:
            added[group.part] += rule.rounded(group.measure) - group.measure
    for part, more in added.items():
        count = 1 if rule is None or rule.of_units else part[1].count
        yield _key(part), Fraction(more) * (count or 0)


def _sum(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    """What is partly unknown is unknown."""
    return None if one is None or other is None else one + other


def _key(part: _Part) -> _Key:
    project, term = part
    return project, term.unit, term.price, term.finding


def _order(key: _Key) -> tuple[bool, str, bool, str, bool, Decimal, str]:
    project, unit, price, finding = key
    named = project is None, project or "", unit is None, unit or ""
    return *named, price is None, Decimal() if price is None else price, finding or ""


def printed(amount: Fraction, places: int = 2) -> Decimal:
    """Round half up for a reader, or for a decimal(21,2); sums are made of what was not rounded.

    Raises DataError for what has too many digits for it.
    """
    scaled = math.floor(abs(amount) * 10**places + Fraction(1, 2))
    digits = tuple(map(int, str(scaled)))
    if len(digits) > _DIGITS:
        raise DataError(f"{scaled} has more than the {_DIGITS} digits that an amount may have. Correct the rate card.")
    return Decimal((int(amount < 0), digits, -places))
