"""`xdmod-cloud collect openshift`, as an operator runs it."""

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from ledger import Ledger
from ledger.database import connect, upgrade
from tests.cli.here import call_at
from tests.collectors.thanos import DAY, Fault, Thanos, at, every
from tests.site import COMMAND


@dataclass
class Cluster:
    """A site with one cluster, and the folder of its configuration and ledger."""

    folder: Path
    thanos: Thanos

    def configure(self, **settings: Any) -> None:
        known = {"name": "ocp", "resource": "openshift", "url": self.thanos.url, "first_days": 3, **settings}
        lines = [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in known.items()]
        (self.folder / "xdmod-cloud.toml").write_text("\n".join(["[[openshift]]", *lines, ""]))

    def collect(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return call_at(self.folder, "collect", "openshift", *words)

    @property
    def ledger(self) -> Ledger:
        return Ledger.open(f"sqlite:///{self.folder / 'ledger.sqlite'}")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three days of one pod that runs all the time."""
    upgrade(connect(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
    with Thanos(now=at(12, day=3)) as thanos:
        thanos.pod(samples=every(DAY, at(0, day=3)))
        site = Cluster(tmp_path, thanos)
        site.configure()
        yield site


def test_a_line_for_each_window(cluster: Cluster) -> None:
    """What was read up to when, and how many pods."""
    done = cluster.collect()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("ocp: read up to 2025-03-02 00:00:00 UTC: 1 pod,")


def test_json_for_a_program(cluster: Cluster) -> None:
    """One document, with a run for each window."""
    runs = msgspec.json.decode(cluster.collect("--json", "--until", "2025-03-03").stdout)
    assert [run["up_to"] for run in runs] == ["2025-03-02T00:00:00Z", "2025-03-03T00:00:00Z"]
    assert [run["counts"]["pods"] for run in runs] == [1, 1]


def test_a_failure_says_what_and_exits_with_75(cluster: Cluster) -> None:
    """One line on stderr; what was read before it is kept."""
    cluster.thanos.faults.append(Fault("gpus", body=b'{"status":"success","warnings":["no store"]}'))
    done = cluster.collect()
    assert done.returncode == 75
    (line,) = done.stderr.splitlines()
    assert line.startswith("xdmod-cloud: ocp: Prometheus")
    assert "no store" in line


def test_what_was_set_aside_exits_with_1(cluster: Cluster) -> None:
    """It is warned of, and the rest is kept."""
    cluster.thanos.pod("odd", every(DAY, at(1)), uid="odd", cpu="NaN")
    done = cluster.collect("--until", "2025-03-02")
    assert done.returncode == 1
    assert "space/odd" in done.stderr
    assert [life.pod.name for life in cluster.ledger.pods("ocp", DAY, at(0, day=1))] == ["pod-1"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"window_hours": 5}, "window_hours"),
        ({"window_hours": 24 * 31}, "window_hours"),
        ({"step_seconds": 5}, "step_seconds"),
        ({"settle_minutes": 0}, "settle_minutes"),
        ({"minimum_cpu": 0}, "minimum_cpu"),
        ({"accept_empty": "False"}, "accept_empty"),
        ({"step_seconds": 700}, "step_seconds"),
        ({"url": "prometheus:9090"}, "url"),
        ({"ca_file": "absent.crt"}, "ca_file"),
        ({"token_file": "absent.token"}, "token_file"),
    ],
)
def test_settings_that_cannot_be_meant(cluster: Cluster, settings: dict[str, Any], said: str) -> None:
    """Exit 2, with the key that is wrong."""
    cluster.configure(**settings)
    done = cluster.collect()
    assert done.returncode == 2
    assert said in done.stderr


def test_a_cluster_that_is_not_there(cluster: Cluster) -> None:
    """The message has the names that are."""
    done = cluster.collect("okd")
    assert done.returncode == 2
    assert "it has: ocp" in done.stderr


def test_one_cluster_does_not_keep_another_from_its_turn(cluster: Cluster) -> None:
    """Each has a watermark of its own, and the same names in both are different pods."""
    file = cluster.folder / "xdmod-cloud.toml"
    other = '[[openshift]]\nname = "down"\nresource = "down"\nurl = "http://127.0.0.1:9"\n'
    file.write_text(other + file.read_text())
    with patch("urllib3.util.Retry.sleep"):
        done = cluster.collect()
    assert done.returncode == 75
    assert "xdmod-cloud: down: " in done.stderr
    assert len(list(cluster.ledger.pods("ocp", DAY, at(0, day=1)))) == 1
    assert list(cluster.ledger.pods("down", DAY, at(0, day=1))) == []


def test_killed_in_a_window(cluster: Cluster) -> None:
    """The windows before it are kept; the next run reads the rest, and ends in what an undisturbed one ends in."""
    cluster.thanos.faults.append(Fault("annotations", times=1))
    cluster.thanos.faults.append(Fault("annotations", seconds=20))
    command = [str(COMMAND), "collect", "openshift"]
    with subprocess.Popen(command, cwd=cluster.folder, stdout=subprocess.DEVNULL) as process:
        for _ in range(600):
            mark = cluster.ledger.watermark("ocp")
            if mark and mark.at == at(0, day=1):
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert [life.pod.uid for life in cluster.ledger.pods("ocp", DAY, at(0, day=1))] == ["uid-1"]
    cluster.thanos.faults.clear()
    assert cluster.collect().returncode == 0
    outcomes = [run["outcome"] for run in cluster.ledger.runs("ocp")]
    assert outcomes == ["done", "died", "done", "done"]
    (life,) = cluster.ledger.pods("ocp", DAY, at(0, day=3))
    assert [(one.start, one.end) for one in life.intervals] == [(DAY, DAY + timedelta(days=3))]
