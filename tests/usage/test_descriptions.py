"""What describes a session: its flavor, project, names, sizes, and which file's word counts."""

from datetime import date
from pathlib import Path

import pytest

from tests.usage.histories import Event, event, rebuilt, write
from usage import Engine, Session


def one(engine: Engine, folder: Path, *history: Event) -> Session:
    (session,) = rebuilt(engine, folder, *history)
    return session


def test_a_session_is_described_by_its_start(engine: Engine, tmp_path: Path) -> None:
    """Flavor, host, user, domain and disk come from the start event, whatever later ones say."""
    later = {"host": "node2", "user_name": "bob", "domain": "other", "disk_gb": "99", "vcpus": "8"}
    session = one(engine, tmp_path, event("10:00:00", "create.end"), event("11:00:00", "exists", **later))
    assert (session.host, session.username, session.domain) == ("node1", "alice", "Default")
    assert (session.instance_type, session.num_cores, session.memory_mb, session.disk_gb) == ("c1.m4", 1, 4096, 20)


def test_the_project_is_that_of_the_earliest_event(engine: Engine, tmp_path: Path) -> None:
    """An instance belongs to the project of its earliest event, of whatever type, for all its history."""
    sessions = rebuilt(
        engine,
        tmp_path,
        event("12:00:00", "delete.end", project_id="p-3", project_name="projthree"),
        event("11:00:00", "create.end", project_id="p-2", project_name="projtwo"),
        event("10:00:00", "update"),
    )
    assert [session.project for session in sessions] == ["projone"]


def test_a_project_keeps_its_first_name(engine: Engine, tmp_path: Path) -> None:
    """A project is told by its id and called what it was first called."""
    renamed = event("12:00:00", "create.end", instance_id="vm2", project_name="renamed")
    sessions = rebuilt(engine, tmp_path, event("10:00:00", "create.end"), renamed)
    assert [session.project for session in sessions] == ["projone", "projone"]


@pytest.mark.parametrize(("field", "attribute"), [("host", "host"), ("user_name", "username"), ("domain", "domain")])
def test_what_is_missing_is_unknown(engine: Engine, tmp_path: Path, field: str, attribute: str) -> None:
    """A session whose start lacks a description is kept, with that unknown."""
    assert getattr(one(engine, tmp_path, event("10:00:00", "create.end", **{field: None})), attribute) is None


def test_a_project_without_an_id_is_unknown(engine: Engine, tmp_path: Path) -> None:
    """A project's name without its id names no project."""
    assert one(engine, tmp_path, event("10:00:00", "create.end", project_id=None)).project is None


@pytest.mark.parametrize(
    ("disk", "gigabytes"), [(None, 0), ("20", 20), ("20.7", 21), ("20.5", 21), ("", 0), ("1e1", 10)]
)
def test_disk_is_a_rounded_number(engine: Engine, tmp_path: Path, disk: str | None, gigabytes: int) -> None:
    """Disk is rounded to whole GB, and 0 when it is missing or no number."""
    assert one(engine, tmp_path, event("10:00:00", "create.end", disk_gb=disk)).disk_gb == gigabytes


@pytest.mark.parametrize(
    ("vcpus", "memory", "buckets"),
    [
        (0, 0, (0, 0)),
        (1, 1, (1, 1)),
        (3, 2047, (2, 1)),
        (4, 2048, (3, 2)),
        (11, 8192, (4, 3)),
        (32, 65535, (6, 6)),
        (33, 65536, (7, 7)),
        (128, 131073, (7, 8)),
    ],
)
def test_sizes_fall_into_buckets(
    engine: Engine, tmp_path: Path, vcpus: int, memory: int, buckets: tuple[int, int]
) -> None:
    """Cores and memory fall into XDMoD's buckets; nothing of either falls into none."""
    session = one(engine, tmp_path, event("10:00:00", "create.end", vcpus=vcpus, memory_mb=memory))
    assert (session.processorbucket_id, session.memorybucket_id) == buckets


def test_a_flavor_may_be_redefined_later(engine: Engine, tmp_path: Path) -> None:
    """A later definition of a flavor leaves earlier sessions as they are."""
    sessions = rebuilt(
        engine,
        tmp_path,
        event("10:00:00", "create.end", vcpus="1"),
        event("11:00:00", "delete.end", vcpus="1"),
        event("12:00:00", "create.end", instance_id="vm2", vcpus="2"),
    )
    assert [session.num_cores for session in sessions] == [1, 2]


def test_two_definitions_of_a_flavor_at_one_instant(engine: Engine, tmp_path: Path) -> None:
    """Of two definitions of one flavor at one instant, one loses its sessions."""
    sessions = rebuilt(
        engine,
        tmp_path,
        event("10:00:00", "create.end", vcpus="1"),
        event("10:00:00", "create.end", instance_id="vm2", vcpus="2"),
    )
    assert [session.num_cores for session in sessions] == [2]


def test_what_starts_after_today_is_dropped(engine: Engine, tmp_path: Path) -> None:
    """A session that starts later than the last second of the day of the ingest has no flavor yet."""
    folder = write(tmp_path, event("10:00:00", "exists"), event("2026-03-02T00:00:00", "create.end"))
    engine.read(folder, today=date(2026, 3, 1))
    assert [session.start_event_type_id for session in engine.sessions()] == [16]
    engine.read(folder, today=date(2026, 3, 2))
    assert [session.start_event_type_id for session in engine.sessions()] == [16, 2]


def test_names_are_cut_as_the_database_cuts_them(engine: Engine, tmp_path: Path) -> None:
    """Names are cut by characters, not bytes, and may hold quotes and backslashes."""
    long = 'ø"\\' * 100
    names = dict.fromkeys(("instance_id", "host", "instance_type", "project_name", "user_name", "domain"), long)
    session = one(engine, tmp_path, event("10:00:00", "create.end", **names))
    assert {session.instance, session.host, session.instance_type, session.domain} == {long[:64]}
    assert (session.project, session.username) == (long[:256], long[:255])


def test_a_later_file_overrules(engine: Engine, tmp_path: Path) -> None:
    """Of the same event in two files the later by name wins, and one in a folder below wins over both."""
    name = "2026-03-0{}T00:00:00_2026-03-02T00:00:00.json"
    write(tmp_path, event("10:00:00", "create.end", user_name="second"), name=name.format(2))
    write(tmp_path, event("10:00:00", "create.end", user_name="first"), name=name.format(1))
    engine.read(tmp_path)
    assert [session.username for session in engine.sessions()] == ["second"]
    write(tmp_path / "again", event("10:00:00", "create.end", user_name="third"), name=name.format(1))
    engine.read(tmp_path)
    assert [session.username for session in engine.sessions()] == ["third"]
