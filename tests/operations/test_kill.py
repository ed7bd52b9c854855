"""Killed at any moment, and run again, ends in what an undisturbed run ends in."""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.replay import Replay
from tests.simulation import BigCloud
from tests.site import COMMAND, Site

SEED = 4711
KILLS_A_STAGE = 5
NOW = datetime(2026, 10, 5, 12, tzinfo=UTC)
#: A first reading of 30 days and its export, then what three days changed.
STAGES = ("collect", "export", "collect again", "export again")


@dataclass(frozen=True)
class Stage:
    """One command as it goes undisturbed: the folder before and after, the cloud's clock, and its seconds of work."""

    command: str
    before: Path
    after: Site
    at: datetime
    seconds: float


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """The undisturbed course of things."""
    root = tmp_path_factory.mktemp("undisturbed")
    cloud = BigCloud(240, 5, now=NOW, projects=10, users=20, hosts=8)
    with Replay(cloud, delay=0.01, max_limit=60) as server:
        site = Site.beside(server, root / "begin", workers=8)
        found = {}
        for stage in STAGES:
            if stage == "collect again":
                for day in (1, 2, 3):
                    cloud.at(NOW + timedelta(days=day, hours=-6))
                    cloud.change(0.2)
                cloud.at(NOW + timedelta(days=3))
            before = root / f"before {stage}"
            shutil.copytree(site.folder, before)
            # A lock's file is made when the work begins.
            for lock in before.glob("*.lock"):
                lock.unlink()
            shutil.copytree(before, root / f"after {stage}")
            site = replace(site, folder=root / f"after {stage}")
            command = stage.split()[0]
            found[stage] = Stage(command, before, site, cloud.now, _seconds(site, command))
        yield found


def _seconds(site: Site, command: str) -> float:
    """Run a command; returns how long it was at work. An export has done its work with its last file."""
    with _started(site, command) as process:
        _until_at_work(site, process)
        began = time.time()
        assert process.wait(60) == 0
        ended = time.time()
    if command == "export":
        ended = max(file.stat().st_mtime for file in site.outbox.glob("*.json"))
    return ended - began


def _started(site: Site, command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([COMMAND, command, "openstack"], env=site.environment, stdout=subprocess.DEVNULL)


def _until_at_work(site: Site, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None and not any(site.folder.glob("*.lock")):
        time.sleep(0.005)


@pytest.mark.parametrize("turn", range(KILLS_A_STAGE))
@pytest.mark.parametrize("name", STAGES)
def test_a_killed_run_is_made_good(tmp_path: Path, stages: dict[str, Stage], name: str, turn: int) -> None:
    """The ledger holds the same records, and the outbox the same files, byte for byte."""
    stage = stages[name]
    shutil.copytree(stage.before, tmp_path / "site")
    site = replace(stage.after, folder=tmp_path / "site")
    site.server.at = stage.at
    # Spread over the run: each kill in its own part of it, at a moment that chance decides.
    share = (turn + random.Random(f"{SEED} {name} {turn}").random()) / KILLS_A_STAGE
    with _started(site, stage.command) as process:
        _until_at_work(site, process)
        time.sleep(share * stage.seconds)
        process.send_signal(signal.SIGKILL)
    if stage.command == "collect":
        site.collect()
    else:
        site.export()
    assert site.content() == stage.after.content()
    assert site.bytes() == stage.after.bytes()
    left_over = {path.name for path in site.outbox.parent.rglob("*")} if stage.command == "export" else set()
    assert left_over <= {"events", *stage.after.bytes()}


def test_kills_land_in_the_work(stages: dict[str, Stage]) -> None:
    """The files are many and the runs long enough for a kill to fall between."""
    assert len(stages["export"].after.bytes()) > 25
    assert len(stages["export again"].after.bytes()) > len(stages["export"].after.bytes())
    assert len(stages["collect again"].after.content()) > 150
