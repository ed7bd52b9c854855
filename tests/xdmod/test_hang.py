"""Commands of XDMoD that do not come to an end."""

import os
import signal

import pytest

from tests.xdmod.place import CLOUD, CLUSTER, DAY, Place, event, job

#: In hours: long enough for a command to begin.
LIMIT = 0.001


def where(place: Place) -> dict[str, bytes]:
    """The files, by the folder of the step at which they are."""
    return {name.removeprefix("outbox/"): body for name, body in place.files().items()}


@pytest.mark.parametrize(
    ("command", "moment", "folder"),
    [
        ("import-hierarchy", "import of hierarchy begins", "importing-"),
        ("shred", "shredder begins", f"{CLOUD}/claimed"),
        ("ingest", "ingestor begins ingesting", f"{CLOUD}/shredded"),
    ],
)
def test_it_is_stopped_and_begun_by_the_next_run(place: Place, command: str, moment: str, folder: str) -> None:
    """After its time it is ended once, with all that it has begun; files stay, and the next run makes it good."""
    place.events(DAY, event("a", 1))
    place.owners(hierarchy=["a,A,"])
    for before in ("import-hierarchy", "shred", "ingest"):
        if before == command:
            break
        place.run(before)
    place.configure(time_limit_hours=LIMIT)
    done = len(place.calls())
    place.fault(f"hang at {moment}")
    assert "was not done after 0.001 h, and was stopped" in place.fails(75, command)
    assert (len(place.calls()), place.waited) == (done + 1, [])
    assert any(name.startswith(folder) for name in where(place))
    place.configure()
    place.run(command)
    assert not any(name.startswith(folder) for name in where(place))


def test_one_that_does_not_listen(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not end when it is told to is ended all the same."""
    monkeypatch.setattr("operations.xdmod.commands._GRACE", 0.1)
    place.configure(time_limit_hours=LIMIT)
    place.events(DAY, event("a", 1))
    place.fault("deaf at shredder begins")
    place.fault("hang at shredder begins")
    assert "was stopped" in place.fails(75, "shred")
    place.configure()
    place.run("shred")
    assert len(place.rows("raw")) == 1


def test_jobs_that_were_cut_off(place: Place) -> None:
    """Jobs that XDMoD had taken when it was stopped, and may not have passed on, are not taken for read."""
    place.configure(time_limit_hours=LIMIT)
    place.jobs(DAY, job(1))
    place.fault("hang at jobs are committed")
    assert "was stopped" in place.fails(75, "shred")
    place.configure()
    assert "mod_shredder.shredded_job lacks them" in place.fails(1, "shred")
    assert any(name.startswith(f"{CLUSTER}/claimed") for name in where(place))


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_that_is_interrupted(place: Place, sign: signal.Signals) -> None:
    """Whoever ends the chain, from the keyboard or as a service or a pod is ended, ends XDMoD's command, too."""
    place.events(DAY, event("a", 1))
    place.fault("hang at shredder begins")

    def prepare() -> None:
        signal.signal(sign, signal.default_int_handler if sign is signal.SIGINT else signal.SIG_DFL)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), sign))
        signal.setitimer(signal.ITIMER_REAL, 2)

    place.killed("shred", prepare=prepare, orphans=True)
    assert len(place.calls("xdmod-shredder")) == 1
    place.run("shred")
    assert len(place.rows("raw")) == 1


def test_a_limit_that_is_none(place: Place) -> None:
    """A limit has to be some time, and a week at most."""
    for hours in (0, -1, 169, "12"):
        place.folder.joinpath("xdmod-cloud.toml").write_text(f"[xdmod]\ntime_limit_hours = {hours!r}\n")
        assert "time_limit_hours" in place.fails(2, "shred")
