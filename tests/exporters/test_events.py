"""Each event is one that XDMoD takes whole, with what was so at its time; what is not goes to the quarantine."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from exporters.openstack import EventFiles, Exported, Grid, export_news, export_window
from exporters.openstack.encoding import Encoder
from exporters.openstack.event import Names, as_record, heartbeat, owner_at
from exporters.openstack.heartbeats import beats, clipped
from exporters.openstack.life import Life, life
from ledger import Kind, Ledger, Mode, Record, Size, SourceUnavailable
from ledger.database import connect, upgrade
from ledger.locks import sole_writer
from ledger.text import fitted
from tests.exporters.histories import DAY, LARGE, LOOKS, SERVER, SMALL, Step, at, did, entries, lived, named, seen
from tests.exporters.test_lives import BOOTS, ENDS, HOSTS, SIZES, STATES, VOLUMES

NOON = at("12:00")
OVERLAP = timedelta(minutes=5)
BOOT = (did("create", "08:00:00", "08:00:04"), seen("08:20"))
NAMED = (
    named(Kind.PROJECT, "p-1", "Astro", "08:20", domain="d-1"),
    named(Kind.USER, "u-1", "alice", "08:20", domain="d-1"),
    named(Kind.DOMAIN, "d-1", "Stars", "08:20"),
)
#: Every life that the other tests tell.
LIVES: dict[str, tuple[Step, ...]] = {
    **{name: known for name, (known, _, _) in {**ENDS, **STATES}.items()},
    **{name: known for table in (BOOTS, SIZES, HOSTS, VOLUMES) for name, (known, _) in table.items()},
}
Event = dict[str, Any]


def encoded(told: Life, *names: Step, grid: Grid = Grid.HOURLY) -> list[Event]:
    """The events of a life until noon, transitions first."""
    encoder = Encoder(Names(entries(*names)))
    lines = [*encoder.transitions(told, told.transitions)]
    lines += encoder.heartbeats(told, clipped(told.running, None, NOON), grid)
    assert not encoder.unfit
    return [json.loads(line) for line in lines]


def plain(told: Life, field: str, *names: Step) -> list[object]:
    """What stands in a field of each event, once if it is always the same; none where the field is left out."""
    found = [event.get(field) for event in encoded(told, *names)]
    return [value for number, value in enumerate(found) if value not in found[:number]]


class TestFields:
    """What XDMoD rejects, cuts or drops without a word is not written."""

    @pytest.mark.parametrize("name", LIVES)
    def test_xdmod_takes_every_event(self, xdmod_data: Path, name: str) -> None:
        """XDMoD's own schema and event map have every field, every value and every type that is written."""
        folder = xdmod_data / "schemas"
        schema = json.loads((folder / "schemas-cloud_openstack-event.schema.json").read_bytes())
        validator = jsonschema_rs.validator_for(schema)
        mapped = json.loads((folder / "data-cloud_openstack-openstack_event_map.json").read_bytes())
        types = {row[2] for row in mapped[1:]}
        for event in encoded(lived(*LIVES[name]), *NAMED):
            assert not [error.message for error in validator.iter_errors(event)]
            assert event.keys() <= schema["properties"].keys()
            assert event["event_type"] in types

    def test_the_schema_allows_only_what_xdmod_maps(self, xdmod_data: Path) -> None:
        """A type that XDMoD does not map is dropped without a word, so that ours has none such."""
        mapped = json.loads((xdmod_data / "schemas" / "data-cloud_openstack-openstack_event_map.json").read_bytes())
        allowed = schemas.load("openstack-event")["properties"]["event_type"]["enum"]
        assert set(allowed) <= {row[2] for row in mapped[1:]}

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("instance_id", SERVER.id),
            ("resource_id", SERVER.id),
            ("instance_type", "s"),
            ("vcpus", 1),
            ("memory_mb", 2048),
            ("root_gb", 20),
            ("disk_gb", "25"),
            ("ephemeral_gb", "5"),
            ("project_id", "p-1"),
            ("tenant_id", "p-1"),
            ("project_name", "Astro"),
            ("user_id", "u-1"),
            ("user_name", "alice"),
            ("domain", "Stars"),
            ("host", "node1"),
            ("service", "compute"),
        ],
    )
    def test_a_field_has_its_value_and_type(self, field: str, value: str | int) -> None:
        """Sizes are integers, disks strings; XDMoD's disk of a session is all that the flavor gives."""
        size = msgspec.structs.replace(SMALL, ephemeral_gb=5)
        told = lived(did("create", "08:00:00", "08:00:04"), seen("08:20", size=size))
        found = plain(told, field, *NAMED)
        assert found == [value]
        assert type(found[0]) is type(value)

    @pytest.mark.parametrize("name", LIVES)
    def test_what_is_not_known_is_left_out(self, name: str) -> None:
        """A null is rejected, and an empty text is a name of its own."""
        for event in encoded(lived(*LIVES[name])):
            assert "domain" not in event
            assert not {None, ""} & set(event.values())

    @pytest.mark.parametrize("name", LIVES)
    def test_times_have_six_decimals_and_no_suffix(self, name: str) -> None:
        """XDMoD ignores an offset, and takes what it cannot read for 1970."""
        for event in encoded(lived(*LIVES[name])):
            assert (
                datetime.strptime(event["generated"], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC).date() == DAY.date()
            )
            assert len(event["generated"]) == len("2026-10-01T08:00:00.000000")

    def test_heartbeats_say_that_the_server_is_active(self) -> None:
        """XDMoD drops a heartbeat of any other state."""
        told = [event for event in encoded(lived(*BOOT)) if event["event_type"] == "compute.instance.exists"]
        assert [event["generated"][11:19] for event in told] == ["09:00:00", "10:00:00", "11:00:00"]
        assert {event["state"] for event in told} == {"active"}

    @pytest.mark.parametrize("grid", Grid)
    def test_heartbeats_that_are_encoded_together_are_those_encoded_one_by_one(self, grid: Grid) -> None:
        """Each heartbeat has the size, host and names of its own time."""
        names = (*NAMED, named(Kind.PROJECT, "p-1", "Astronomy", "10:00", domain="d-1"))
        told = lived(*BOOT, did("live-migration", "09:30:00", "09:30:06"), seen("09:40", host="node2"))
        called = Names(entries(*names))
        expected = [
            as_record(heartbeat(told, span, beat, owner_at(called, told, beat)))
            for span in clipped(told.running, None, NOON)
            for beat in beats(span.start, span.end or NOON, grid)
        ]
        assert [event for event in encoded(told, *names, grid=grid) if event["request_id"] == "heartbeat"] == expected
        assert expected


