"""A report of one institution, PI, project or user only."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import duckdb
from msgspec import Struct

from hierarchy.owners import Owner
from hierarchy.projects import Piece, Projects
from ledger import ConfigurationError
from ledger.ownership import ProjectKey
from reporter.naming import Called, Labels, meant, near, spellings
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
    """What the sessions of a source call their projects and users, and institutions and PIs that it knows itself.

    Users and PIs may be there that have no session.
    """

    called: frozenset[Called]
    users: frozenset[str]
    institutions: frozenset[str] = frozenset()
    pis: frozenset[PI] = frozenset()

    @property
    def projects(self) -> set[str]:
        """The names of the projects."""
        return {UNKNOWN if name is None else name for name, _ in self.called}

    def beside(self, users: Iterable[str], pis: Iterable[PI]) -> "Names":
        """Return these and some more users and PIs."""
        return self._replace(users=self.users.union(users), pis=self.pis.union(pis))


class Chosen(Struct, frozen=True):
    """What that is, in the terms of owners and sessions; `unknown` is None in a tuple of one.

    `domain` tells which of several projects is meant that sessions call the same.
    """

    institution: tuple[str | None] | None = None
    key: ProjectKey | None = None
    called: tuple[str | None] | None = None
    domain: tuple[str | None] | None = None
    user: tuple[str | None] | None = None
    pis: frozenset[PI] | None = None

    def of_pi(self, pi: PI) -> bool:
        """Whether what a PI has is in it."""
        return self.pis is None or pi in self.pis

    def has(self, called: Called, piece: Piece) -> bool:
        """Whether the usage of what a session calls its project is in it, while it counted so."""
        if any(asked not in (None, (name,)) for asked, name in zip((self.called, self.domain), called, strict=True)):
            return False
        if self.key is not None and self.key not in piece.path:
            return False
        return self.institution is None or any(name == (self.institution[0] or UNKNOWN) for name, _ in piece.parts)


def chosen_of(only: Only, known: Names, owners: Iterable[Owner], projects: Projects) -> Chosen:
    """Find what is asked for. Raises ConfigurationError, naming those like it, where there is no such one, or several.

    A project of the cloud may be named with its domain, `lab@one`, and has to be where several have its name.
    """
    institution = key = called = domain = user = None
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
            called, domain = _project(only.project, known, owners, projects)
    pis = None if only.pi is None else _pis(only.pi, known, owners)
    return Chosen(institution, key, called, domain, user, pis)


def _project(
    wanted: str, known: Names, owners: Sequence[Owner], projects: Projects
) -> tuple[tuple[str | None], tuple[str | None] | None]:
    """The name of a project of the cloud, and the domain where that is told beside it: `lab@one`, or `lab (one)`."""
    names, labels = known.projects | {one.label.name for one in owners}, Labels.of(known.called)
    named = [one for one in known.called if one[0] is not None]
    # What is shown in reports means that project, whatever else it could be read as.
    written = {way: one for one in named for way in spellings(one)} | {labels.label(one): one for one in named}
    exactly = meant(wanted, names.union(filter(None, written)))
    if exactly is not None and exactly not in names:
        name, domain = written[exactly]
        return (name,), (domain,)
    called = _found("project", wanted, names, projects.names)
    if called[0] in labels.doubled:
        several = [one for one in named if one[0] in called]
        ways = sorted(labels.label(one) or "" if (way := spellings(one)[1]) in names else way for one in several)
        keys = sorted({one.key for one in owners if one.label.name in called})
        by_key = f" Or by its key: {', '.join(keys)}." if keys else ""
        raise ConfigurationError(
            f'Projects of several domains are called "{wanted}". Name one as: {"; ".join(ways)}.{by_key}'
        )
    return called, None


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
    called = cursor.execute("SELECT DISTINCT project, domain FROM sessions").fetchall()
    users = cursor.execute("SELECT DISTINCT username FROM sessions").fetchall()
    return Names(frozenset(called), frozenset(UNKNOWN if name is None else name for (name,) in users))


def _found(what: str, wanted: str, names: AbstractSet[str], others: Iterable[str] = ()) -> tuple[str | None]:
    """The name that is meant, in letters of either case, where no other is written exactly so."""
    name = meant(wanted, names)
    if name is not None:
        return (None if name == UNKNOWN else name,)
    raise ConfigurationError(f'There is no {what} "{wanted}".{near(wanted, {*names, *others})}')
