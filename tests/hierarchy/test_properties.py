"""Random sites through random times: what holds of the history whatever happens."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hierarchy import HierarchySettings
from hierarchy.history import as_of, current, life
from hierarchy.owners import ALWAYS, Owner, owners
from hierarchy.records import Item, Level
from ledger import Ledger
from ledger.database import reading
from ledger.ownership import CloudProject
from tests.hierarchy.estate import Estate, at, new_ledger

# To shrink a failing site would take minutes: every attempt is a ledger of its own.
FEW = settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
START = at("2025-01-01")
NAMES = ("one", "two", "Two", "three")


class Change(NamedTuple):
    """What happens to the site: what kind of thing, which of them, and three choices of what it becomes."""

    kind: str
    which: int
    first: int
    second: int
    third: int


class Day(NamedTuple):
    """A run so long after the one before, once that has happened; sources may be missing."""

    after: timedelta
    changes: list[Change]
    without: tuple[str, ...]


few = st.integers(0, 3)
changes = st.builds(
    Change, st.sampled_from(["person", "project", "allocation", "allocation", "keystone"]), few, few, few, few
)
days = st.builds(
    Day,
    st.sampled_from([timedelta(0), timedelta(seconds=1), timedelta(days=1)]),
    st.lists(changes, min_size=1, max_size=4),
    st.sampled_from([(), (), (), ("keycloak",), ("stack",), ("keycloak", "stack")]),
)
#: A site begins with something in it, or the first days would be those of an empty one.
begun = st.lists(changes, min_size=8, max_size=16).map(lambda changes: Day(timedelta(0), changes, ()))
lives = st.builds(lambda first, later: [first, *later], begun, st.lists(days, min_size=1, max_size=5))


def apply(estate: Estate, change: Change) -> None:
    """Let one thing appear, become another, or go."""
    id = str(change.which)
    match change.kind:
        case "person" if change.third == 3:
            estate.people.pop(id, None)
        case "person":
            institution, field = ("A", "a", "B", None)[change.first], ("x", "X", "y", None)[change.second]
            estate.person(id, institution, field, first=("Ann", "Bob", "")[change.third], last=id)
        case "project":
            pi = ("0@example.org", "1@example.org", "nobody@example.org", "")[change.first]
            status = ("Active", "Active", "Archived", "New")[change.third]
            estate.project(id, NAMES[change.second], pi, status=status, field=("x", None)[change.third % 2])
        case "allocation":
            status = ("Active", "Active", "Renewal Requested", "Expired")[change.second]
            cloud, named = estate.clouds[change.third % 2], NAMES[change.third]
            estate.allocation(
                id, str(change.first), cloud, f"c{change.second}", status=status, cloud_project_name=named
            )
        case _ if change.third == 3:
            estate.keystone.pop(id, None)
        case _:
            parent = f"c{change.first}"
            estate.keystone[id] = CloudProject("stack", f"c{id}", NAMES[change.second], "default", parent=parent)


@contextmanager
def lived(days: list[Day]) -> Iterator[tuple[Estate, list[tuple[datetime, list[Item]]]]]:
    """A site, and the items right after each of its runs with the time that the run was given."""
    with TemporaryDirectory() as folder:
        estate = Estate(Ledger.open(new_ledger(Path(folder))))
        estate.settings = HierarchySettings(accepted_removals=1000)
        seen, moment = list[tuple[datetime, list[Item]]](), START
        for day in days:
            for change in day.changes:
                apply(estate, change)
            moment += day.after
            kept = estate.run(moment, without=day.without)
            seen.append((kept.at, now(estate)))
        yield estate, seen
        estate.ledger.engine.dispose()


def now(estate: Estate) -> list[Item]:
    with reading(estate.ledger.engine) as connection:
        return list(current(connection))


def chain(item: Item, items: dict[int, Item]) -> Iterator[Item]:
    """An item and all above it."""
    yield item
    if item.parent is not None:
        yield from chain(items[item.parent], items)


@FEW
@given(lives)
def test_whatever_happens_the_history_holds_together(days: list[Day]) -> None:
    """Present and past agree, ids are for ever, what is active hangs on the tree, and the same again writes nothing."""
    with lived(days) as (estate, seen):
        assert_past_and_present_agree(estate, seen)
        assert_ids_are_for_ever(estate)
        for _, items in seen:
            assert_active_below_active(items)
        history = estate.history()
        kept = estate.run(seen[-1][0] + timedelta(days=1), without=days[-1].without)
        assert (kept.counts["appended"], kept.counts["changed"]) == (0, 0)
        assert estate.history() == history


def assert_past_and_present_agree(estate: Estate, seen: list[tuple[datetime, list[Item]]]) -> None:
    """The present is the newest rows of the history, and the history as of each run is what that run left."""
    with reading(estate.ledger.engine) as connection:
        for item in current(connection):
            assert life(connection, item.id)[-1].item == item
        assert len({row[0] for row in estate.history()}) == len(seen[-1][1])
        for moment, items in seen:
            assert [state.item for state in as_of(connection, moment)] == items
        for (moment, items), (following, _) in pairwise(seen):
            assert moment < following
            between = [state.item for state in as_of(connection, following - timedelta(microseconds=1))]
            assert between == items


def assert_ids_are_for_ever(estate: Estate) -> None:
    """No id ever has another level or name, no thing a second id, and no run writes two rows of one item."""
    history = estate.history()
    things = {(row[0], row[2], row[3]) for row in history}
    assert len(things) == len({thing[0] for thing in things}) == len({thing[1:] for thing in things})
    assert max(Counter((row[0], row[1]) for row in history).values()) == 1
    assert {row[0] for row in history} == set(range(1, len(things) + 1))
    by_id = defaultdict(list)
    for row in history:
        by_id[row[0]].append(row[4:])
    # A row that says what the one before it said would be a change that nobody made.
    assert all(first != second for states in by_id.values() for first, second in pairwise(states))


def assert_active_below_active(items: list[Item]) -> None:
    """Every active item has an active parent of the level above; the unknown is always among them."""
    levels = list(Level)
    active = {item.id: item for item in items if item.active}
    assert {1, 2} <= active.keys()
    for item in active.values():
        depth = levels.index(item.level)
        above = active.get(item.parent) if item.parent else None
        assert (above.level if above else None) == (levels[depth - 1] if depth else None)


@FEW
@given(lives, st.tuples(st.integers(0, 8), st.integers(0, 8)))
def test_every_name_has_one_owner_at_a_time(days: list[Day], window: tuple[int, int]) -> None:
    """Usage under any name that ever was is counted once, whatever its time, and for whoever had it then."""
    with lived(days) as (estate, seen):
        for cloud in ("stack", "ocp-prod"):
            told = owners(estate.ledger, cloud, ALWAYS)
            by_name = by_names(told)
            for stretches in by_name.values():
                assert (stretches[0].since, stretches[-1].until) == ALWAYS
                assert all(first.until == second.since for first, second in pairwise(stretches))
                assert all(one.since < one.until for one in stretches)
            for moment, items in seen:
                assert_owned(by_name, cloud, moment, items)
            start, end = (START + timedelta(hours=12 * half) for half in (min(window), max(window) + 1))
            asked = owners(estate.ledger, cloud, (start, end))
            assert at_times(asked, start, end).items() <= at_times(told, start, end).items()
            for moment, items in seen:
                if start <= moment < end:
                    assert_owned(by_names(asked), cloud, moment, items)


def by_names(told: list[Owner]) -> dict[str, list[Owner]]:
    """The owners of each name."""
    found: dict[str, list[Owner]] = defaultdict(list)
    for owner in told:
        found[owner.label.name].append(owner)
    return found


def assert_owned(told: dict[str, list[Owner]], cloud: str, moment: datetime, items: list[Item]) -> None:
    """At that moment each name that only one active project has is told as that one's."""
    here = [item for item in items if item.level is Level.CLOUD_PROJECT and item.active]
    here = [item for item in here if item.name.startswith(f"{cloud}/")]
    names = Counter(item.display for item in here)
    for item in here:
        if names[item.display] == 1:
            [owner] = [one for one in told[item.display] if one.since <= moment < one.until]
            _, project, pi, _, institution = chain(item, {item.id: item for item in items})
            assert (owner.key, owner.pi, owner.institution) == (project.name, pi.display, institution.display)


def at_times(told: list[Owner], start: datetime, end: datetime) -> dict[tuple[str, datetime], tuple[object, ...]]:
    """Who owned what in a window, every six hours."""
    return {
        (one.label.name, moment): (one.institution, one.pi_identity, one.key)
        for moment in (start + timedelta(hours=6 * step) for step in range((end - start) // timedelta(hours=6)))
        for one in told
        if one.since <= moment < one.until
    }
