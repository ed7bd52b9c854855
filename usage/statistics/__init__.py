"""XDMoD's statistics: periods, sums over sessions, jobs and storage, dimensions, formulas; asked of no source here."""

from usage.statistics.capacity import Span, available
from usage.statistics.dimensions import DIMENSIONS, Attribute, Dimension
from usage.statistics.formulas import STATISTICS, Added, Statistic, Sums, Usage
from usage.statistics.periods import UNITS, Period, Unit, periods_of
from usage.statistics.query import SUMMED, query
from usage.statistics.realms import CLOUD, JOBS, REALMS, STORAGE, Realm, realm_of

__all__ = [
    "CLOUD",
    "DIMENSIONS",
    "JOBS",
    "REALMS",
    "STATISTICS",
    "STORAGE",
    "SUMMED",
    "UNITS",
    "Added",
    "Attribute",
    "Dimension",
    "Period",
    "Realm",
    "Span",
    "Statistic",
    "Sums",
    "Unit",
    "Usage",
    "available",
    "periods_of",
    "query",
    "realm_of",
]
