"""Makes records of what was seen of pods: who bore which name when, and what it asked for.

Most pods ask for the same from their first sample to their last. Those are told by the ends of their series; only the
others are gone through point by point.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import msgspec

from collectors.openshift.grid import Grid
from collectors.openshift.models import Models
from collectors.openshift.points import Times, Uid, lives_of
from collectors.openshift.queries import LOOKBACK
from collectors.openshift.seen import Pods, Seen
from collectors.openshift.values import BadValue, count, cpu, instant, size
from ledger import Rejected
from ledger.cluster import Demand, Pod, Stretch

__all__ = ["Assembly"]

_FIELDS = {"created": "created", "start_time": "started", "completion_time": "completed"}
_NOTHING = Times()
_COUNTED = ("pods", "without uid", "without request", "shorter than a step", "conflicts")


class Assembly:
    """Makes the records of one window. `rejected` and `counts` are filled meanwhile.

    `begun` says when a pod was first sampled that is known by its name only, and was there at the window's begin.
    """

    def __init__(self, grid: Grid, models: Models, begun: Callable[[str, str], datetime | None]) -> None:
        self._grid, self._models, self._begun = grid, models, begun
        self.rejected: list[Rejected] = []
        self.counts = Counter[str](dict.fromkeys(_COUNTED, 0))

    def records(self, pods: Pods) -> Iterator[Pod]:
        """The records, by namespace and name. A pod with a value that cannot be meant is set aside whole."""
        for (namespace, name), seen in sorted(pods.items()):
            try:
                yield from self._records(namespace, name, seen)
            except BadValue as error:
                said = msgspec.json.encode({"namespace": namespace, "pod": name, **_shown(seen)}).decode()
                self.rejected.append(Rejected(f"Pod {namespace}/{name} of {self._grid.since}: {error}", said))

    def _records(self, namespace: str, name: str, seen: Seen) -> Iterator[Pod]:
        seen.tidy()
        times = self._times(namespace, name, seen)
        plain = self._plain(seen, times)
        if plain:
            yield self._pod(namespace, name, seen, seen.who[0].uid, times, [plain])
            return
        told = {uid for uid, known in times.items() if uid and self._is_news(known)}
        if not seen.requests and not seen.short and _ended_before(seen):
            lives = dict[Uid, list[Stretch]]()
        else:
            lives, conflicts = lives_of(seen, self._grid, times, self._demand)
            self.counts["conflicts"] += conflicts
        for uid in sorted({*lives, *told}, key=lambda uid: uid or ""):
            yield self._pod(namespace, name, seen, uid, times, lives.get(uid, []))

    def _is_news(self, times: Times) -> bool:
        """Whether an end is told that may concern the last interval of the window before."""
        return times.completed is not None and self._grid.since - self._grid.step <= times.completed < self._grid.until

    def _plain(self, seen: Seen, times: Mapping[Uid, Times]) -> Stretch | None:
        """The one stretch of a name that one pod bore, asking for the same all the time."""
        if len(seen.who) != 1 or not seen.requests or seen.short:
            return None
        who, asked = seen.who[0], seen.requests[0]
        first, last, _ = asked.runs[0]
        if len(who.runs) > 1 or who.runs[0].first > first or who.runs[0].last < last:
            return None
        if any(over.runs[0].first <= last for over in seen.over):
            return None
        completed = times.get(who.uid, _NOTHING).completed
        if completed and completed <= self._grid.times[last] <= completed + LOOKBACK:
            return None
        requests, limits = dict[str, str](), dict[str, str]()
        for one in seen.requests:
            begin, end, requests[one.resource] = one.runs[0]
            if len(one.runs) > 1 or begin != first or end != last or one.node != asked.node:
                return None
        for one in seen.limits:
            begin, end, limits[one.resource] = one.runs[0]
            if len(one.runs) > 1 or begin > first or end < last:
                return None
        if len(requests) != len(seen.requests) or len(limits) != len(seen.limits):
            return None
        has_gpus = len(requests) > ("cpu" in requests) + ("memory" in requests)
        if has_gpus and self._models.changes(asked.node, first, last):
            return None
        return Stretch(
            self._grid.times[first], self._grid.times[last], self._demand(asked.node, requests, limits, first)
        )

    def _demand(self, node: str, requests: Mapping[str, str], limits: Mapping[str, str], point: int) -> Demand:
        gpus = {name: count(value) for name, value in requests.items() if name not in ("cpu", "memory")}
        return Demand(
            node,
            cpu(requests["cpu"]) if "cpu" in requests else None,
            size(requests["memory"]) if "memory" in requests else None,
            gpus,
            self._models.at(node, point) if gpus else None,
            cpu(limits["cpu"]) if "cpu" in limits else None,
            size(limits["memory"]) if "memory" in limits else None,
        )

    def _times(self, namespace: str, name: str, seen: Seen) -> dict[Uid, Times]:
        """What is told of each pod; the newest, where several series tell."""
        times = dict[Uid, Times]()
        for uid, what, seconds in seen.told:
            field, known = _FIELDS[what], times.get(uid, _NOTHING)
            try:
                told = instant(seconds)
            except BadValue as error:
                reason = f"Pod {namespace}/{name} of {self._grid.since}: kube_pod_{what}: {error}"
                self.rejected.append(Rejected(reason, msgspec.json.encode([uid, what, seconds]).decode()))
                continue
            if (getattr(known, field) or told) <= told:
                times[uid] = known._replace(**{field: told})
        return times

    def _pod(
        self,
        namespace: str,
        name: str,
        seen: Seen,
        uid: Uid,
        times: Mapping[Uid, Times],
        stretches: list[Stretch],
    ) -> Pod:
        who = next((who for who in reversed(seen.who) if who.uid == uid), None)
        over = [one for one in seen.over if one.uid == uid]
        labels = sorted((one for one in seen.labels if one.uid == uid), key=lambda one: one.runs[-1].last)
        self._count(uid, stretches)
        return Pod(
            namespace,
            name,
            self._grid.since,
            self._grid.until,
            self._grid.seconds,
            uid or None,
            None if uid else self._first(namespace, name, stretches),
            *times.get(uid, _NOTHING),
            who.owner_kind if who else "",
            who.owner_name if who else "",
            max(over, key=lambda one: one.runs[-1].last).phase if over else "",
            {one.label: one.value for one in labels},
            tuple(stretches),
        )

    def _first(self, namespace: str, name: str, stretches: list[Stretch]) -> datetime:
        first = stretches[0].first
        return (self._begun(namespace, name) or first) if first == self._grid.since else first

    def _count(self, uid: Uid, stretches: list[Stretch]) -> None:
        self.counts["pods"] += 1
        self.counts["without uid"] += not uid
        self.counts["without request"] += any(not (one.demand.cpu or one.demand.memory) for one in stretches)
        self.counts["shorter than a step"] += any(one.between for one in stretches)


def _ended_before(seen: Seen) -> bool:
    """Whether all pods of a name had ended when they were first seen."""
    ended = {over.uid: over.runs[0].first for over in seen.over}
    return all(who.uid in ended and ended[who.uid] <= who.runs[0].first for who in seen.who)


def _shown(seen: Seen) -> dict[str, object]:
    return {name: getattr(seen, name) for name in Seen.__slots__}
