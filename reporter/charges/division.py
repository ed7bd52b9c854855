"""What is charged, divided between those who pay, and rounded so that parts add up to their whole."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, TypeVar

from reporter.attribution import Cut, apportioned
from reporter.charges.records import ChargeLine, ChargePart, InstitutionCharge, Unpriced
from usage.rates import Term, printed

__all__ = [
    "Entry",
    "Shared",
    "divided",
    "findings_of",
    "institutions_of",
    "lines_of",
    "parts_of",
    "shared_out",
    "total_of",
    "units_of",
]

_HOUR = 3600

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")


class Entry(NamedTuple):
    """What one project comes to for one size while it was in one cut; `seconds` do not have what rounding added.

    `units` are unit seconds, after rounding.
    """

    cut: Cut
    project: str | None
    chosen: bool
    term: Term
    seconds: int
    units: Fraction | None
    end: int

    @property
    def cost(self) -> Fraction | None:
        return None if self.term.price is None or self.units is None else self.units * Fraction(self.term.price) / _HOUR

    @property
    def line(self) -> tuple[str | None, Decimal | None, str | None]:
        return self.term.unit, self.term.price, self.term.finding


class Shared(NamedTuple):
    """What an institution has of an entry; units and money in hundredths, the exact amounts beside them."""

    entry: Entry
    institution: str | None
    share: str | None
    seconds: int
    units: int | None
    cost: int | None
    exact_units: Fraction
    exact_cost: Fraction


def shared_out(entries: Sequence[Entry]) -> list[Shared]:
    """Divide all that is charged between those who fund it; what has one project is there as a whole."""
    return [one for of in _grouped(entries, lambda one: one.project).values() for one in _project_shared(of)]


def _project_shared(entries: Sequence[Entry]) -> Iterator[Shared]:
    """The entries of one project, its lines rounded so that they add up to its cost."""
    lines = list(_grouped(entries, lambda one: one.line).values())
    costs = [sum((one.cost or Fraction() for one in line), Fraction()) for line in lines]
    for line, cents in zip(lines, divided(_hundredths(sum(costs, Fraction())), costs), strict=True):
        yield from _line_shared(line, cents)


def _line_shared(line: Sequence[Entry], cents: int) -> Iterator[Shared]:
    shares = [(one, institution, part) for one in line for institution, part in one.cut.parts]
    known = all(one.units is not None for one in line)
    units = [(one.units or Fraction()) / _HOUR * Fraction(part) for one, _, part in shares]
    costs = [(one.cost or Fraction()) * Fraction(part) for one, _, part in shares]
    hours = divided(_hundredths(sum(units, Fraction())), units)
    seconds = [own for one in line for own in apportioned(one.seconds, [part for _, part in one.cut.parts])]
    for place, (own, amount) in enumerate(zip(hours, divided(cents, costs), strict=True)):
        one, institution, part = shares[place]
        yield Shared(
            one,
            institution,
            str(part) if one.cut.stated else None,
            seconds[place],
            own if known else None,
            None if one.term.price is None else amount,
            units[place],
            costs[place],
        )


def lines_of(shared: Sequence[Shared]) -> tuple[ChargeLine, ...]:
    """Return what each project comes to for each unit and price; the project that costs most first."""
    lines = [
        ChargeLine(project, *line, *_summed(of))
        for (project, line), of in _grouped(shared, lambda one: (one.entry.project, one.entry.line)).items()
    ]
    costs: dict[str | None, Decimal] = defaultdict(Decimal)
    for line in lines:
        costs[line.project] += line.cost or 0
    return tuple(
        sorted(
            lines,
            key=lambda one: (
                -costs[one.project], one.project is None, one.project or "", one.unit is None, one.unit or "",
                one.price or Decimal(), one.finding or "",
            ),
        )
    )  # fmt: skip


def parts_of(shared: Sequence[Shared]) -> tuple[ChargePart, ...]:
    """Return what each institution has of each line, by its name."""

    def named(one: Shared) -> tuple[str | None, ...]:
        return one.institution, one.entry.cut.who.pi, one.entry.cut.who.identity, one.entry.project, one.share

    parts = _grouped(shared, lambda one: (named(one), one.entry.line))
    ordered = sorted(parts, key=lambda key: [(name is None, str(name or "")) for name in (*key[0], *key[1])])
    return tuple(
        ChargePart(key[0][0], key[0][1], key[0][3], key[0][4], *key[1], *_summed(parts[key])) for key in ordered
    )


def institutions_of(shared: Sequence[Shared]) -> Iterator[InstitutionCharge]:
    """Yield what each institution comes to for each unit, by its name."""
    found = _grouped(shared, lambda one: (one.institution, one.entry.term.unit))
    for names in sorted(found, key=lambda names: [(name is None, name or "") for name in names]):
        _, units, _ = _summed(found[names])
        priced = [one for one in found[names] if one.cost is not None]
        yield InstitutionCharge(*names, units, _summed(priced)[2] if priced else None)


def total_of(shared: Iterable[Shared], *, exact: bool) -> Decimal:
    """Return the cost of parts: of the unrounded amounts, or as the sum of what was rounded."""
    if exact:
        return _printed(_hundredths(sum((one.exact_cost for one in shared), Fraction())))
    return _printed(sum(one.cost or 0 for one in shared))


def units_of(shared: Sequence[Shared], *, exact: bool) -> tuple[tuple[str, Decimal], ...]:
    """Return the unit hours of each unit of which they are known, likewise, by its name."""
    found = []
    for name, of in _grouped(shared, lambda one: one.entry.term.unit).items():
        if name is not None and all(one.units is not None for one in of):
            whole = _hundredths(sum((one.exact_units for one in of), Fraction()))
            found.append((name, _printed(whole if exact else sum(one.units or 0 for one in of))))
    return tuple(sorted(found))


def findings_of(shared: Sequence[Shared], servers: Mapping[str, int]) -> tuple[Unpriced, ...]:
    """Return what has no price, by the reason; `servers` are their numbers."""
    seconds: dict[str, int] = defaultdict(int)
    for one in shared:
        if one.entry.term.finding is not None:
            seconds[one.entry.term.finding] += one.seconds
    return tuple(Unpriced(str(finding), seconds[finding], servers.get(finding, 0)) for finding in sorted(seconds))


def _summed(shared: Sequence[Shared]) -> tuple[int, Decimal | None, Decimal | None]:
    units = None if any(one.units is None for one in shared) else _printed(sum(one.units or 0 for one in shared))
    cost = None if any(one.cost is None for one in shared) else _printed(sum(one.cost or 0 for one in shared))
    return sum(one.seconds for one in shared), units, cost


def divided(whole: int, weights: Sequence[Fraction]) -> list[int]:
    """Divide a whole number by weights into whole numbers that add up to it exactly; by none, it must be 0.

    The units that are left over go to the largest remainders, of equal ones to the first.
    """
    total = sum(weights, Fraction())
    if not total:
        return [0] * len(weights)
    exact = [whole * weight / total for weight in weights]
    shares = [math.floor(one) for one in exact]
    by_remainder = sorted(range(len(weights)), key=lambda place: shares[place] - exact[place])
    for place in by_remainder[: whole - sum(shares)]:
        shares[place] += 1
    return shares


def _hundredths(amount: Fraction) -> int:
    """Half a hundredth is rounded up."""
    return math.floor(amount * 100 + Fraction(1, 2))


def _printed(hundredths: int) -> Decimal:
    return printed(Fraction(hundredths, 100))


def _grouped(things: Iterable[_T], key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    groups: dict[_K, list[_T]] = defaultdict(list)
    for one in things:
        groups[key(one)].append(one)
    return dict(groups)