class TestSizes:
    """A size has one number, whoever has it and whenever it is told."""

    def test_a_size_is_numbered_alike_in_all_servers(self) -> None:
        """Neither the server nor the time matters."""
        other = life(entries((at("10:00"), msgspec.structs.replace(SERVER, id="other", project="p-2"))), LOOKS, {})
        assert other
        assert plain(lived(*BOOT), "instance_type_id") == plain(other, "instance_type_id")

    @pytest.mark.parametrize(
        "other",
        [LARGE, Size("s", 2, 2048, 20), Size("s", 1, 4096, 20), Size("s", 1, 2048, 0, 20), Size("S", 1, 2048, 20)],
    )
    def test_another_size_has_another_number(self, other: Size) -> None:
        """A flavor that was made anew under its old name is another."""
        told = lived(did("create", "08:00:00", "08:00:04"), seen("08:20", size=other))
        (number,) = plain(told, "instance_type_id")
        assert isinstance(number, int)
        assert 0 <= number < 2**31
        assert [number] != plain(lived(*BOOT), "instance_type_id")


WIDTHS = [
    ("instance_type", 64),
    ("host", 64),
    ("project_id", 64),
    ("tenant_id", 64),
    ("user_id", 64),
    ("instance_id", 64),
    ("resource_id", 64),
    ("request_id", 64),
    ("domain", 64),
    ("project_name", 256),
    ("user_name", 255),
]
#: Fields that have the name of something else.
NAMES = {Kind.PROJECT: "project_name", Kind.USER: "user_name", Kind.DOMAIN: "domain"}


