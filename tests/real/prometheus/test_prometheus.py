"""A real Prometheus, filled with days of a cluster of which everything is known."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
import requests

from collectors.openshift import OpenShiftSource
from collectors.openshift.queries import Queries
from ledger import Kind, Ledger, Mode
from ledger.cluster import Claim, Namespace
from ledger.database import connect, upgrade
from ledger.pods import Life, Oddity
from operations.collect import collect_openshift
from tests.real.prometheus.world import A100, FIRST, GIB, LAST, OUTAGE, PODS, V100, Used, at, used

DAY, STEP = timedelta(days=1), timedelta(minutes=15)
#: Of these, no answer can tell how long they were there.
UNSEEN = {"short-2"}


def source(url: str, hours: int = 24) -> OpenShiftSource:
    return OpenShiftSource("ocp", "openshift", url=url, window_hours=hours, pod_labels=("label_course",))


def collected(url: str, folder: Path, hours: int) -> Ledger:
    """A ledger with all days of the cluster, read in windows of so many hours."""
    place = f"sqlite:///{folder / 'ledger.sqlite'}"
    upgrade(connect(place))
    ledger = Ledger.open(place)
    with ledger.writer("ocp") as writer:
        writer.finish(writer.begin(Mode.CHANGES, None), FIRST, FIRST, [])
    runs = list(collect_openshift(ledger, source(url, hours), lambda *_: None, until=LAST))
    assert runs[-1].up_to == LAST
    return ledger


@pytest.fixture(scope="module", params=[24, 6])
def ledger(prometheus: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Ledger:
    return collected(prometheus, tmp_path_factory.mktemp("ledger"), request.param)


def totals(lives: Iterable[Life]) -> dict[str, Used]:
    """What the intervals of lives add up to, by namespace."""
    found = defaultdict[str, Used](Used)
    for life in lives:
        for start, end, demand, *_ in life.intervals:
            seconds, before = int((end - start).total_seconds()), found[life.pod.namespace]
            found[life.pod.namespace] = Used(
                before.cpu + Fraction(demand.cpu or 0) * seconds,
                before.memory + (demand.memory or 0) * seconds,
                before.gpus + sum(demand.gpus.values()) * seconds,
            )
    return found


@pytest.mark.parametrize("day", range(3))
def test_each_day_of_each_namespace(ledger: Ledger, day: int) -> None:
    """CPU, memory and GPU time are exact where Kubernetes tells both ends, else off by a sampling step for each pod."""
    since = FIRST + day * DAY
    found, truth = totals(ledger.pods("ocp", since, since + DAY)), used(since, since + DAY)
    assert set(found) >= {space for space, one in truth.items() if one.cpu}
    step = int(STEP.total_seconds())
    for space, expected in truth.items():
        pods = [pod for pod in PODS if pod.namespace == space]
        cores = max(Fraction(pod.cpu_at(LAST)) for pod in pods)
        assert abs(found[space].cpu - expected.cpu) <= expected.untold * step * cores
        assert abs(found[space].memory - expected.memory) <= expected.untold * step * max(pod.memory for pod in pods)
        assert found[space].gpus == expected.gpus
    exact = {space for space, expected in truth.items() if not expected.untold}
    assert {space: found[space][:3] for space in exact} == {space: truth[space][:3] for space in exact}
    assert "ml" in exact or day == 2


def test_all_pods_are_told_apart(ledger: Ledger) -> None:
    """Each life has its own uid, whoever bore the name before or in another namespace; each is near the truth."""
    lives = {life.pod.uid: life for life in ledger.pods("ocp", FIRST, LAST)}
    assert set(lives) == {pod.uid for pod in PODS}
    for pod in PODS:
        life = lives[pod.uid]
        assert (life.pod.namespace, life.pod.name, life.pod.phase) == (pod.namespace, pod.name, pod.phase)
        if pod.name in UNSEEN:
            assert life.oddities == {Oddity.UNMEASURED}
            continue
        start, end = max(pod.started, FIRST), min(pod.ended, LAST)
        tolerance = timedelta() if pod.told else STEP
        assert life.intervals[0].start == start
        assert abs(life.intervals[-1].end - end) <= tolerance


def test_the_outage_is_a_gap(ledger: Ledger) -> None:
    """While nothing was scraped, nothing is claimed to have been used."""
    (life,) = (life for life in ledger.pods("ocp", at(2, 0), LAST) if life.pod.name == "front-6d4cf56db6-x2x7k")
    before, after = life.intervals
    assert OUTAGE[0] < before.end <= OUTAGE[0] + STEP
    assert OUTAGE[1] <= after.start <= OUTAGE[1] + STEP


def test_gpus_by_kind_and_model(ledger: Ledger) -> None:
    """A node without labels keeps its model; slices are by their kind; a node that never told one has none."""
    demands = {
        life.pod.name: life.intervals[0].demand
        for life in ledger.pods("ocp", FIRST, LAST)
        if life.pod.namespace == "ml"
    }
    assert {name: (demand.gpus, demand.gpu_model) for name, demand in demands.items()} == {
        "train-1": ({"nvidia.com/gpu": 2}, A100),
        "train-2": ({"nvidia.com/gpu": 1}, A100),
        "slices": ({"nvidia.com/mig-1g.5gb": 3, "nvidia.com/mig-2g.10gb": 1}, A100),
        "vm-1": ({"nvidia.com/A100_SXM4_40GB": 4}, V100),
        "riddle": ({"nvidia.com/gpu": 1}, None),
    }


def test_what_is_known_beside_the_pods(ledger: Ledger) -> None:
    """Labels of pods, owners of namespaces from when on, and claims that grew."""
    mark = ledger.watermark("ocp")
    assert mark
    labels = {life.pod.name: life.pod.labels for life in ledger.pods("ocp", FIRST, LAST) if life.pod.labels}
    assert labels == {"notebook-1": {"label_course": "cs101"}}
    spaces = [entry.record for entry in ledger.entries("ocp", Kind.NAMESPACE, mark.seq)]
    owners = [
        (one.since, one.annotations["annotation_cf_pi"])
        for one in spaces
        if isinstance(one, Namespace) and one.name == "physics"
    ]
    assert owners[0] == (FIRST, "pi-a@example.edu")
    assert owners[1][1] == "pi-b@example.edu"
    assert at(1, 8) <= owners[1][0] <= at(1, 8) + STEP
    claims = [entry.record for entry in ledger.entries("ocp", Kind.CLAIM, mark.seq)]
    sizes = {
        one.bytes for claim in claims if isinstance(claim, Claim) and claim.name == "pgdata" for one in claim.stretches
    }
    assert sizes == {20 * GIB, 40 * GIB}


def test_killed_and_run_again(prometheus: str, ledger: Ledger, tmp_path: Path) -> None:
    """A reading that stops after one window goes on at the next, and ends in the same pods."""
    place = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    upgrade(connect(place))
    other = Ledger.open(place)
    with other.writer("ocp") as writer:
        writer.finish(writer.begin(Mode.CHANGES, None), FIRST, FIRST, [])
    while (mark := other.watermark("ocp")) and mark.at < LAST:
        # The generator is dropped with its lock, as a process that dies drops it.
        next(collect_openshift(other, source(prometheus, 8), lambda *_: None, until=LAST))
    assert _told(other, FIRST, LAST) == _told(ledger, FIRST, LAST)


def _told(ledger: Ledger, since: datetime, until: datetime) -> list[object]:
    return [(life.key, life.intervals) for life in ledger.pods("ocp", since, until)]


def test_every_query_is_understood(prometheus: str) -> None:
    """A real Prometheus parses all of them, with odd names in the settings, too."""
    settings = OpenShiftSource("ocp", "openshift", gpu_resources='nvidia\\.com/.*|odd"name')
    queries = Queries(settings)
    texts = [getattr(queries, name) for name in vars(Queries) if isinstance(vars(Queries)[name], property)]
    texts += [queries.limit("cpu"), queries.told("created"), queries.labelled("label_course")]
    assert len(texts) > 12
    for text in texts:
        form = {"query": text, "start": "2025-03-01T00:00:00Z", "end": "2025-03-01T01:00:00Z", "step": "900"}
        answer = requests.post(f"{prometheus}/api/v1/query_range", data=form, timeout=60)
        assert answer.ok, answer.text
