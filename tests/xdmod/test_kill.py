"""Killed at any step of the way into XDMoD, and run again: the same end state."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.xdmod.place import DAY, Place, event, job
from tests.xdmod.test_import import OWNERS, PROJECTS

#: What changes the disk, or begins a command: before each of these the process is killed once.
STEPS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "subprocess.Popen"})
WAY = ("import-hierarchy", "shred", "ingest")


def furnished(place: Place) -> Place:
    """A site with files of all kinds in the outbox."""
    place.owners(**OWNERS, pi2project=PROJECTS)
    for minute, day in enumerate(("2026-10-04", DAY)):
        place.events(day, event("a", minute), event("b", minute, "compute.instance.delete.end"))
    place.facts(compute1=8)
    place.jobs(DAY, job(1), job(2))
    return place


def killer(number: int) -> Callable[[], None]:
    """What makes a process kill itself before its step of that number."""

    def prepare() -> None:
        seen = 0

        def look(name: str, _: tuple[Any, ...]) -> None:
            nonlocal seen
            if name in STEPS:
                seen += 1
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)

    return prepare


def whole_way(place: Place) -> None:
    for command in WAY:
        place.run(command)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """How it ends where nothing happens."""
    place = furnished(Place(tmp_path_factory.mktemp("undisturbed") / "site"))
    whole_way(place)
    return place


def plain(place: Place) -> dict[str, bytes]:
    """The files by their paths, where the time of an import does not count."""
    return {
        "/".join(part for part in name.split("/") if not part.endswith("Z")): it for name, it in place.files().items()
    }


@pytest.mark.parametrize("command", WAY)
def test_killed_before_each_step(tmp_path: Path, command: str) -> None:
    """Each renaming, each removal, each start of a command: nothing is lost, doubled or left lying about."""
    start = furnished(Place(tmp_path / "start"))
    for done in WAY[: WAY.index(command)]:
        start.run(done)
    undisturbed = copied(start, tmp_path / "undisturbed")
    undisturbed.run(command)
    for number in count(1):
        place = copied(start, tmp_path / str(number))
        if not place.killed(command, prepare=killer(number)):
            break
        place.run(command)
        assert plain(place) == plain(undisturbed), number
        assert place.known() == undisturbed.known(), number
        shutil.rmtree(place.folder)
    assert number > 5


def copied(place: Place, folder: Path) -> Place:
    """The same site, with all that XDMoD has, in another folder."""
    shutil.copytree(place.folder, folder)
    return Place(folder)


@pytest.mark.parametrize(
    "moment",
    [
        "shredder begins",
        "an event",
        "shredder ends",
        "ingestor begins ingesting",
        "ingestor ends ingesting",
        "ingestor begins aggregating",
        "ingestor ends aggregating",
    ],
)
@pytest.mark.parametrize("who", ["kill", "kill all"])
def test_killed_while_xdmod_works(place: Place, undisturbed: Place, moment: str, who: str) -> None:
    """Whether XDMoD's command dies along with its caller or comes to its end."""
    furnished(place)
    place.run("import-hierarchy")
    place.fault(f"{who} at {moment}")
    assert place.killed("shred") or place.killed("ingest")
    whole_way(place)
    assert plain(place) == plain(undisturbed)
    assert place.known() == undisturbed.known()


@pytest.mark.parametrize("kind", ["hierarchy", "group-to-hierarchy", "cloud-project-to-pi"])
@pytest.mark.parametrize("moment", ["begins", "ends"])
def test_killed_while_xdmod_imports(place: Place, undisturbed: Place, kind: str, moment: str) -> None:
    """What XDMoD had taken over is at most imported once more."""
    furnished(place)
    place.fault(f"kill all at import of {kind} {moment}")
    assert place.killed("import-hierarchy")
    whole_way(place)
    assert plain(place) == plain(undisturbed)
    assert place.known() == undisturbed.known()
