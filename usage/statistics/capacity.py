"""What resources had to give: core seconds from spans of days, as XDMoD reckons them for the utilization."""

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

from usage.statistics.periods import Period

__all__ = ["Span", "available"]


class Span(Struct, frozen=True):
    """An amount, cores or percent, that a resource had from one second to another, both included (since 1970, UTC)."""

    resource_id: int
    since: int
    until: int
    amount: int


def available(cores: Iterable[Span], percents: Iterable[Span], period: Period) -> dict[int, int]:
    """Return the core seconds that each resource had to allocate in a period, of those that had any span in it.

    XDMoD multiplies every span of cores with every span of percent that it overlaps: where entries overlap, their
    capacities add up. The sum is rounded once, for XDMoD stores it whole.

    Source: XDMoD's resource_specs_aggregation.json and resource_specs_time_diff.sql (11.0).
    """
    shares: dict[int, list[Span]] = defaultdict(list)
    for share in percents:
        shares[share.resource_id].append(share)
    hundredfold: dict[int, int] = defaultdict(int)
    for span in cores:
        for share in shares[span.resource_id]:
            since = max(span.since, share.since, period.first_second)
            until = min(span.until, share.until, period.last_second)
            if since <= until:
                hundredfold[span.resource_id] += (until - since + 1) * span.amount * share.amount
    return {resource: (total + 50) // 100 for resource, total in hundredfold.items()}
