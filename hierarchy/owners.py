"""To whom the projects of a cloud belonged through time: what usage is counted for."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import Connection

from hierarchy.history import as_of, between, first_states
from hierarchy.records import Item, ItemId, Level, State
from ledger import Ledger
from ledger.database import reading
from ledger.ownership import ProjectKey

__all__ = ["ALWAYS", "Label", "Owner", "owners"]

#: Longer than any session lasts, on both sides.
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class Label(NamedTuple):
    """What usage calls a project of a cloud: its name and the name of its domain; none where that does not matter."""

    name: str
    domain: str | None = None


class Owner(NamedTuple):
    """Who owned what has a label in a cloud, within `[since, until)` (UTC). Names are the shown ones.

    `pi_identity` tells apart PIs of one name, and is one for a PI of two fields. `key` is that of the project,
    `cloud_project` that of what has the label in the cloud.
    """

    label: Label
    since: datetime
    until: datetime
    institution: str
    pi: str
    pi_identity: str
    key: ProjectKey
    cloud_project: ProjectKey


class _Stretch(NamedTuple):
    """A part of the life of one project of a cloud, which was first seen at `seen`."""

    since: datetime
    until: datetime
    seen: datetime
    active: bool
    id: ItemId
    owner: Owner


def owners(
    ledger: Ledger,
    cloud: str,
    window: tuple[datetime, datetime],
    labels: Mapping[str, Collection[Label]] | None = None,
) -> list[Owner]:
    """Who owned each project of a cloud within a window (UTC), by label and time.

    `labels` are those that are known for an id in the cloud; the names of the hierarchy serve for the others. Every
    label is covered, without gap or overlap, over all of `ALWAYS`: before it was first seen it belongs to whoever had
    the research project then, before all to the first that had it, and after its end to its last owner. Where two bore
    it, it is the active one's, of several the latest one's.
    """
    with reading(ledger.engine) as connection:
        lives = _lives(connection, window)
    labelled: dict[Label, list[_Stretch]] = defaultdict(list)
    for states in lives.values():
        item = states[0].item
        if item.level is Level.CLOUD_PROJECT and item.name.startswith(f"{cloud}/"):
            known = (labels or {}).get(item.name.removeprefix(f"{cloud}/"))
            for stretch in _stretches(states, lives):
                for label in known or [stretch.owner.label]:
                    labelled[label].append(stretch._replace(owner=stretch.owner._replace(label=label)))
    told_apart = {label.name for label in labelled if label.domain is not None}
    return [
        owner
        for label, stretches in sorted(labelled.items(), key=lambda pair: (pair[0].name, pair[0].domain or ""))
        if label.domain is not None or label.name not in told_apart
        for owner in _unambiguous(stretches)
    ]


def _lives(connection: Connection, window: tuple[datetime, datetime]) -> dict[ItemId, list[State]]:
    """The states of every item that matter in a window; the first of each holds from the beginning of time."""
    lives: dict[ItemId, list[State]] = {}
    for state in as_of(connection, window[0]):
        lives[state.item.id] = [state]
    for state in first_states(connection, after=window[0]):
        lives[state.item.id] = [state]
    for state in between(connection, *window):
        if lives[state.item.id][-1].since < state.since:
            lives[state.item.id].append(state)
    return lives


def _stretches(states: Sequence[State], lives: Mapping[ItemId, Sequence[State]]) -> Iterator[_Stretch]:
    """The life of one project of a cloud, cut wherever it or anything above it changed."""
    bounds = {ALWAYS[0]}
    queue, seen = [states[0].item.id], set[ItemId]()
    while queue:
        id = queue.pop()
        if id not in seen:
            seen.add(id)
            bounds.update(state.since for state in lives[id][1:])
            queue += [state.item.parent for state in lives[id] if state.item.parent is not None]
    ordered = sorted(bounds)
    for since, until in zip(ordered, [*ordered[1:], ALWAYS[1]], strict=True):
        chain = {item.level: item for item in _chain(states[0].item.id, lives, since)}
        item = chain[Level.CLOUD_PROJECT]
        owner = Owner(
            Label(item.display),
            since,
            until,
            chain[Level.INSTITUTION].display,
            chain[Level.PI].display,
            chain[Level.PI].name.partition("/")[0],
            ProjectKey(chain[Level.PROJECT].name),
            ProjectKey(item.name),
        )
        yield _Stretch(since, until, states[0].since, item.active, item.id, owner)


def _chain(id: ItemId, lives: Mapping[ItemId, Sequence[State]], moment: datetime) -> Iterator[Item]:
    """An item and all above it, as they were at a moment."""
    above: ItemId | None = id
    while above is not None:
        states = lives[above]
        item = next((state.item for state in reversed(states) if state.since <= moment), states[0].item)
        yield item
        above = item.parent


def _unambiguous(stretches: Sequence[_Stretch]) -> Iterator[Owner]:
    """One owner at a time of what bears one name; neighbours that say the same become one."""
    bounds = sorted({*ALWAYS, *(time for one in stretches for time in (one.since, one.until, one.seen))})
    last: Owner | None = None
    for since, until in pairwise(bounds):
        owner = _owner_at(stretches, since)._replace(since=since, until=until)
        if last is None:
            last = owner
        elif last._replace(since=since, until=until) == owner:
            last = last._replace(until=until)
        else:
            yield last
            last = owner
    if last is not None:
        yield last


def _owner_at(stretches: Iterable[_Stretch], moment: datetime) -> Owner:
    """Who has a name at a moment; else whoever had it last, else who owns then what is going to have it first."""

    def rank(one: _Stretch) -> tuple[bool, bool, bool, float, int, bool]:
        begin = max(one.since, one.seen)
        if begin > moment:
            return False, False, False, -begin.timestamp(), -one.id, one.since <= moment < one.until
        if one.until <= moment:
            return True, False, False, one.until.timestamp(), one.id, False
        return True, True, one.active, 0, one.id, True

    return max(stretches, key=rank).owner
