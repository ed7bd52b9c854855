"""Whose each second of a period is: the sessions cut where a project got other owners or payers, and shares of sums."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import lcm
from typing import NamedTuple

import duckdb

from hierarchy.owners import Owner
from hierarchy.projects import Piece, Projects
from ledger.ownership import ProjectKey
from ledger.text import DOMAIN_WIDTH, PROJECT_WIDTH, fitted
from reporter.naming import Called, Labels
from reporter.periods import Period
from reporter.quantities import touching
from reporter.records import UNKNOWN
from reporter.restriction import Chosen
from reporter.sessions import CLIPPED, inserted

__all__ = ["PIECES", "Called", "Cut", "Member", "Stretch", "Who", "Whose", "apportioned", "cut_up", "write_members"]

#: The sessions clipped to a period and cut by the tables that `cut_up` makes, as two common table expressions.
#: One that is not `whole` has several pieces, and is still one to whoever counts sessions.
PIECES = f"""
clipped AS ({CLIPPED}),
pieces AS (
    SELECT
        clipped.session, clipped.instance, clipped.project, clipped.domain, cuts.label, clipped.username, clipped.state,
        clipped.state_id, clipped.cores,
        CASE WHEN clipped.cores IS NOT NULL THEN clipped.instance_type END AS flavor,
        CASE WHEN clipped.cores IS NOT NULL THEN clipped.memory_mb END AS memory_mb,
        CASE WHEN clipped.cores IS NOT NULL THEN clipped.disk_gb END AS disk_gb,
        greatest(clipped.since, cuts.since) AS since,
        least(clipped.until, cuts.until) AS until,
        least(clipped.until, cuts.until) - greatest(clipped.since, cuts.since) AS seconds,
        cuts.since <= clipped.since AND cuts.until >= clipped.until AS whole,
        cuts.cut,
        cuts.who
    FROM clipped JOIN cuts
        ON cuts.project IS NOT DISTINCT FROM clipped.project AND cuts.domain IS NOT DISTINCT FROM clipped.domain
        AND cuts.since < greatest(clipped.until, clipped.since + 1) AND cuts.until > clipped.since
)
"""

#: An institution, or a project of the tree, that usage counts for: which of its sums it is, and its name or key.
Member = tuple[str, str | None]


class Who(NamedTuple):
    """The PI whose a project is, and the institution of this PI."""

    institution: str | None
    pi: str | None
    identity: str | None


class Cut(NamedTuple):
    """What usage can count for at one time: a PI, a project by its path from the root, and who funds it.

    `parts` sum to 1; they are not `stated` where the institution of the PI has all.
    """

    who: Who
    path: tuple[ProjectKey, ...]
    parts: tuple[tuple[str | None, Decimal], ...]
    stated: bool


class Stretch(NamedTuple):
    """A part `[since, until)` of a period, in seconds since 1970, and by number for what its usage counts."""

    since: int
    until: int
    cut: int
    who: int


class Whose:
    """Tells for whom usage counts within a period, and numbers what that can be: `cuts` and `whos`, as they come.

    What was not chosen counts for nobody.
    """

    def __init__(self, period: Period, owners: Iterable[Owner], projects: Projects, chosen: Chosen) -> None:
        self._first, self._limit = period.seconds
        self._projects = projects
        self._chosen = chosen
        self._owned: dict[Called, list[Owner]] = defaultdict(list)
        for owner in owners:
            domain = fitted(owner.label.domain, DOMAIN_WIDTH) if owner.label.domain else None
            self._owned[fitted(owner.label.name, PROJECT_WIDTH), domain].append(owner)
        self._cuts, self._whos = dict[Cut, int](), dict[Who, int]()
        self._nobodys = tuple(projects.pieces(None))

    @property
    def cuts(self) -> list[Cut]:
        """What the numbers `cut` mean."""
        return list(self._cuts)

    @property
    def whos(self) -> list[Who]:
        """What the numbers `who` mean."""
        return list(self._whos)

    @property
    def window(self) -> tuple[int, int]:
        """The period as `[first, limit)` in seconds since 1970."""
        return self._first, self._limit

    @property
    def shared(self) -> bool:
        """Whether there is anything that several fund."""
        return any(len(cut.parts) > 1 for cut in self._cuts)

    @property
    def by_domain(self) -> bool:
        """Whether any project is told apart by its domain."""
        return any(domain is not None for _, domain in self._owned)

    def again(self) -> "Whose":
        """Return one that knows the same, and has numbered nothing yet."""
        other = copy(self)
        other._cuts, other._whos = {}, {}
        return other

    def stretches(self, called: Called, known: Who | None = None) -> Iterator[Stretch]:
        """For whom what a session calls its project counts, in order of time; `known` where that is told otherwise."""
        for who, piece in self._pieces(called, known):
            since = max(self._first, int(piece.since.timestamp()))
            until = min(self._limit, int(piece.until.timestamp()))
            if since < until and self._chosen.has(called, piece) and self._chosen.of_pi(who):
                cut = Cut(who, piece.path, _parts(piece), piece.stated)
                yield Stretch(
                    since,
                    until,
                    self._cuts.setdefault(cut, len(self._cuts)),
                    self._whos.setdefault(who, len(self._whos)),
                )

    def _pieces(self, called: Called, known: Who | None) -> Iterator[tuple[Who, Piece]]:
        if known is not None:
            yield known, self._nobodys[0]._replace(parts=((known.institution or UNKNOWN, Decimal(1)),))
            return
        # A name that stands without a domain is one that no other domain has.
        owners = self._owned.get(called) or self._owned.get((called[0], None))
        for owner in owners or ():
            yield from ((_who(owner), piece) for piece in self._projects.pieces(owner))
        if not owners:
            yield from ((_who(None), piece) for piece in self._nobodys)


def cut_up(cursor: duckdb.DuckDBPyConnection, whose: Whose, labels: Labels | None = None) -> Labels:
    """Tell the engine whose its sessions are within a period: makes the table `cuts` for PIECES, without the rest.

    Returns how projects are shown: as said, else by the domains of the sessions that touch the period.
    """
    if labels is None:
        touched = f"SELECT DISTINCT project, domain FROM sessions WHERE {touching('$first', '$limit')}"
        labels = Labels.of(cursor.execute(touched, dict(zip(("first", "limit"), whose.window, strict=True))).fetchall())
    found: list[Called] = cursor.execute("SELECT DISTINCT project, domain FROM sessions").fetchall()
    called = sorted(found, key=lambda one: (one[0] or "", one[1] or ""))
    cursor.execute(
        "CREATE OR REPLACE TABLE cuts"
        " (project VARCHAR, domain VARCHAR, label VARCHAR, since BIGINT, until BIGINT, cut BIGINT, who BIGINT)"
    )
    rows = [(*one, labels.label(one), *stretch) for one in called for stretch in whose.stretches(one)]
    inserted(cursor, "cuts", rows)
    return labels


def write_members(cursor: duckdb.DuckDBPyConnection, members: Iterable[Iterable[Member]]) -> list[Member]:
    """Tell the engine for what each cut counts: makes the table `members` of numbers, and returns what they mean."""
    numbers = dict[Member, int]()
    rows = [(cut, numbers.setdefault(one, len(numbers))) for cut, of in enumerate(members) for one in of]
    cursor.execute("CREATE OR REPLACE TABLE members (cut BIGINT, member BIGINT)")
    inserted(cursor, "members", rows)
    return list(numbers)


def apportioned(whole: int, parts: Sequence[Decimal]) -> list[int]:
    """Divide a whole number by parts that sum to 1, into whole numbers that add up to it exactly.

    The units that are left over go to the largest remainders, of equal ones to the first.
    """
    if len(parts) == 1:
        return [whole]
    weights, unit = _weights(tuple(parts))
    divided = [divmod(whole * weight, unit) for weight in weights]
    shares = [share for share, _ in divided]
    by_remainder = sorted(range(len(parts)), key=lambda number: -divided[number][1])
    for number in by_remainder[: whole - sum(shares)]:
        shares[number] += 1
    return shares


@cache
def _weights(parts: tuple[Decimal, ...]) -> tuple[tuple[int, ...], int]:
    """Parts as whole numbers of one unit: decimals would be rounded where they have many places."""
    exact = [Fraction(part) for part in parts]
    unit = lcm(*(one.denominator for one in exact))
    return tuple(int(one * unit) for one in exact), unit


def _who(owner: Owner | None) -> Who:
    if owner is None:
        return Who(None, None, None)
    return Who(_known(owner.institution), _known(owner.pi), owner.pi_identity)


def _parts(piece: Piece) -> tuple[tuple[str | None, Decimal], ...]:
    return tuple((_known(institution), part) for institution, part in piece.parts)


def _known(name: str) -> str | None:
    return None if name == UNKNOWN else name
