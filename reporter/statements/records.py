"""What a statement for one project or PI is made of, as typed records."""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from msgspec import Struct

from reporter.records import UsageReport
from reporter.transactions import Transaction

__all__ = ["Statement", "StatementLine"]


class StatementLine(Struct, frozen=True, kw_only=True):
    """One stretch in which a server went on with one flavor in one state, at one price; times are UTC, `[start, end)`.

    `path` is that of the project in the site's tree, where it is known. `server` is its name at the end of the stretch.
    `charged` are the seconds after rounding up, `count` the service units at once, `units` the unit hours; both they
    and the cost are exact. Where there is no price, `note` says why. What rounding adds to a whole project is a line
    without an instance. None is unknown, or nothing.
    """

    project: str | None
    path: str | None
    server: str | None
    instance: str | None
    flavor: str | None
    state: str | None
    start: datetime | None
    end: datetime | None
    seconds: int
    charged: int = 0
    unit: str | None = None
    count: Fraction | None = None
    units: Fraction | None = None
    price: Decimal | None = None
    note: str = ""

    @property
    def cost(self) -> Fraction | None:
        """The money in the rate card's currency, unrounded."""
        return None if self.units is None or self.price is None else self.units * Fraction(self.price)


class Statement(NamedTuple):
    """What one project or PI used in one cloud within a period, line by line, and what was done to its servers.

    `report` has the totals, the days, the parts of institutions, and the charges where there is a rate card. `lines`
    and `log` may be asked for again and again; each time they are read anew, so that they are never in memory as a
    whole. There is no log where nobody knows what was done, nor what the servers were called.
    """

    subject: str
    resource: str
    report: UsageReport
    lines: Callable[[], Iterator[StatementLine]]
    log: Callable[[], Iterator[Transaction]] | None