def written(field: str, text: str) -> str:
    """What stands in a field of a boot's event, of something that is called so."""
    _, boot = did("create", "08:00:00", "08:00:04")
    if field == "request_id":
        boot = msgspec.structs.replace(boot, request=text)
    changed: dict[str, dict[str, Any]] = {
        "instance_type": {"size": Size(text, 1, 2048, 20)},
        "host": {"host": text},
        "project_id": {"project": text},
        "tenant_id": {"project": text},
        "user_id": {"user": text},
        "instance_id": {"id": text},
        "resource_id": {"id": text},
    }
    names = {
        Kind.PROJECT: "Astro",
        Kind.USER: "alice",
        Kind.DOMAIN: "Stars",
        **{kind: text for kind, of in NAMES.items() if of == field},
    }
    known: list[Record] = [boot, msgspec.structs.replace(SERVER, **changed.get(field, {}))]
    told = life(entries(*((at("08:20"), record) for record in known)), LOOKS, {})
    assert told
    ids = {Kind.PROJECT: "p-1", Kind.USER: "u-1", Kind.DOMAIN: "d-1"}
    called = [named(kind, ids[kind], name, "08:20", domain="d-1") for kind, name in names.items()]
    (found,) = {event[field] for event in encoded(told, *called)[:2]}
    assert isinstance(found, str)
    return found


class TestWidths:
    """XDMoD cuts what is too long and loses astral characters, so that two names could become one."""

    @pytest.mark.parametrize(("field", "width"), WIDTHS)
    def test_what_fits_is_as_it_was(self, field: str, width: int) -> None:
        """Names that XDMoD can hold are not touched, whatever their language."""
        for text in ("é" * width, "a", "物理 学"):
            assert written(field, text) == text

    @pytest.mark.parametrize(("field", "width"), WIDTHS)
    def test_what_is_too_long_stays_apart(self, field: str, width: int) -> None:
        """Names that differ only where XDMoD would cut still differ."""
        cut = {written(field, "a" * width + end) for end in ("b", "c", "cd")}
        assert len(cut) == 3
        assert {len(text) for text in cut} == {width}

    @pytest.mark.parametrize(("field", "width"), WIDTHS)
    def test_what_xdmod_would_lose_stays_apart(self, field: str, width: int) -> None:
        """Names that differ only in characters that XDMoD loses still differ."""
        lost = {written(field, f"lab {char}") for char in ("🔬", "🧪", "")}
        assert len(lost) == 3
        assert max("".join(lost)) <= "\uffff"
        assert max(map(len, lost)) <= width

    @given(st.text(min_size=1), st.text(min_size=1), st.integers(10, 30))
    def test_no_two_texts_become_one(self, one: str, other: str, width: int) -> None:
        """What is written fits, and tells two texts apart."""
        texts = [fitted(text, width) for text in (one, other)]
        assert (texts[0] == texts[1]) is (one == other)
        assert all(len(text) <= width and max(text) <= "\uffff" for text in texts)
        assert all((text == fitted(text, width)) for text in texts)


def _owned(*names: Step) -> dict[str, tuple[object, ...]]:
    """By time, the owner's names in the events of a server that was booted at eight and stopped at eleven."""
    told = lived(*BOOT, did("stop", "11:00:00", "11:00:02"), seen("11:20", "stopped"))
    fields = ("project_name", "user_name", "domain")
    return {event["generated"][11:16]: tuple(map(event.get, fields)) for event in encoded(told, *names)}


