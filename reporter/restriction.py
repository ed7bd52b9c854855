"""A report of one institution, PI, project or user only."""

from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

import duckdb
from msgspec import Struct

from hierarchy.names import folded
from hierarchy.owners import Owner
from hierarchy.projects import Piece, Projects
from ledger import ConfigurationError
from ledger.ownership import ProjectKey
from reporter.periods import Period
from reporter.records import UNKNOWN, Only
from reporter.sessions import bounds

__all__ = ["PI", "Chosen", "Names", "chosen_of", "names_of", "narrow"]

#: The sessions of one user, or of all, that have a part in what was cut out of the period.
_NARROWED = """
CREATE OR REPLACE TABLE sessions AS
SELECT * FROM sessions AS one
WHERE (NOT $by_user OR username IS NOT DISTINCT FROM $user) AND EXISTS (
    FROM cuts
    WHERE cuts.project IS NOT DISTINCT FROM one.project AND cuts.domain IS NOT DISTINCT FROM one.domain
        AND cuts.since < greatest(least(one.end_time_ts, $limit), greatest(one.start_time_ts, $first) + 1)
        AND cuts.until > greatest(one.start_time_ts, $first)
)
"""


#: The institution that a PI is at, the PI's name, and what tells apart PIs of one name.
PI = tuple[str | None, str | None, str | None]


class Names(NamedTuple):
    """What the sessions of a source call their projects and users, and institutions and PIs that it knows itself."""

    projects: set[str]
    users: set[str]
    institutions: frozenset[str] = frozenset()
    pis: frozenset[PI] = frozenset()


class Chosen(Struct, frozen=True):
    """What that is, in the terms of owners and sessions; `unknown` is None in a tuple of one."""

    institution: tuple[str | None] | None = None
    key: ProjectKey | None = None
    called: tuple[str | None] | None = None
    user: tuple[str | None] | None = None
    pis: frozenset[PI] | None = None

    def of_pi(self, pi: PI) -> bool:
        """Whether what a PI has is in it."""
        return self.pis is None or pi in self.pis

    def has(self, called: str | None, piece: Piece) -> bool:
        """Whether the usage of what a session calls its project is in it, while it counted so."""
        if self.called is not None and self.called != (called,):
            return False
        if self.key is not None and self.key not in piece.path:
            return False
        return self.institution is None or any(name == (self.institution[0] or UNKNOWN) for name, _ in piece.parts)


def chosen_of(only: Only, known: Names, owners: Iterable[Owner], projects: Projects) -> Chosen:
    """Find what is asked for. Raises ConfigurationError, naming those like it, where there is no such one."""
    institution = key = called = user = None
    owners = list(owners)
    if only.institution is not None:
        names = projects.institutions | {one.institution for one in owners} | known.institutions | {UNKNOWN}
        institution = _found("institution", only.institution, names)
    if only.user is not None:
        user = _found("user", only.user, known.users)
    if only.project is not None:
        keys = projects.called(only.project)
        if len(keys) > 1:
            raise ConfigurationError(
                f'Several projects are called "{only.project}". Name one by its key: {", ".join(keys)}.'
            )
        key = keys[0] if keys else None
        if key is None:
            names = known.projects | {one.label.name for one in owners}
            called = _found("project", only.project, names, projects.names)
    pis = None if only.pi is None else _pis(only.pi, known, owners)
    return Chosen(institution, key, called, user, pis)


def narrow(cursor: duckdb.DuckDBPyConnection, period: Period, chosen: Chosen) -> None:
    """Leave no other sessions in the engine than those that were chosen."""
    user = {"by_user": chosen.user is not None, "user": chosen.user[0] if chosen.user else None}
    cursor.execute(_NARROWED, bounds(period) | user)


def _pis(wanted: str, known: Names, owners: Iterable[Owner]) -> frozenset[PI]:
    """The PI of that name, or name and institution as reports show it, or identity, wherever it was."""
    everyone: set[PI] = {(None, None, None), *known.pis}
    for owner in owners:
        institution, pi = (None if name == UNKNOWN else name for name in (owner.institution, owner.pi))
        everyone.add((institution, pi, owner.pi_identity))
    called: dict[str, set[PI]] = defaultdict(set)
    for institution, pi, identity in everyone:
        name = pi or UNKNOWN
        for label in (name, f"{name}, {institution or UNKNOWN}", identity or name):
            called[label].add((institution, pi, identity))
    (found,) = _found("PI", wanted, set(called))
    meant = called[found or UNKNOWN]
    if found is not None and len({identity for _, _, identity in meant}) > 1:
        told = {f"{pi}, {institution or UNKNOWN}" for institution, pi, _ in meant}
        some = sorted(told if len(told) == len(meant) else {identity or UNKNOWN for _, _, identity in meant})
        raise ConfigurationError(f'Several PIs are called "{wanted}". Name one as: {"; ".join(some)}.')
    return frozenset(meant)


def names_of(cursor: duckdb.DuckDBPyConnection) -> Names:
    """Return what the sessions of an engine are called by."""
    return Names(_values(cursor, "project"), _values(cursor, "username"))


def _values(cursor: duckdb.DuckDBPyConnection, column: str) -> set[str]:
    return {
        UNKNOWN if name is None else name
        for (name,) in cursor.execute(f"SELECT DISTINCT {column} FROM sessions").fetchall()
    }


def _found(what: str, wanted: str, names: set[str], others: Iterable[str] = ()) -> tuple[str | None]:
    """The name that is meant, in letters of either case, where no other is written exactly so."""
    alike = sorted(name for name in names if folded(name) == folded(wanted))
    name = wanted if wanted in names else alike[0] if len(alike) == 1 else None
    if name is not None:
        return (None if name == UNKNOWN else name,)
    by_fold = {folded(name): name for name in sorted({*names, *others})}
    near = [by_fold[one] for one in get_close_matches(folded(wanted), by_fold, 3, 0.5)]
    some = f"Near it: {', '.join(near)}" if near else f"Known: {', '.join(sorted(by_fold.values())[:5])}"
    hint = f" {some}." if by_fold else ""
    raise ConfigurationError(f'There is no {what} "{wanted}".{hint}')
