"""The lines of a statement have every second that the usage report has, once, and cost what the whole costs."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings

from hierarchy.projects import Projects
from reporter import usage_report
from reporter.charges.reckoning import Reckoned, charges_of, reckon
from reporter.restriction import Chosen
from reporter.statements.lines import make_lines, name_projects, name_servers, read_lines
from reporter.statements.records import StatementLine
from tests.reporter.conftest import Desk
from tests.reporter.histories import event, put
from tests.reporter.test_attribution import OCTOBER, Ownership, ownerships
from tests.reporter.test_charges import by, cards, lives, simple
from usage import Engine, Session
from usage.rates import Card, printed

HOUR = 3600
NAMES = [("i-1", datetime(2026, 10, 5, 1, tzinfo=UTC), "old"), ("i-1", datetime(2026, 10, 5, 9, tzinfo=UTC), "new")]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine that many examples share."""
    with Engine(threads=2) as shared:
        yield shared


def lines_of(engine: Engine, reckoned: Reckoned, projects: Projects, chosen: Chosen) -> list[StatementLine]:
    """The lines of what was chosen."""
    with engine.connection.cursor() as cursor:
        name_projects(cursor, reckoned, projects)
        name_servers(cursor, NAMES)
        more = make_lines(cursor, reckoned, chosen, projects)
    return list(read_lines(engine.connection, reckoned, more))


def test_sessions_that_go_on_are_one_line(desk: Desk) -> None:
    """To be resumed while running parts sessions and no lines; a resize does; a line has the name of its end."""
    desk.report(
        event("2026-10-05 00:00:00", "create.end"),
        event("2026-10-05 03:00:00", "resume.end"),
        event("2026-10-05 08:00:00", "power_off.end"),
        event("2026-10-05 09:00:00", "power_on.end"),
        event("2026-10-05 10:00:00", "resize.confirm.end", flavor="m1.large", cores=4),
        event("2026-10-05 12:00:00", "delete.end", flavor="m1.large", cores=4),
    )
    assert desk.report().total.sessions > 4
    reckoned = reckon(desk.engine, "sim", OCTOBER, (), Projects(), by(simple()))
    found = lines_of(desk.engine, reckoned, Projects(), Chosen())
    assert [(one.server, one.flavor, one.state, one.seconds // HOUR, one.units, one.note) for one in found] == [
        ("old", "m1.small", "active", 8, 16, ""),
        ("new", "m1.small", "inactive", 1, None, "not charged"),
        ("new", "m1.small", "active", 1, 2, ""),
        ("new", "m1.large", "active", 2, 8, ""),
    ]


@given(lives(), cards(), ownerships())
@settings(max_examples=60, deadline=None)
def test_no_second_and_no_cent_is_lost(
    engine: Engine, sessions: list[Session], card: Card, ownership: Ownership
) -> None:
    """Of each project they have the time in each state, and what it costs, whoever owns it and however hours round."""
    put(engine, sessions)
    projects = Projects(ownership.facts)
    reckoned = reckon(engine, "sim", OCTOBER, ownership.owners, projects, by(card))
    report = usage_report(engine, OCTOBER, ownership.owners, projects)
    for group in report.projects:
        chosen = Chosen(called=(group.name,))
        found = lines_of(engine, reckoned, projects, chosen)
        seconds = Counter[str | None]()
        for one in found:
            seconds[one.state] += one.seconds
        for state in ("active", "inactive", "shelved", "other"):
            assert seconds[state] == getattr(group.used, state)
        with engine.connection.cursor() as cursor:
            charges = charges_of(cursor, reckoned, by(card), chosen)
        assert printed(sum((one.cost or Fraction() for one in found), Fraction())) == charges.total
        for before, after in pairwise(found):
            if before.instance is not None and before.instance == after.instance:
                assert before.end is not None
                assert after.start is not None
                assert before.end <= after.start


def test_without_a_card(desk: Desk) -> None:
    """There are hours and nothing else, and no word on what is not charged."""
    desk.report(event("2026-10-05 00:00:00", "create.end"), event("2026-10-05 01:00:00", "delete.end"))
    reckoned = reckon(desk.engine, "sim", OCTOBER, (), Projects(), None)
    (found,) = lines_of(desk.engine, reckoned, Projects(), Chosen())
    assert (found.seconds, found.charged, found.unit, found.cost, found.note, found.path) == (
        HOUR,
        0,
        None,
        None,
        "",
        None,
    )
