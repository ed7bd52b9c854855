"""What a report is made of, as typed records: exact seconds, never rounded."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from reporter.charges.records import Charges
from reporter.periods import Period

__all__ = [
    "UNKNOWN",
    "Branch",
    "By",
    "Cell",
    "Daily",
    "Group",
    "Line",
    "Only",
    "Portion",
    "Provenance",
    "Table",
    "UsageReport",
    "Used",
]

#: How a name or a size that nobody knows is shown; in records it is None.
UNKNOWN = "unknown"

Cell = str | int | float | Decimal
#: What a report can be divided by.
By = Literal["institution", "PI", "research project", "project", "user", "flavor"]


class Used(Struct, frozen=True):
    """What some sessions used within the period, in whole seconds.

    `core` is active seconds times cores, of the servers whose size is known. `unsized` is the part of `active` that
    has no cores to be multiplied with. `other` is time in no state, as while a server is being created.
    """

    servers: int
    sessions: int
    active: int
    core: int
    inactive: int
    shelved: int
    other: int
    unsized: int


class Group(Struct, frozen=True):
    """What one institution, PI, project, user or flavor used; None is the unknown one."""

    name: str | None
    used: Used


class Line(Struct, frozen=True):
    """What one user used in one project with one flavor, while it belonged to one PI of one institution.

    A flavor is None where its size is not known.
    """

    institution: str | None
    pi: str | None
    project: str | None
    user: str | None
    flavor: str | None
    used: Used


class Branch(Struct, frozen=True):
    """What one project of the site's tree used: itself, and in total with all that lies in it.

    `path` is made of titles and leads to it from below the root; it is empty for the root, which is the whole site.
    """

    key: str
    path: tuple[str, ...]
    own: Used
    total: Used


class Portion(Struct, frozen=True):
    """What one institution has of the usage of one project, by its share, in whole seconds as in Used.

    The share is None where none are stated: all is the institution's whose PI has the project.
    """

    institution: str | None
    key: str
    title: str
    share: str | None
    active: int
    core: int
    inactive: int
    shelved: int
    other: int
    unsized: int


class Daily(Struct, frozen=True):
    """The core seconds of one project on one day of the period's time zone."""

    day: date
    project: str | None
    core: int


class Only(Struct, frozen=True):
    """What a report is asked to be restricted to, as somebody wrote it; none: everything.

    A project is named by its key, its title, or the name of a project of the cloud, and comes with all that lies in it.
    """

    institution: str | None = None
    project: str | None = None
    user: str | None = None
    pi: str | None = None

    def __bool__(self) -> bool:
        return (self.institution, self.project, self.user, self.pi) != (None,) * 4

    def __str__(self) -> str:
        asked = (("institution", self.institution), ("PI", self.pi), ("project", self.project), ("user", self.user))
        return ", ".join(f"{what} {name}" for what, name in asked if name is not None)


class UsageReport(Struct, frozen=True):
    """Who used what in a period. Groups are by core seconds, the most first; lines by name.

    A server counts once in each group that it was in, so that servers do not add up where all else does.
    Institutions, PIs and the tree of projects are there where it is known who owns the projects; in institutions each
    project counts by the shares of those who fund it, and `portions` are there where shares are stated. The tree is in
    its order, the root first. `only` says what the report is restricted to, and `by` what alone it is divided by; then
    nothing else is there, but the lines and days of a report that is divided by everything. `charges` are there where
    there is a rate card for the cloud.
    `last` is the end of the latest session, no later than that of the period if it has any; `first` is the begin of the
    earliest one, where the period has none.
    """

    period: Period
    total: Used
    lines: tuple[Line, ...]
    institutions: tuple[Group, ...]
    pis: tuple[Group, ...]
    projects: tuple[Group, ...]
    users: tuple[Group, ...]
    flavors: tuple[Group, ...]
    daily: tuple[Daily, ...]
    first: datetime | None
    last: datetime | None
    tree: tuple[Branch, ...] = ()
    portions: tuple[Portion, ...] = ()
    only: Only = Only()
    by: tuple[By, ...] = ()
    charges: Charges | None = None


class Provenance(Struct, frozen=True):
    """What a report was made of: where its sessions are from, how new that was, what was asked, and digests.

    `query` is what was asked of the engine, statement by statement. `digests` are SHA-256 in hexadecimal of the data
    that the report shows, by name of the file.
    """

    source: str
    version: str
    query: tuple[str, ...]
    digests: tuple[tuple[str, str], ...]


class Table(Struct, frozen=True):
    """Rows to be printed, the total last; hours are rounded to two places."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
