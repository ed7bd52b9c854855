"""Which files are read, which records are passed over, and what stops a reading."""

import io
from pathlib import Path

import pytest

import schemas
from tests.usage.histories import FILE, event, write
from usage import DAY_COLUMNS, SESSION_COLUMNS, Engine, Skipped, UnreadableEvents

START = event("10:00:00", "create.end")


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("2026-03-01T00:00:00_2026-03-02T00:00:00.json", True),
        ("cloud-2026-03-01T00:00:00_2026-03-02T00:00:00.json.1", True),
        ("below/2026-03-01T00:00:00_2026-03-02T00:00:00.json", True),
        ("far/below/2026-03-01T00:00:00_2026-03-02T00:00:00.json", False),
        ("2026-03-01T00.00.00_2026-03-02T00.00.00.json", False),
        ("2026-03-01T00:00:00Z_2026-03-02T00:00:00Z.json", False),
        ("2026-03-01_2026-03-02.json", False),
    ],
)
def test_files_are_chosen_by_name(engine: Engine, tmp_path: Path, name: str, seen: bool) -> None:
    """A file is read when its name has the two times in it, in the folder or one level below."""
    write(tmp_path)
    path = tmp_path / name
    write(path.parent, START, name=path.name)
    reading = engine.read(tmp_path)
    assert (reading.files, reading.events, reading.sessions) == ((2, 1, 1) if seen else (1, 0, 0))


@pytest.mark.parametrize("content", ["", "\n", "[]", " [ ] \n"])
def test_a_file_may_be_empty(engine: Engine, tmp_path: Path, content: str) -> None:
    """An empty file and an empty array are no events."""
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    assert engine.read(tmp_path).events == 0
    assert list(engine.sessions()) == []
    assert list(engine.days()) == []


def test_a_file_may_begin_with_a_byte_order_mark_or_have_blanks(engine: Engine, tmp_path: Path) -> None:
    """How the JSON is set out does not matter, nor does what is nested in it, nor fields that are not known."""
    text = '\ufeff [ {"event_type" : "compute.instance.create.end" , "raw": {"host": [null]}, '
    text += '"generated":\n"2026-03-01T10:00:00",'
    text += '"instance_id": "\\u0076m", "instance_type": "f", "vcpus": 1, "memory_mb": 2.0 } ]\n\n'
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    assert engine.read(tmp_path).skipped == ()
    assert [(session.instance, session.memory_mb) for session in engine.sessions()] == [("vm", 2)]


def test_several_directories_are_read_together(engine: Engine, tmp_path: Path) -> None:
    """The events of several directories make one history; a later directory overrules an earlier one."""
    write(tmp_path / "a", START | {"user_name": "old"})
    write(tmp_path / "b", START, event("11:00:00", "delete.end"))
    reading = engine.read(tmp_path / "a", tmp_path / "b")
    assert (reading.files, reading.events, reading.sessions) == (2, 3, 1)
    assert [(session.username, session.wallduration) for session in engine.sessions()] == [("alice", 3600)]


@pytest.mark.parametrize("value", [2, "2", 2.0, "2.0", "2e0", " 2"])
def test_an_integer_may_be_a_string_that_holds_one(engine: Engine, tmp_path: Path, value: object) -> None:
    """A field of an integer takes whatever is worth one."""
    write(tmp_path, START | {"vcpus": value})
    assert engine.read(tmp_path).skipped == ()
    assert [session.num_cores for session in engine.sessions()] == [2]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("vcpus", "2.5", "String value found, but an integer is required"),
        ("vcpus", "", "String value found, but an integer is required"),
        ("memory_mb", None, "NULL value found, but an integer is required"),
        ("root_gb", True, "Boolean value found, but an integer is required"),
        ("root_gb", 2.5, "Double value found, but an integer is required"),
        ("instance_type_id", "d2a3b2d8-4c5b", "String value found, but an integer is required"),
        ("disk_gb", 20, "Integer value found, but a string is required"),
        ("host", None, "NULL value found, but a string is required"),
        ("launched_at", None, "NULL value found, but a string is required"),
        ("service", ["nova"], "Array value found, but a string is required"),
        ("tenant_id", {}, "Object value found, but a string is required"),
        ("event_type", None, "NULL value found, but a string is required"),
        ("user_name", 7, "Integer value found, but a string or a null is required"),
    ],
)
def test_a_record_that_fails_the_schema_is_skipped_alone(
    engine: Engine, tmp_path: Path, field: str, value: object, reason: str
) -> None:
    """A record with a field of another kind is passed over and counted; the rest of its file is read."""
    write(tmp_path, START, event("11:00:00", "delete.end") | {field: value}, event("11:30:00", "exists"))
    reading = engine.read(tmp_path)
    assert reading.skipped == (Skipped(tmp_path / FILE, field, reason, 1),)
    assert (reading.events, [session.wallduration for session in engine.sessions()]) == (3, [5400])


