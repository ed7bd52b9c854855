"""Where the sessions of a report are, and what is asked of them there."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import duckdb
from msgspec import Struct

from hierarchy.owners import Owner
from reporter.attribution import Whose
from reporter.periods import Period
from reporter.records import By, UsageReport
from reporter.restriction import Chosen, Names

__all__ = ["Asked", "Row", "Source"]

#: The core seconds of a day: the number of the cut, the number of the day in the period, the project, the seconds.
Row = tuple[int, int, str | None, int]


class Asked(Struct, frozen=True):
    """What a report needs of the sessions that touch a period: all that was chosen of them, by whom they count for.

    `by` is what alone it is divided by; nothing, if it is divided by everything.
    """

    period: Period
    whose: Whose
    chosen: Chosen
    by: tuple[By, ...] = ()

    def needs(self, division: By, *, shared: bool) -> bool:
        """Whether sums have to be made for each of a division; `shared` says that several fund some of the projects.

        What these have is divided in its smallest sums, so that the parts are the same whatever is asked for.
        """
        parted = "institution" in self.by or self.chosen.institution is not None
        return not self.by or division in self.by or (parted and shared)


class Source(Protocol):
    """Sessions, and who sums them up.

    `connection` is the engine that the report is finished in. `owned` says that the sessions know themselves to whom
    they belong. `statements` is what was asked so far, as SQL.
    """

    connection: duckdb.DuckDBPyConnection
    owned: bool
    statements: list[str]

    def names(self) -> Names:
        """Return what the sessions are called by, in the period or not."""

    def see(self, cursor: duckdb.DuckDBPyConnection, asked: Asked) -> None:
        """Tell the engine what each server used: makes the table `seen`, with a row for each server of each sum.

        Its columns are the numbers `cut` and `who`, `project`, `username` and `flavor` where they are needed,
        `instance`, the quantities of SUMS, the number of `sessions` that are in one stretch only, and the list
        `cut_sessions` of those that are in several. A row without an instance is that of so many `servers`, which are
        in no other row; else they are 0.
        """

    def reach(self, asked: Asked) -> tuple[int | None, int | None]:
        """Return the first second, since 1970, that has a session, and that after the last, chosen or not.

        None where there is none. Of a period that has any, what lies outside need not be told exactly. After `see`.
        """

    def daily(self, cursor: duckdb.DuckDBPyConnection, asked: Asked) -> Sequence[Row]:
        """Return the core seconds of each day, cut and project, without those that have none, in this order."""

    def lines(self, resource: str, report: UsageReport, owners: Sequence[Owner]) -> Iterator[str]:
        """Yield the lines of the list of the sessions that were summed up for a report, as session_list has them.

        Raises DataError where they are no longer the same.
        """
