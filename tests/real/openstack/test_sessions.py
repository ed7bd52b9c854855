"""What was done to servers in a real cloud is what their sessions say."""

from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

import schemas
from tests.real.openstack.life import LIVES, Life
from tests.site import Site
from usage import Session

#: Nova's times are whole seconds, and those of its hosts are not quite those of the test.
CLOCKS = timedelta(seconds=2)

#: Operation -> the XDMoD event types that begin a session by it.
BEGINS: dict[str, tuple[int, ...]] = {
    "boot": (1, 2),
    "stop": (44, 45),
    "start": (58, 59),
    "pause": (54, 55),
    "unpause": (56, 57),
    "suspend": (62, 17),
    "resume": (7, 8),
    "shelve": (64, 19),
    "unshelve": (63, 20),
    "confirm": (49,),
    "delete": (5,),
    "force-delete": (5,),
}
Begun = tuple[int, datetime, datetime, str]


@pytest.fixture(scope="session")
def exported(real_lives: dict[str, Life], real_site: Site) -> Site:
    """The site after all lives were led, read and exported."""
    assert real_lives
    real_site.collect(sweep=True)
    real_site.export()
    return real_site


@pytest.fixture(scope="session")
def sessions(exported: Site) -> dict[str, list[Session]]:
    """The sessions rebuilt from the event files, by server."""
    by_server: dict[str, list[Session]] = defaultdict(list)
    for session in exported.sessions():
        by_server[session.instance].append(session)
    for found in by_server.values():
        found.sort(key=lambda session: (session.start_time_ts, session.end_time_ts))
    return by_server


def begun(life: Life) -> list[Begun]:
    """The event types that must begin sessions, each with the bounds of its time and the flavor from then on."""
    told: list[Begun] = []
    flavor = life.steps[0].flavor
    for step in life.steps:
        verb = step.operation.partition(" ")[0]
        types = BEGINS.get(verb, ())
        if verb == "boot" and step.status == "ERROR":
            types = (1,)
        if verb == "confirm":
            flavor = step.flavor
        told += [(number, step.asked - CLOCKS, step.seen + CLOCKS, flavor) for number in types]
    return told


@pytest.mark.parametrize("name", LIVES)
def test_sessions_are_what_was_done(name: str, real_lives: dict[str, Life], sessions: dict[str, list[Session]]) -> None:
    """Each operation begins its sessions in its time, with the size that the server then had, and nothing else does."""
    life = real_lives[name]
    found, told = sessions[life.server], begun(life)
    # Within one second, sessions do not tell in which order they came.
    order = [number for number, *_ in told]
    found.sort(key=lambda it: (it.start_time_ts, it.end_time_ts, order.index(it.start_event_type_id)))
    assert [session.start_event_type_id for session in found] == [number for number, *_ in told]
    for session, (_, earliest, latest, flavor) in zip(found, told, strict=True):
        assert earliest.timestamp() <= session.start_time_ts <= latest.timestamp()
        assert session.instance_type == flavor
        assert session.project == life.member.project
        assert session.username == life.member.user


def test_every_event_is_what_xdmod_accepts(exported: Site, xdmod_data: Path) -> None:
    """XDMoD's own schema takes each record, and its map knows each type."""
    theirs = jsonschema_rs.validator_for(
        msgspec.json.decode((xdmod_data / "schemas" / "schemas-cloud_openstack-event.schema.json").read_bytes())
    )
    rows: list[list[Any]] = msgspec.json.decode(
        (xdmod_data / "schemas" / "data-cloud_openstack-openstack_event_map.json").read_bytes()
    )
    known = {row[2] for row in rows[1:]}
    for event in exported.events():
        assert theirs.is_valid(event)
        assert schemas.validator("openstack-event").is_valid(event)
        assert event["event_type"] in known


def test_nothing_new_is_nothing_written(exported: Site) -> None:
    """A second reading of an unchanged cloud appends nothing, and a second export writes nothing."""
    before = exported.bytes()
    assert exported.collect(sweep=True).counts["appended"] == 0
    assert not [file for done in exported.export() for file in done.files]
    assert exported.bytes() == before


def test_every_hop_agrees(exported: Site) -> None:
    """Nova, the ledger, the files and the sessions say the same."""
    exported.run("verify", "openstack")
