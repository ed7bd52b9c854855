"""What the usage of a period costs, by project and institution: summed in the engine, exact, and rounded at the end."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import duckdb
from msgspec.structs import replace

from hierarchy.owners import Owner
from hierarchy.projects import Projects
from reporter.attribution import Cut, Whose, cut_up
from reporter.charges.division import (
    Entry,
    findings_of,
    institutions_of,
    lines_of,
    parts_of,
    shared_out,
    total_of,
    units_of,
)
from reporter.charges.priced import Tariff, priced, scoped
from reporter.charges.records import Charges
from reporter.naming import Labels
from reporter.periods import Period
from reporter.records import Only
from reporter.restriction import Chosen, Names, chosen_of, names_of
from reporter.sessions import queried
from usage import Engine
from usage.rates import Card, Term

__all__ = ["Added", "Rates", "Reckoned", "added", "charged", "charges_of", "reckon"]

_HOUR = 3600
_EVERYTHING = Only()
_FREE = Card("", (), (), billable_states=frozenset())

_GROUPED = """
SELECT cut, label, {scope} AS chosen, tariff, sum(seconds), sum(extra), max(until)
FROM summed GROUP BY ALL ORDER BY ALL NULLS LAST
"""

_SERVERS = """
SELECT finding, count(DISTINCT instance) FROM charged WHERE finding IS NOT NULL AND {scope} GROUP BY finding
"""


class Rates(NamedTuple):
    """A rate card, its file, and the SHA-256 of that in hexadecimal."""

    file: Path
    digest: str
    card: Card


class Reckoned(NamedTuple):
    """What an engine has reckoned of all its sessions: what its numbers `cut` and `tariff` mean, and by which rates.

    Without rates nothing is charged. `owned` says whether it is known who owns the projects, `labels` how these are
    shown.
    """

    rates: Rates | None
    cuts: Sequence[Cut]
    tariffs: Sequence[Tariff]
    owned: bool
    labels: Labels = Labels()


class Added(NamedTuple):
    """The unit hours that rounding adds to a project; they cost what is charged last in it."""

    cut: Cut
    project: str | None
    term: Term
    units: Fraction


def reckon(
    engine: Engine,
    resource: str,
    period: Period,
    owners: Sequence[Owner],
    projects: Projects,
    rates: Rates | None,
    labels: Labels | None = None,
) -> Reckoned:
    """Let the engine price all its sessions within a period, before a report leaves only some of them in it.

    Makes the table `charged`, and `whose` of the stretches of projects by cut. Projects are shown by `labels`, as in
    `cut_up`.
    """
    with queried(), engine.connection.cursor() as cursor:
        whose = Whose(period, owners, projects, Chosen())
        labels = cut_up(cursor, whose, labels)
        cursor.execute("CREATE OR REPLACE TABLE whose AS FROM cuts")
        tariffs = priced(cursor, period, rates.card if rates else _FREE, resource)
        cuts = whose.cuts
    return Reckoned(rates, cuts, tariffs, bool(owners) or any(cut.stated for cut in cuts), labels)


def charged(
    engine: Engine,
    resource: str,
    period: Period,
    owners: Sequence[Owner],
    projects: Projects,
    rates: Rates,
    only: Only = _EVERYTHING,
    labels: Labels | None = None,
    names: Names | None = None,
) -> Charges:
    """Return what the engine's sessions cost within a period, or `only` a part of them.

    Hours are rounded as the card says over all that is charged, also where a part alone is shown, so that this costs
    what it does in the whole. `names` are those that may be asked for, if they are not those of the sessions
    alone; `labels` are as in `reckon`. Raises ConfigurationError for what is in `only` but not there.
    """
    reckoned = reckon(engine, resource, period, owners, projects, rates, labels)
    with queried(), engine.connection.cursor() as cursor:
        chosen = chosen_of(only, names or names_of(cursor), owners, projects) if only else Chosen()
        return charges_of(cursor, reckoned, rates, chosen)


def charges_of(cursor: duckdb.DuckDBPyConnection, reckoned: Reckoned, rates: Rates, chosen: Chosen) -> Charges:
    """Return what a part of what was reckoned by the rates costs."""
    scope, values = scoped(cursor, reckoned.cuts, chosen)
    servers = dict(cursor.execute(_SERVERS.format(scope=scope), values).fetchall())
    # An institution has its part of a division between all of them.
    entries = _entries(cursor, reckoned, replace(chosen, institution=None))
    for place, more in _added(entries, rates.card):
        entries[place] = entries[place]._replace(units=(entries[place].units or Fraction()) + more)
    everything = shared_out(entries)
    shared = [
        one
        for one in everything
        if one.entry.chosen and (chosen.institution is None or (one.institution,) == chosen.institution)
    ]
    # Parts of a project are rounded so that they add up to it; what is shown of them is their sum.
    parted = {one.entry.project for one in everything if not one.entry.chosen}
    whole = chosen.institution is None and not any(one.entry.project in parted for one in shared)
    return Charges(
        currency=rates.card.currency,
        rates=rates.file.name,
        digest=rates.digest,
        states=tuple(sorted(rates.card.billable_states)),
        rounding=rates.card.hours,
        total=total_of(shared, exact=whole),
        units=units_of(shared, exact=whole),
        lines=lines_of(shared),
        parts=parts_of(shared),
        institutions=tuple(institutions_of(shared)) if reckoned.owned else (),
        findings=findings_of(shared, servers),
    )


def added(cursor: duckdb.DuckDBPyConnection, reckoned: Reckoned, chosen: Chosen) -> Iterator[Added]:
    """Yield what rounding adds to sums of units rather than to the hours of servers, in a part of what was reckoned."""
    if reckoned.rates is not None and reckoned.rates.card.hours == "ceil_total":
        entries = _entries(cursor, reckoned, chosen)
        for place, more in _added(entries, reckoned.rates.card):
            one = entries[place]
            if one.chosen and more:
                yield Added(one.cut, one.project, one.term, more / _HOUR)


def _entries(cursor: duckdb.DuckDBPyConnection, reckoned: Reckoned, chosen: Chosen) -> list[Entry]:
    """All that is charged, whatever was chosen, for it is rounded as a whole."""
    scope, values = scoped(cursor, reckoned.cuts, chosen)
    entries = []
    for cut, project, of_it, tariff, seconds, extra, end in cursor.execute(
        _GROUPED.format(scope=scope), values
    ).fetchall():
        term = reckoned.tariffs[tariff].term
        if term is not None:
            units = None if term.count is None else term.count * (int(seconds) + int(extra))
            entries.append(Entry(reckoned.cuts[cut], project, of_it, term, int(seconds), units, end))
    return entries


def _added(entries: Sequence[Entry], card: Card) -> Iterator[tuple[int, Fraction]]:
    """The unit seconds that fill the last hour of each project and unit, with the place of its last charge."""
    if card.hours != "ceil_total":
        return
    together: dict[tuple[str | None, str | None], list[int]] = defaultdict(list)
    for place, one in enumerate(entries):
        if one.units is not None:
            together[one.project, one.term.unit].append(place)
    for places in together.values():
        units = sum((entries[place].units or Fraction() for place in places), Fraction())
        # Of several that end together one with a price is preferred, of these the lowest.
        last = max(places, key=lambda place: (entries[place].end, _priced(entries[place].term), -place))
        yield last, math.ceil(units / _HOUR) * _HOUR - units


def _priced(term: Term) -> tuple[bool, Decimal]:
    return term.price is not None, -(term.price or Decimal())
