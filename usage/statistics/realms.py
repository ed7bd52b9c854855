"""XDMoD's realms: the statistics that are of one kind of records, with the dimensions and the query of these."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from usage.statistics import jobs, storage
from usage.statistics.dimensions import DIMENSIONS, JOB_DIMENSIONS, STORAGE_DIMENSIONS, Dimension
from usage.statistics.formulas import JOB_STATISTICS, STATISTICS, STORAGE_STATISTICS, Added, Statistic, Sums, Usage
from usage.statistics.query import SUMMED, query

__all__ = ["CLOUD", "JOBS", "REALMS", "STORAGE", "Realm", "realm_of"]


class Realm(Struct, frozen=True):
    """What can be asked of one kind of records.

    `query` makes the SQL of an answer from that of records and of periods; what follows in each of its rows upon the
    last period has the names `summed`, and adds up as `sums`.
    """

    name: str
    statistics: Mapping[str, Statistic[Any]]
    dimensions: Mapping[str, Dimension]
    query: Callable[..., str]
    summed: tuple[str, ...]
    sums: type[Added]


CLOUD = Realm("cloud", STATISTICS, DIMENSIONS, query, SUMMED, Sums)
JOBS = Realm("jobs", JOB_STATISTICS, JOB_DIMENSIONS, jobs.query, jobs.SUMMED, Sums)
STORAGE = Realm("storage", STORAGE_STATISTICS, STORAGE_DIMENSIONS, storage.query, storage.SUMMED, Usage)

REALMS = {realm.name: realm for realm in (CLOUD, JOBS, STORAGE)}


def realm_of(statistic: str) -> Realm:
    """Return the realm of a statistic; no two have one of the same name."""
    return next(realm for realm in REALMS.values() if statistic in realm.statistics)