class TestOwners:
    """A past event bears the names of its time."""

    def test_a_renamed_project(self) -> None:
        """Heartbeats and transitions bear the old name until the new one was seen."""
        owned = _owned(*NAMED, named(Kind.PROJECT, "p-1", "Astronomy", "09:40", domain="d-1"))
        assert {time: names[0] for time, names in owned.items()} == {
            "08:00": "Astro",
            "09:00": "Astro",
            "10:00": "Astronomy",
            "11:00": "Astronomy",
        }

    def test_a_renamed_user_and_domain(self) -> None:
        """Each name has its own history."""
        renamed = (named(Kind.USER, "u-1", "alicia", "08:40"), named(Kind.DOMAIN, "d-1", "Galaxies", "10:20"))
        owned = _owned(*NAMED, *renamed)
        assert owned["08:00"] == ("Astro", "alice", "Stars")
        assert owned["09:00"] == owned["10:00"] == ("Astro", "alicia", "Stars")
        assert owned["11:00"] == ("Astro", "alicia", "Galaxies")

    def test_a_project_that_changed_its_domain(self) -> None:
        """The domain is that of the project at the time."""
        moved = (
            named(Kind.PROJECT, "p-1", "Astro", "09:40", domain="d-2"),
            named(Kind.DOMAIN, "d-2", "Planets", "09:40"),
        )
        domains = [names[2] for _, names in sorted(_owned(*NAMED, *moved).items())]
        assert domains == ["Stars", "Stars", "Planets", "Planets"]

    def test_a_deleted_user_keeps_the_last_name(self) -> None:
        """That Keystone forgot a name is no reason to."""
        owned = _owned(*NAMED, named(Kind.USER, "u-1", "alice", "09:40", gone=True))
        assert {names[1] for names in owned.values()} == {"alice"}

    def test_an_answer_without_a_name_takes_none_away(self) -> None:
        """A name once known stays known."""
        owned = _owned(*NAMED, named(Kind.USER, "u-1", None, "09:40", gone=True))
        assert {names[1] for names in owned.values()} == {"alice"}

    def test_a_name_that_was_never_known(self) -> None:
        """The id stands in for it; a domain is left out."""
        nameless = (named(Kind.USER, "u-1", None, "08:20", gone=True), named(Kind.PROJECT, "p-1", None, "08:20"))
        assert set(_owned(*nameless).values()) == set(_owned().values()) == {("p-1", "u-1", None)}

    def test_a_name_that_was_first_known_later(self) -> None:
        """The first known name holds for the time before."""
        late = (named(Kind.PROJECT, "p-1", "Astro", "10:20"), named(Kind.USER, "u-1", "alice", "10:20"))
        assert set(_owned(*late).values()) == {("Astro", "alice", None)}


