"""Goes through one name point by point: which pod bore it there, and what it asked for.

Needed where a name was borne by several pods, where a series has gaps or changes, and where a pod asked for nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from collectors.openshift.grid import Grid
from collectors.openshift.queries import LOOKBACK
from collectors.openshift.seen import Asked, Seen
from ledger.cluster import Demand, Stretch

__all__ = ["Lives", "Times", "Uid", "lives_of"]

#: None for a pod of which only the name is known.
Uid = str | None
#: Makes a demand of a node, its requests and limits by resource, and the number of the point.
MakeDemand = Callable[[str, Mapping[str, str], Mapping[str, str], int], Demand]
_Values = dict[str, str]


class Lives(NamedTuple):
    """The stretches of each pod that bore the name, and how many samples contradicted others."""

    stretches: dict[Uid, list[Stretch]]
    conflicts: int


class Times(NamedTuple):
    """What Kubernetes tells of one pod (UTC)."""

    created: datetime | None = None
    started: datetime | None = None
    completed: datetime | None = None


def lives_of(seen: Seen, grid: Grid, times: Mapping[Uid, Times], demand: MakeDemand) -> Lives:
    """Tell the pods of one name apart, and say what each asked for when."""
    bearers = _bearers(seen, grid, times)
    requests, conflicts = _by_point(seen.requests, grid)
    limits = _filled(_by_point(seen.limits, grid)[0], bearers)
    samples, over = defaultdict[Uid, dict[int, Demand]](dict), dict[Uid, tuple[int, Demand]]()
    for point, by_node in enumerate(requests):
        if by_node:
            node, values = list(by_node.items())[-1]
            uid = bearers[point]
            made = demand(node, values, limits[point], point)
            if _is_over(seen, uid, point, grid, times):
                over.setdefault(uid, (point, made))
            else:
                samples[uid][point] = made
    for uid, points in _asking_nothing(seen, grid, times, {*samples, *over}).items():
        samples[uid] = {point: demand(node, {}, limits[point], point) for point, node in points.items()}
    stretches = {uid: _stretches(points, grid) for uid, points in samples.items()}
    for uid, (point, made) in over.items():
        # It had ended before the only sample that shows what it asked for.
        if uid not in stretches and point:
            stretches[uid] = [Stretch(grid.times[point - 1], grid.times[point], made, between=True)]
    for uid, stretch in _short(seen, grid, times, demand):
        if uid not in stretches:
            stretches[uid] = [stretch]
    return Lives(stretches, conflicts)


def _bearers(seen: Seen, grid: Grid, times: Mapping[Uid, Times]) -> list[Uid]:
    """Which pod bore the name at each point: the one made last; where none is told, the last one told before."""
    bearers: list[Uid] = [None] * grid.size
    made = {who.uid: times.get(who.uid, Times()).created or grid.times[who.runs[0].first] for who in seen.who}
    for who in sorted(seen.who, key=lambda who: made[who.uid]):
        for run in who.runs:
            bearers[run.first : run.last + 1] = [who.uid] * (run.last + 1 - run.first)
    first = next((uid for uid in bearers if uid), None)
    for point, uid in enumerate(bearers):
        bearers[point] = first = uid or first
    return bearers


def _by_point(asked: Iterable[Asked], grid: Grid) -> tuple[list[dict[str, _Values]], int]:
    """What is asked for at each point, by node: the one that came last at the end; and how often series contradict."""
    points: list[dict[str, _Values]] = [{} for _ in range(grid.size)]
    conflicts = 0
    for one in sorted(asked, key=lambda one: one.runs[0].first):
        for first, last, value in one.runs:
            for point in range(first, last + 1):
                values = points[point].setdefault(one.node, {})
                conflicts += values.get(one.resource, value) != value
                values[one.resource] = value
    return points, conflicts + sum(len(by_node) > 1 for by_node in points)


def _filled(limits: Iterable[Mapping[str, _Values]], bearers: list[Uid]) -> list[_Values]:
    """The limits at each point; where none is told, those that the pod had before, or has after.

    The metric has no part in what tells samples apart: that it begins or ends a scrape sooner is no change.
    """
    points = [{resource: value for values in one.values() for resource, value in values.items()} for one in limits]
    steps = [(point, point - 1) for point in range(1, len(points))]
    for point, near in [*steps, *((near, point) for point, near in reversed(steps))]:
        if bearers[point] == bearers[near]:
            points[point] = points[near] | points[point]
    return points


def _is_over(seen: Seen, uid: Uid, point: int, grid: Grid, times: Mapping[Uid, Times]) -> bool:
    """Whether a pod that is still shown at a point has ended before it."""
    completed = times.get(uid, Times()).completed
    if completed and timedelta() <= grid.times[point] - completed <= LOOKBACK:
        return True
    return any(run.first <= point <= run.last for over in seen.over if over.uid == uid for run in over.runs)


def _asking_nothing(
    seen: Seen, grid: Grid, times: Mapping[Uid, Times], asking: Iterable[Uid]
) -> dict[Uid, dict[int, str]]:
    """The points, with the node, of pods that run without any request."""
    points = defaultdict[Uid, dict[int, str]](dict)
    for who in seen.who:
        if who.uid in asking:
            continue
        for run in who.runs:
            for point in range(run.first, run.last + 1):
                if not _is_over(seen, who.uid, point, grid, times):
                    points[who.uid][point] = who.node
    # At an edge of the window, the scheduler's metrics may be a scrape behind or ahead.
    edges = ([0], [grid.size - 1])
    return {uid: by_point for uid, by_point in points.items() if list(by_point) not in edges}


def _stretches(points: Mapping[int, Demand], grid: Grid) -> list[Stretch]:
    stretches = list[Stretch]()
    begin = previous = -1
    for point in sorted(points):
        if previous >= 0 and (point != previous + 1 or points[point] != points[begin]):
            stretches.append(Stretch(grid.times[begin], grid.times[previous], points[begin]))
            begin = point
        elif previous < 0:
            begin = point
        previous = point
    if previous >= 0:
        stretches.append(Stretch(grid.times[begin], grid.times[previous], points[begin]))
    return stretches


def _short(seen: Seen, grid: Grid, times: Mapping[Uid, Times], demand: MakeDemand) -> Iterable[tuple[Uid, Stretch]]:
    """The pods that were there between two points, and at neither."""
    points, _ = _by_point(seen.short, grid)
    for point, by_node in enumerate(points):
        # What was there before the first point belongs to the window before.
        if by_node and point:
            node, values = list(by_node.items())[-1]
            before, after = grid.times[point - 1], grid.times[point]
            told = [uid for uid, known in times.items() if known.started and before <= known.started < after]
            yield (told or [None])[0], Stretch(before, after, demand(node, values, {}, point), between=True)
