"""What the demo tells of its cluster is what a real Prometheus answers, and to no question that nobody asks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import requests
from msgspec.structs import replace

from collectors.openshift import OpenShiftSource
from demo.__main__ import CONFIGURATION
from demo.__main__ import RECORDING as CLOUD
from demo.cluster import ASKED, RECORDING, Cluster
from demo.owners import CLIENT, REALM
from demo.replay import Answer, Recording, Replay, Request
from ledger import Ledger, SourceUnavailable
from operations.collect import collect_openshift
from operations.configuration import load
from tests.pods import empty_ledger
from tests.real.prometheus.day import DAY
from tests.real.prometheus.record import record
from tests.real.prometheus.server import serving


class Site:
    """The demo's cluster on a server, its settings, a ledger for it, and what was asked."""

    def __init__(self, folder: Path, url: str, asked: list[Request]) -> None:
        (folder / "xdmod-cloud.toml").write_text(CONFIGURATION.format(url=url, realm=REALM, client=CLIENT))
        (self.settings,) = load(folder / "xdmod-cloud.toml").openshift
        self.ledger: Ledger = empty_ledger(folder)
        self.asked = asked

    def collect(self, settings: OpenShiftSource) -> None:
        for _ in collect_openshift(self.ledger, settings, lambda *_: None):
            pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site that has collected nothing, on the morning after the day."""
    cloud, asked = Recording.read(CLOUD), list[Request]()
    answer = Cluster(clock=lambda: cloud.now).mounts["prometheus"]

    def overheard(request: Request) -> Answer:
        asked.append(request)
        return answer(request)

    with Replay(cloud, mounts={"prometheus": overheard}) as server:
        yield Site(tmp_path, server.url, asked)


def test_a_real_prometheus_answers_so(tmp_path: Path) -> None:
    """Recorded again, the answers are the same."""
    with serving(tmp_path, DAY) as url:
        assert record(url, tmp_path) == msgspec.json.decode(RECORDING.read_bytes())


def test_what_is_asked_is_what_is_there(site: Site) -> None:
    """Every answer is to one question of the collector, and each is asked once."""
    site.collect(site.settings)
    recorded = msgspec.json.decode(RECORDING.read_bytes())["answers"]
    assert [request.path for request in site.asked[1:]] == ["/prometheus/api/v1/query_range"] * len(recorded)
    assert len({tuple(one[name] for name in ASKED) for one in recorded}) == len(recorded)


def test_the_pods_are_those_of_the_day(site: Site) -> None:
    """All of them, each by its uid, and exact where Kubernetes told both ends."""
    site.collect(site.settings)
    found = {life.pod.uid: life for life in site.ledger.pods("demo-ocp", DAY.first, DAY.last)}
    assert found.keys() == {pod.uid for pod in DAY.pods}
    for pod in DAY.pods:
        start, end = found[pod.uid].intervals[0].start, found[pod.uid].intervals[-1].end
        late = timedelta() if pod.told else site.settings.step
        assert start == max(pod.started, DAY.first)
        assert abs(end - min(pod.ended, DAY.last)) <= late


def test_another_question_is_refused(site: Site) -> None:
    """What was not recorded is an error, and never an empty answer."""
    with pytest.raises(SourceUnavailable, match="nobody asked this"):
        site.collect(replace(site.settings, step_seconds=600))
    assert not list(site.ledger.pods("demo-ocp", DAY.first, DAY.last))
    assert requests.get(f"{site.settings.url}/api/v1/query_range", timeout=5).status_code == 405


def test_the_day_is_over_by_the_clock(tmp_path: Path) -> None:
    """While the cloud's clock shows an earlier moment, there is no such day to read."""
    cloud = Recording.read(CLOUD)
    cloud.now = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)
    with Replay(cloud, mounts=Cluster(clock=lambda: cloud.now).mounts) as server:
        site = Site(tmp_path, server.url, [])
        with pytest.raises(SourceUnavailable):
            site.collect(site.settings)
        cloud.now = cloud.moments[-1]
        site.collect(site.settings)
    mark = site.ledger.watermark("demo-ocp")
    assert mark is not None
    assert mark.at == DAY.last
