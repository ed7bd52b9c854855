"""Checks of who owns and pays: shares sum to 1, nothing that was used is of nobody."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import zip_longest

from hierarchy.facts import known_facts
from hierarchy.fundings import UNFUNDED, bounds_of, parts_at
from ledger import Kind, Named
from ledger.ownership import ProjectKey, Share
from ledger.text import DOMAIN_WIDTH, PROJECT_WIDTH, fitted
from ledger.times import iso_seconds
from operations.verification.checks.books import Books
from operations.verification.checks.records import Checked, Finding, checked, error, warning
from reporter.records import UNKNOWN
from reporter.sessions import CLIPPED, bounds, queried

__all__ = ["bound", "shares"]

_USED = f"SELECT DISTINCT project, domain, username FROM ({CLIPPED}) ORDER BY ALL NULLS FIRST"

#: The name of a project, and that of its domain, as sessions have them.
_Called = tuple[str | None, str | None]


def shares(books: Books) -> Checked:
    """The shares of a project sum to 1 whenever there are any; what nobody pays for is a share of its own."""
    stated: dict[ProjectKey, list[Share]] = defaultdict(list)
    for share in known_facts(books.ledger).present(Share):
        stated[share.project].append(share)
    found = (one for project, of in sorted(stated.items()) for one in _sums(project, of, books))
    none = None if stated else "no shares are stated"
    return checked("the shares of each project sum to 1", len(stated), "projects", found, none)


def bound(books: Books) -> Checked:
    """Each project that was used has an owner, an institution and a PI; each user has a name."""
    with queried(), books.engine.connection.cursor() as cursor:
        used = cursor.execute(_USED, bounds(books.period)).fetchall()
    projects = {(project, domain) for project, domain, _ in used}
    users = {user for _, _, user in used}
    found = [*_unnamed(users, books)]
    none = "projects: it was never collected who owns them"
    if books.owners:
        found, none = [*_unbound(projects, books), *found], ""
    what = "projects that were used have owners, and users names"
    return checked(what, len(projects) * bool(books.owners) + len(users), "projects and users", found, none or None)


def _sums(project: ProjectKey, of: Iterable[Share], books: Books) -> Iterator[Finding]:
    own = list(of)
    times = bounds_of(own)
    for since, until in zip_longest(times, times[1:]):
        parts = parts_at(own, since)
        total = sum((part for _, part in parts), Decimal())
        scope = f"project {project} from {iso_seconds(since)}"
        if parts and total != 1:
            yield error(scope, "1", total, total - 1)
        unfunded = sum((part for institution, part in parts if institution == UNFUNDED), Decimal())
        if unfunded and since < books.period.end and (until is None or until > books.period.start):
            yield warning(scope, "1 by those who pay", total - unfunded, f"{unfunded} of it nobody pays for")


def _unbound(projects: Iterable[_Called], books: Books) -> Iterator[Finding]:
    """What sessions call projects; a name without a domain is one that no other domain has."""
    owners: dict[_Called, list[tuple[str, str]]] = defaultdict(list)
    for owner in books.owners:
        if owner.since < books.period.end and owner.until > books.period.start:
            domain = fitted(owner.label.domain, DOMAIN_WIDTH) if owner.label.domain else None
            owners[fitted(owner.label.name, PROJECT_WIDTH), domain].append((owner.institution, owner.pi))
    for project, domain in sorted(projects, key=str):
        owned = owners.get((project, domain)) or owners.get((project, None)) or []
        scope = f"project {project or UNKNOWN}"
        if not owned:
            yield warning(scope, "a project of the site that it belongs to", "none")
        for what, names in zip(("an institution", "a PI"), zip(*owned, strict=True), strict=False):
            if UNKNOWN in names:
                yield warning(scope, what, "unknown in a part of the period" if len(set(names)) > 1 else UNKNOWN)


def _unnamed(users: Iterable[str | None], books: Books) -> Iterator[Finding]:
    nameless = {user.id for user in books.ledger.newest(books.settings.name, Named, Kind.USER) if user.name is None}
    for user in sorted(users, key=str):
        if user is None or user in nameless:
            yield warning(f"user {user or UNKNOWN}", "a name", "none that Keystone ever told")
