"""The list of sessions, as it is made of what a warehouse sends."""

import csv
from datetime import UTC, datetime
from typing import cast

import pytest

from hierarchy.owners import ALWAYS, Label, Owner
from ledger import DataError
from ledger.ownership import ProjectKey
from reporter.periods import Period
from reporter.session_list import Chosen
from reporter.xdmod.lines import Lister
from reporter.xdmod.names import XdmodNames

OCTOBER = Period.month("2026-10")
FIRST, LIMIT = OCTOBER.seconds
MOVED = FIRST + 3600
NAMES = cast(XdmodNames, {"accounts": {2: "lab"}, "domains": {}, "users": {}, "flavors": {}, "hosts": {}})


def listed(*sessions: tuple[int, int], moved: int = MOVED, institution: str | None = None) -> list[tuple[str, ...]]:
    """The institution of each line, and the part of the period that counts; the project moved from North to South."""
    then, key = datetime.fromtimestamp(moved, UTC), ProjectKey("1")
    owners = [
        Owner(Label("lab"), ALWAYS[0], then, "North", "PI", "pi", key, key),
        Owner(Label("lab"), then, ALWAYS[1], "South", "PI", "pi", key, key),
    ]
    lister = Lister(NAMES, None, owners, "cloud", OCTOBER, Chosen(institution=institution))
    told = "\n".join(f"{start},{end},2,6,1,2,1024,20,1,2,1,-1,-1,-1,1" for start, end in sessions)
    lines = csv.reader(lister.block([f"{len(sessions)},7,3,vm1{told}"]).splitlines())
    return [(line[5], *(time[8:19] for time in line[11:13])) for line in lines]


@pytest.mark.parametrize("moved", [MOVED, FIRST])
def test_an_instant_belongs_to_who_has_the_project_from_then_on(moved: int) -> None:
    """It is listed once, whichever institution is asked for."""
    whole = listed((moved, moved), moved=moved)
    assert [name for name, *_ in whole] == ["South"]
    assert listed((moved, moved), moved=moved, institution="South") == whole
    assert listed((moved, moved), moved=moved, institution="North") == []


def test_a_session_is_cut_where_its_project_moved() -> None:
    """Each institution has its part, alone and beside the other."""
    north, south = listed((FIRST - 60, LIMIT + 60))
    assert north == ("North", "01T00:00:00", "01T01:00:00")
    assert south == ("South", "01T01:00:00", "01T00:00:00")
    assert listed((FIRST - 60, LIMIT + 60), institution="North") == [north]
    assert listed((FIRST - 60, LIMIT + 60), institution="South") == [south]
    assert listed((FIRST, MOVED), institution="North") == [north]
    assert listed((MOVED, LIMIT), institution="South") == [south]


@pytest.mark.parametrize("session", [(FIRST, 2**40), (FIRST, 2**62), (-(2**40), LIMIT)])
def test_a_time_that_no_calendar_has(session: tuple[int, int]) -> None:
    """It is said of which server it is, and in which numbers."""
    with pytest.raises(DataError, match=rf"server vm1 from {session[0]} to {session[1]}, .* no calendar has"):
        listed(session)
