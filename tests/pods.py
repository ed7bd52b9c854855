"""Pods as a collector records them, a day at a time, and a ledger that holds them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ledger import Ledger, Mode
from ledger.cluster import Clustered, Demand, Pod, Stretch
from ledger.pods import Interval
from tests.hierarchy.estate import new_ledger

__all__ = ["DAY", "STEP", "at", "collected", "demand", "empty_ledger", "pod"]

DAY, STEP = timedelta(days=1), timedelta(minutes=15)


def at(text: str) -> datetime:
    """A time (UTC) as `2025-03-01 10:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def demand(cpu: str | None = "0.5", gib: float | None = 2, node: str = "wrk-2", **more: object) -> Demand:
    """What a pod asks for; memory in GiB."""
    return Demand(node, cpu, None if gib is None else int(gib * 2**30), **more)  # type: ignore[arg-type]


def pod(
    name: str,
    *intervals: Interval | tuple[str, str, Demand],
    namespace: str = "genomics-4f2a1b",
    told: bool = True,
    **more: object,
) -> list[Pod]:
    """The records of a pod, one for each day that its intervals touch; edges on the quarter of an hour are sampled.

    With `told`, Kubernetes tells when it was created and started, and when it completed.
    """
    spans = [one if isinstance(one, Interval) else Interval(at(one[0]), at(one[1]), one[2]) for one in intervals]
    start, end = spans[0].start, spans[-1].end
    facts: dict[str, object] = {"uid": f"uid-{namespace}-{name}"}
    if told:
        facts |= {"created": start - timedelta(seconds=50), "started": start}
    facts |= more
    records, day = list[Pod](), start.replace(hour=0, minute=0, second=0)
    while day < end:
        stretches = tuple(_stretches(spans, day))
        ended = {"completed": end, "phase": "Succeeded"} if told and end <= day + DAY else {}
        known = {**ended, **facts}
        records.append(Pod(namespace, name, day, day + DAY, 900, stretches=stretches, **known))  # type: ignore[arg-type]
        day += DAY
    return records


def _stretches(spans: Sequence[Interval], day: datetime) -> Iterable[Stretch]:
    """What samples on the quarter of an hour see of intervals on a day, its end included."""
    for start, end, wanted, *_ in spans:
        grid = [day + number * STEP for number in range(97) if start <= day + number * STEP < end]
        if grid:
            yield Stretch(grid[0], grid[-1], wanted)


def empty_ledger(folder: Path) -> Ledger:
    """An empty ledger in a folder."""
    return Ledger.open(new_ledger(folder))


def collected(ledger: Ledger, up_to: str, records: Iterable[Clustered], source: str = "ocp") -> None:
    """Append what was read of a cluster, up to a time (UTC)."""
    with ledger.writer(source) as writer:
        run = writer.begin(Mode.CHANGES, None)
        writer.finish(run, at(up_to), at(up_to), records)
