"""A disk that fills up on the way into XDMoD: nothing is lost, it ends with 75, and goes on when there is room."""

from pathlib import Path

import pytest

from tests.cli.test_bad_input import mounted
from tests.xdmod.place import CLOUD, DAY, Place, event

SMALL = ("-t", "tmpfs", "-o", "size=64k", "tmpfs")


@pytest.fixture
def long_file(place: Place) -> bytes:
    """An event file of more than 64 KiB in the outbox."""
    path = place.events(DAY, *(event(f"instance-{number}", number % 60) for number in range(600)))
    assert path.stat().st_size > 2**16
    return path.read_bytes()


def test_no_room_in_the_archive(place: Place, long_file: bytes) -> None:
    """The file stays where it was, and nothing of it is in the archive; with room, it comes there whole."""
    place.run("shred")
    place.archive.mkdir()
    with mounted(place.archive, *SMALL):
        assert "no room left" in place.fails(75, "ingest")
        assert [path for path in place.archive.rglob("*") if path.is_file()] == []
    (waiting,) = (place.outbox / CLOUD / "shredded" / "events").iterdir()
    assert waiting.read_bytes() == long_file
    place.run("ingest")
    (there,) = (place.archive / CLOUD / "events").iterdir()
    assert there.read_bytes() == long_file
    assert not waiting.exists()


def test_no_room_in_the_outbox(place: Place) -> None:
    """XDMoD is not begun with what could not be noted; with room, everything goes its way."""
    place.outbox.mkdir(exist_ok=True)
    with mounted(place.outbox, *SMALL):
        place.events(DAY, event("a", 1))
        place.run("shred")
        filler = _fill(place.outbox)
        assert "no room left" in place.fails(75, "ingest")
        assert place.calls("xdmod-ingestor") == []
        filler.unlink()
        place.run("ingest")
    assert len(place.rows("aggregated")) == 1
    assert len(list((place.archive / CLOUD / "events").iterdir())) == 1


def _fill(folder: Path) -> Path:
    path = folder / ".filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            return path