def test_a_user_may_be_null(engine: Engine, tmp_path: Path) -> None:
    """A user's name may be null, and then is unknown."""
    write(tmp_path, START | {"user_name": None})
    assert engine.read(tmp_path).skipped == ()
    assert [session.username for session in engine.sessions()] == [None]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('[{"generated": "2026-03-01T10:00:00"', "does not end with the ]"),
        ('[{"generated": "2026-03-01T10:00:00"},', "does not end with the ]"),
        ('{"generated": "2026-03-01T10:00:00"}', "does not end with the ]"),
        ('{"generated": ["2026-03-01T10:00:00"]}\n{}', "does not end with the ]"),
        ('[{"generated": ["2026-03-01T10:00:00"]', "one JSON array"),
        ('[{"generated": "2026-03-01T10:00:00"},]', "one JSON array"),
        ('[{"generated": "2026-03-01T10:00:00"}]\n[]', "one JSON array"),
        ("[5]", "one JSON array"),
        ('["2026"]', "one JSON array"),
        ('[null, "null"]', "one JSON array"),
        ("[null]", "record 1 has no event_type"),
        ('[{"generated": "2026-03-01T10:00:00", "host": "h"}]', "record 1 has no event_type"),
        ('[{"event_type": "image.create", "host": "nullified"}]', "record 1 has no generated"),
    ],
)
def test_what_xdmod_stops_at_is_refused(engine: Engine, tmp_path: Path, content: str, says: str) -> None:
    """A file that XDMoD stops at is refused by name, with the fault and the way out."""
    write(tmp_path, START, name=f"a{FILE}")
    (tmp_path / FILE).write_text(content, encoding="utf-8")
    with pytest.raises(UnreadableEvents) as refused:
        engine.read(tmp_path)
    assert refused.value.path == tmp_path / FILE
    assert says in refused.value.what
    assert str(tmp_path / FILE) in str(refused.value)


def test_a_missing_event_type_is_found_by_its_number(engine: Engine, tmp_path: Path) -> None:
    """A record without a type is named by its place in the file."""
    write(tmp_path, START, {name: value for name, value in START.items() if name != "event_type"}, START)
    with pytest.raises(UnreadableEvents, match="record 2 has no event_type"):
        engine.read(tmp_path)


def test_a_directory_must_be_one_and_hold_events(engine: Engine, tmp_path: Path) -> None:
    """A directory that is missing, or that XDMoD would see nothing in, is refused."""
    with pytest.raises(UnreadableEvents, match="is not a directory"):
        engine.read(tmp_path / "nowhere")
    (tmp_path / "2026-03-01.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UnreadableEvents, match="holds no event file"):
        engine.read(tmp_path)


def test_rows_are_as_their_schemas_say(engine: Engine, tmp_path: Path) -> None:
    """Each session and each day written is valid by the schema of its file, and unknown is empty, but for the host."""
    nothing = dict.fromkeys(("host", "project_id", "user_name", "domain"))
    write(tmp_path, event("10:00:00", "create.end", **nothing), event("2026-03-02T12:00:00", "delete.end"))
    engine.read(tmp_path)
    files = {"sessions-csv": (engine.write_sessions, SESSION_COLUMNS), "days-csv": (engine.write_days, DAY_COLUMNS)}
    for name, (write_file, columns) in files.items():
        write_file(stream := io.StringIO())
        header, *lines = stream.getvalue().splitlines()
        assert header == ",".join(columns)
        kinds = [column["type"] for column in schemas.load(name)["properties"].values()]
        for line in lines:
            values = [
                int(text) if kind == "integer" else text for kind, text in zip(kinds, line.split(","), strict=True)
            ]
            schemas.validator(name).validate(dict(zip(columns, values, strict=True)))
    engine.write_sessions(stream := io.StringIO())
    assert stream.getvalue().splitlines()[1].endswith(",1,Unknown,,,")


def test_the_sessions_stand_open_to_questions(engine: Engine, tmp_path: Path) -> None:
    """The table `sessions` can be asked by SQL, by the names of its columns."""
    write(tmp_path, START, event("11:00:00", "delete.end"))
    engine.read(tmp_path)
    asked = engine.connection.execute("SELECT project, sum(wallduration) FROM sessions GROUP BY project")
    assert asked.fetchall() == [("projone", 3600)]


def test_leaving_the_engine_leaves_nothing(tmp_path: Path) -> None:
    """What the engine kept on disk is gone when it is left."""
    with Engine(temp_directory=tmp_path / "."):
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