class Book:
    """A ledger and the places to which its events go."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'ledger.sqlite'}"
        upgrade(connect(url))
        self.ledger = Ledger.open(url)
        self.places = EventFiles(folder / "events", folder / "quarantine", OVERLAP)

    def learn(self, when: datetime, *records: Record) -> None:
        """Take note of what a reading of the cloud told."""
        with self.ledger.writer("sim") as writer:
            writer.finish(writer.begin(Mode.SWEEP, None), when, when, records)

    def export(self) -> Exported:
        """Export what is new."""
        (done,) = export_news(self.ledger, "sim", self.places, Grid.HOURLY)
        return done

    def events(self) -> list[Event]:
        """Every event in the outbox, file by file."""
        files = sorted(self.places.outbox.iterdir())
        return [event for file in files for event in json.loads(file.read_bytes())]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    book = Book(tmp_path)
    yield book
    book.ledger.engine.dispose()


def test_nothing_is_told_of_the_future(book: Book) -> None:
    """XDMoD drops what is yet to come, and forgets nothing: a clock that goes wrong is not believed."""
    now = datetime.now(UTC)
    server = msgspec.structs.replace(SERVER, created=now - timedelta(hours=3), launched=now - timedelta(hours=3))
    book.learn(now + timedelta(days=2), server)
    book.export()
    window = (now - timedelta(days=1), now + timedelta(days=9))
    export_window(book.ledger, "sim", book.places, window)
    times = [event["generated"] for event in book.events()]
    assert times
    assert max(times) < datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def test_what_happened_within_the_overlap_is_told_next_time(book: Book) -> None:
    """The source may not have told all of it yet; what comes later is told once."""
    book.learn(at("08:20"), *(record for _, record in BOOT))
    book.export()
    book.learn(at("09:04"), did("stop", "09:00:00", "09:00:02")[1], seen("09:04", "stopped")[1])
    stopped = [("2026-10-01T09:00:00.000000", "power_off.start"), ("2026-10-01T09:00:02.000000", "power_off.end")]

    def stops() -> list[tuple[str, str]]:
        found = [(event["generated"], event["event_type"].removeprefix("compute.instance.")) for event in book.events()]
        return [event for event in found if event[1].startswith("power_off")]

    book.export()
    assert stops() == []
    for when in ("09:20", "09:40"):
        book.learn(at(when))
        book.export()
        assert stops() == stopped


@pytest.mark.parametrize("minutes", [5, 20, 60])
def test_no_heartbeat_is_lost_between_two_exports(book: Book, minutes: int) -> None:
    """Each full hour is told, also where one export ends and the next begins at that very moment."""
    book.learn(at("08:20"), *(record for _, record in BOOT))
    when = at("09:05")
    while when <= at("13:05"):
        book.learn(when)
        book.export()
        when += timedelta(minutes=minutes)
    beats = [event["generated"][11:19] for event in book.events() if event["request_id"] == "heartbeat"]
    assert beats == ["09:00:00", "10:00:00", "11:00:00", "12:00:00"]


def test_windows_side_by_side_have_every_heartbeat_once(book: Book) -> None:
    """A window is half-open: what happens as it begins is in it."""
    book.learn(at("08:20"), *(record for _, record in BOOT))
    book.learn(at("23:00"))
    for start, end in (("08:00", "10:00"), ("10:00", "12:00")):
        export_window(book.ledger, "sim", book.places, (at(start), at(end)))
    beats = [event["generated"][11:19] for event in book.events() if event["request_id"] == "heartbeat"]
    assert beats == ["09:00:00", "10:00:00", "11:00:00"]


def test_two_exports_do_not_write_into_one_folder_at_once(book: Book) -> None:
    """The second is told to wait; one that only counts disturbs nobody."""
    book.learn(at("10:10"), SERVER)
    window = (at("08:00"), at("10:00"))
    with sole_writer(book.ledger.engine, "the events of sim"):
        for export in (book.export, lambda: export_window(book.ledger, "sim", book.places, window)):
            with pytest.raises(SourceUnavailable, match="Another xdmod-cloud is writing the events of sim"):
                export()
        assert export_window(book.ledger, "sim", book.places, window, dry_run=True).events == 3
    assert not book.places.outbox.exists()
    assert export_window(book.ledger, "sim", book.places, window).events == 3


UNFIT = {
    "a flavor without a name": ({"size": Size("", 1, 2048, 20)}, "instance_type"),
    "fewer cores than none": ({"size": Size("s", -1, 2048, 20)}, "vcpus"),
    "more memory than XDMoD can count": ({"size": Size("s", 1, 2**31, 20)}, "memory_mb"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_does_not_fit_is_set_aside_with_the_reason(book: Book, case: str) -> None:
    """A record that XDMoD would skip without a word is kept and counted, and all others go their way."""
    changed, where = UNFIT[case]
    bad = msgspec.structs.replace(SERVER, id="bad", **changed)
    book.learn(at("10:10"), SERVER, bad)
    done = book.export()
    assert {event["instance_id"] for event in book.events()} == {SERVER.id}
    assert len(done.unfit) == done.events == len(book.events()) == 4
    assert done.quarantine
    assert done.quarantine.parent == book.places.quarantine
    kept = json.loads(done.quarantine.read_bytes())
    assert [item["record"]["generated"][:16] for item in kept] == [f"2026-10-01T0{hour}:00" for hour in (8, 8, 9)] + [
        "2026-10-01T10:00"
    ]
    assert all(item["reason"].startswith(f"{where}: ") for item in kept)
    assert {item["record"]["instance_id"] for item in kept} == {"bad"}


def test_nothing_is_set_aside_where_all_fits(book: Book) -> None:
    """An empty quarantine is not made."""
    book.learn(at("10:10"), SERVER)
    done = book.export()
    assert (done.unfit, done.quarantine, book.places.quarantine.exists()) == ([], None, False)
