"""XDMoD's cloud statistics: periods, sums over sessions, dimensions, formulas; asked of no source here."""

from usage.statistics.capacity import Span, available
from usage.statistics.dimensions import DIMENSIONS, Attribute, Dimension
from usage.statistics.formulas import STATISTICS, Statistic, Sums
from usage.statistics.periods import UNITS, Period, Unit, periods_of
from usage.statistics.query import SUMMED, query

__all__ = [
    "DIMENSIONS",
    "STATISTICS",
    "SUMMED",
    "UNITS",
    "Attribute",
    "Dimension",
    "Period",
    "Span",
    "Statistic",
    "Sums",
    "Unit",
    "available",
    "periods_of",
    "query",
]
