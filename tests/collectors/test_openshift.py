"""What a reading makes of a cluster's samples, and what it refuses to take for an answer."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from collectors.openshift import OpenShiftSource
from collectors.openshift.assemble import Assembly
from collectors.openshift.grid import Grid
from collectors.openshift.points import Times, lives_of
from collectors.openshift.seen import Asked, Over, Seen, Told, Who
from ledger import ConfigurationError, Kind, Ledger, SourceUnavailable, XdmodCloudError
from ledger.cluster import Claim, Namespace, Node, Pod
from ledger.database import connect, upgrade
from ledger.pods import Life, Oddity
from operations.collect import collect_openshift
from operations.runs import CollectRun
from tests.collectors.thanos import DAY, STEP, Fault, Thanos, at, every

NEXT = DAY + timedelta(days=1)
PAGE = b"<!DOCTYPE html><html><body>Log in</body></html>"


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Between two attempts nobody waits."""
    with patch("urllib3.util.Retry.sleep"), patch("collectors.openshift.prometheus._PAUSES", (0.0, 0.0)):
        yield


@pytest.fixture
def thanos() -> Iterator[Thanos]:
    """A server that has nothing to tell yet; it is the noon after the day."""
    with Thanos() as server:
        yield server


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    upgrade(connect(url))
    return Ledger.open(url)


def source(thanos: Thanos, **settings: Any) -> OpenShiftSource:
    given: dict[str, Any] = {"url": thanos.url, "first_days": 1, **settings}
    return OpenShiftSource("ocp", "openshift", **given)


def collect(ledger: Ledger, thanos: Thanos, *, accept_empty: bool = False, **settings: Any) -> list[CollectRun]:
    found = collect_openshift(ledger, source(thanos, **settings), lambda *_: None, accept_empty=accept_empty)
    return list(found)


def lives(ledger: Ledger, since: datetime = DAY, until: datetime = NEXT) -> list[Life]:
    return list(ledger.pods("ocp", since, until))


def spans(life: Life) -> list[tuple[datetime, datetime]]:
    return [(interval.start, interval.end) for interval in life.intervals]


def failure(call: Callable[[], object]) -> XdmodCloudError:
    """What a user would be told; one line."""
    with pytest.raises(XdmodCloudError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value


# What is told


def test_samples_stand_for_the_time_until_the_next(thanos: Thanos, ledger: Ledger) -> None:
    """Samples at 10:00, 10:15, 10:30, 11:30 and 11:45 are 2700 and 1800 seconds, and nothing between."""
    thanos.pod(samples=[at(10), at(10, 15), at(10, 30), at(11, 30), at(11, 45)])
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert spans(life) == [(at(10), at(10, 45)), (at(11, 30), at(12))]


def test_a_change_splits_at_the_changed_sample(thanos: Thanos, ledger: Ledger) -> None:
    """CPU from 1 to 2 at 10:30: half an hour of 1 core and a quarter of 2, no overlap, and no second lost."""
    thanos.pod(samples=[at(10), at(10, 15), at(10, 30)], cpu="")
    samples = {at(10): "1", at(10, 15): "1", at(10, 30): "2"}
    thanos.tell("cpu", samples, namespace="space", pod="pod-1", node="wrk-0", resource="cpu", unit="core")
    collect(ledger, thanos)
    (life,) = lives(ledger)
    told = [(one.start, one.end, one.demand.cpu) for one in life.intervals]
    assert told == [(at(10), at(10, 30), "1"), (at(10, 30), at(10, 45), "2")]


@pytest.mark.parametrize("resource", ["memory", "gpus", "node"])
def test_every_part_of_what_is_asked_for_splits(thanos: Thanos, ledger: Ledger, resource: str) -> None:
    """Not only the CPU is compared."""
    times, who = [at(10), at(10, 15)], {"namespace": "space", "pod": "pod-1"}
    parts = {"memory": ("1073741824", "2147483648"), "gpus": ("1", "2"), "node": ("wrk-0", "wrk-1")}[resource]
    thanos.pod(samples=times, cpu="", memory="", uid="uid-1")
    for time, part in zip(times, parts, strict=True):
        node = part if resource == "node" else "wrk-0"
        memory, gpus = (part if resource == name else "1" for name in ("memory", "gpus"))
        thanos.tell("cpu", {time: "1"}, **who, node=node, resource="cpu", unit="cores")
        thanos.tell("memory", {time: memory}, **who, node=node, resource="memory", unit="bytes")
        thanos.tell("gpus", {time: gpus}, **who, node=node, resource="nvidia.com/gpu")
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert spans(life) == [(at(10), at(10, 15)), (at(10, 15), at(10, 30))]


def test_told_edges_replace_sampled_ones(thanos: Thanos, ledger: Ledger) -> None:
    """The pod ran from 9:52:10 to 11:07:30, whatever was sampled."""
    thanos.pod(started=at(9, 52, 10), completed=at(11, 7, 30))
    collect(ledger, thanos)
    (life,) = lives(ledger)
    (interval,) = life.intervals
    assert (interval.start, interval.end) == (at(9, 52, 10), at(11, 7, 30))
    assert interval.start_told
    assert interval.end_told


def test_an_edge_more_than_a_step_away_is_not_believed(thanos: Thanos, ledger: Ledger) -> None:
    """The sampled edges stay, and the case is counted."""
    thanos.pod(started=at(9, 30), completed=at(11, 45))
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert spans(life) == [(at(10), at(11, 15))]
    assert life.oddities == {Oddity.START_KEPT, Oddity.END_KEPT}


def test_a_name_borne_twice_is_two_pods(thanos: Thanos, ledger: Ledger) -> None:
    """A pod of a StatefulSet comes back under its name: another uid is another pod, though nothing else differs."""
    thanos.pod("db-0", every(at(1), at(2)), uid="first", created=at(1))
    thanos.pod("db-0", every(at(2, 15), at(3)), uid="second", created=at(2, 10))
    collect(ledger, thanos)
    assert {life.pod.uid: spans(life) for life in lives(ledger)} == {
        "first": [(at(1), at(2, 15))],
        "second": [(at(2, 15), at(3, 15))],
    }


def test_of_two_that_bear_a_name_at_once_the_younger_counts(thanos: Thanos, ledger: Ledger) -> None:
    """The older one still shows for one lookback."""
    for uid, times, created in (
        ("new", every(at(2), at(3)), at(1, 58)),
        ("old", every(at(1), at(2)), at(1)),
    ):
        thanos.tell("info", times, namespace="space", pod="db-0", uid=uid, node="wrk-0")
        thanos.tell("created", {created: str(int(created.timestamp()))}, namespace="space", pod="db-0", uid=uid)
    thanos.pod("db-0", every(at(1), at(3)), uid="")
    collect(ledger, thanos)
    assert {life.pod.uid: spans(life) for life in lives(ledger)} == {
        "old": [(at(1), at(2))],
        "new": [(at(2), at(3, 15))],
    }


def test_one_name_in_two_namespaces(thanos: Thanos, ledger: Ledger) -> None:
    """`postgres-0` exists in many namespaces; each has its own size and its own label."""
    thanos.pod("postgres-0", namespace="a", uid="u-a", cpu="1")
    thanos.pod("postgres-0", namespace="b", uid="u-b", cpu="8")
    labels = {"namespace": "a", "pod": "postgres-0", "uid": "u-a", "label_course": "cs101"}
    thanos.tell("labels", every(at(10), at(11)), **labels)
    collect(ledger, thanos, pod_labels=("label_course",))
    told = {life.pod.namespace: (life.intervals[0].demand.cpu, life.pod.labels) for life in lives(ledger)}
    assert told == {"a": ("1", {"label_course": "cs101"}), "b": ("8", {})}


def test_without_a_uid_a_pod_is_its_name_and_its_begin(thanos: Thanos, ledger: Ledger) -> None:
    """Where kube-state-metrics tells nothing, the pod still counts, and is the same one the next day."""
    thanos.now = at(12, day=2)
    thanos.pod("nameless", every(at(20), at(4, day=1)), uid="")
    first, second = collect(ledger, thanos, first_days=2)
    assert first.counts["without uid"] == second.counts["without uid"] == 1
    key = "space/nameless/20250301T200000"
    assert [(life.key, spans(life)) for life in lives(ledger)] == [(key, [(at(20), NEXT)])]
    assert [life.key for life in lives(ledger, NEXT, NEXT + timedelta(days=1))] == [key]
    assert [spans(life) for life in lives(ledger, DAY, NEXT + timedelta(days=1))] == [[(at(20), at(4, 15, day=1))]]


def test_a_pod_between_two_samples(thanos: Thanos, ledger: Ledger) -> None:
    """Exact where both its ends are told; where not, counted, for nobody knows how long it was there."""
    for name, completed in (("told", at(10, 6)), ("untold", None)):
        labels = {"namespace": "space", "pod": name, "node": "wrk-0"}
        thanos.tell("short", {at(10, 15): "2"}, **labels, resource="cpu", unit="cores")
        times = {"start_time": at(10, 2), "completion_time": completed}
        for topic, told in times.items():
            if told:
                thanos.tell(topic, {told: str(int(told.timestamp()))}, namespace="space", pod=name, uid=f"u-{name}")
    thanos.pod()
    (run,) = collect(ledger, thanos)
    assert run.counts["shorter than a step"] == 2
    found = {life.pod.name: life for life in lives(ledger)}
    assert spans(found["told"]) == [(at(10, 2), at(10, 6))]
    assert spans(found["untold"]) == []
    assert found["untold"].oddities == {Oddity.UNMEASURED}


def test_a_pod_over_midnight(thanos: Thanos, ledger: Ledger) -> None:
    """It is in both days, cut at midnight, without a gap; the first day tells nothing that the second one knows."""
    thanos.now = at(12, day=2)
    thanos.pod(samples=every(at(23), at(1, day=1)), started=at(22, 50), completed=at(1, 10, day=1))
    collect(ledger, thanos, first_days=2)
    (today,), (tomorrow,) = lives(ledger), lives(ledger, NEXT, NEXT + timedelta(days=1))
    assert spans(today) == [(at(22, 50), NEXT)]
    assert today.pod.completed is None
    assert spans(tomorrow) == [(NEXT, at(1, 10, day=1))]
    assert not tomorrow.intervals[0].start_told


def test_a_pod_that_begins_just_before_midnight(thanos: Thanos, ledger: Ledger) -> None:
    """Its first sample is tomorrow's; what it used today is known today."""
    thanos.pod(samples=every(NEXT, at(1, day=1)), started=at(23, 50))
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert spans(life) == [(at(23, 50), NEXT)]


def test_an_end_that_is_told_just_after_midnight(thanos: Thanos, ledger: Ledger) -> None:
    """The last scrape before midnight does not show it yet; the day knows it all the same."""
    thanos.pod(samples=every(at(22), at(23, 45)))
    ended = str(int(at(23, 58).timestamp()))
    thanos.tell("completion_time", {at(0, 2, day=1): ended}, namespace="space", pod="pod-1", uid="uid-1")
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert spans(life) == [(at(22), at(23, 58))]


def test_ended_pods_use_nothing(thanos: Thanos, ledger: Ledger) -> None:
    """Samples that linger when a pod has failed are none of its use; how it ended is kept."""
    thanos.pod(samples=every(at(10), at(11)), completed=at(10, 52))
    thanos.tell("phase", every(at(11), at(12)), namespace="space", pod="pod-1", uid="uid-1", phase="Failed")
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert spans(life) == [(at(10), at(10, 52))]
    assert life.pod.phase == "Failed"


def test_a_pod_without_requests_is_counted(thanos: Thanos, ledger: Ledger) -> None:
    """What asks for nothing is there all the same: its CPU and memory are unknown, not 0."""
    thanos.pod()
    thanos.pod("best-effort", uid="uid-2", cpu="", memory="")
    (run,) = collect(ledger, thanos)
    assert run.counts["without request"] == 1
    (demand,) = [life.intervals[0].demand for life in lives(ledger) if life.pod.name == "best-effort"]
    assert (demand.cpu, demand.memory) == (None, None)


def test_several_kinds_of_gpu_in_one_pod(thanos: Thanos, ledger: Ledger) -> None:
    """None overwrites another."""
    gpus = {"nvidia.com/mig-1g.5gb": "3", "nvidia.com/mig-2g.10gb": "1"}
    thanos.pod(gpus=gpus)
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert life.intervals[0].demand.gpus == {"nvidia.com/mig-1g.5gb": 3, "nvidia.com/mig-2g.10gb": 1}


def test_a_node_keeps_the_model_that_it_told_last(thanos: Thanos, ledger: Ledger) -> None:
    """A node that is down has no labels: the GPUs on it stay what they were, the next day, too; others are unknown."""
    thanos.now = at(12, day=2)
    thanos.tell("models", every(at(0), at(9)), node="gpu-0", label_nvidia_com_gpu_product="NVIDIA-A100-SXM4-40GB")
    for day, uid in ((0, "u-1"), (1, "u-2")):
        times = every(at(10, day=day), at(11, day=day))
        thanos.pod("trains", times, uid=uid, node="gpu-0", gpus={"nvidia.com/gpu": "2"})
        thanos.pod("riddle", times, uid=f"{uid}-r", node="gpu-1", gpus={"nvidia.com/gpu": "1"})
    collect(ledger, thanos, first_days=2)
    for since in (DAY, NEXT):
        found = {life.pod.name: life.intervals[0].demand for life in lives(ledger, since, since + timedelta(days=1))}
        assert found["trains"].gpu_model == "NVIDIA-A100-SXM4-40GB"
        assert found["trains"].gpus == {"nvidia.com/gpu": 2}
        assert found["riddle"].gpu_model is None
        assert found["riddle"].gpus == {"nvidia.com/gpu": 1}


def test_another_scheduler_leads(thanos: Thanos, ledger: Ledger) -> None:
    """The same request under the label of another instance is no other request, even where both tell it."""
    who = {"namespace": "space", "pod": "pod-1", "node": "wrk-0", "resource": "cpu", "unit": "cores"}
    thanos.pod(cpu="")
    thanos.tell("cpu", every(at(10), at(10, 30)), **who, instance="a")
    thanos.tell("cpu", every(at(10, 30), at(11)), **who, instance="b")
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert [(one.start, one.end, one.demand.cpu) for one in life.intervals] == [(at(10), at(11, 15), "1")]


def test_a_node_gets_other_gpus(thanos: Thanos, ledger: Ledger) -> None:
    """The model is part of what a pod has: where it changes under a pod, the pod's time is divided."""
    for first, last, model in ((DAY, at(10, 30), "old"), (at(10, 45), NEXT, "new")):
        thanos.tell("models", every(first, last), node="wrk-0", label_nvidia_com_gpu_product=model)
    thanos.pod(gpus={"nvidia.com/gpu": "1"})
    thanos.pod("no-gpu", uid="uid-2")
    collect(ledger, thanos)
    found = {life.pod.name: [(one.start, one.demand.gpu_model) for one in life.intervals] for life in lives(ledger)}
    assert found == {"pod-1": [(at(10), "old"), (at(10, 45), "new")], "no-gpu": [(at(10), None)]}


@pytest.mark.parametrize("topics", [("cpu", "memory"), ("info",), ("cpu", "memory", "info")])
def test_what_tells_the_metrics_moves(thanos: Thanos, ledger: Ledger, topics: tuple[str, ...]) -> None:
    """A new series begins for each pod when the scheduler or kube-state-metrics moves; to the pod nothing happens."""
    thanos.pod(samples=every(at(9), at(12)))
    for topic in topics:
        ((labels, samples),) = thanos.series.pop(topic)
        for instance, kept in (("a", every(at(9), at(10, 30))), ("b", every(at(10, 30), at(12)))):
            thanos.tell(topic, {time: samples[time] for time in kept}, **labels, instance=instance)
    collect(ledger, thanos)
    assert [spans(life) for life in lives(ledger)] == [[(at(9), at(12, 15))]]


@pytest.mark.parametrize(
    ("said", "cores"), [("0.5", "0.5"), ("1e+00", "1"), ("1.50", "1.5"), ("0.1", "0.1"), ("10", "10")]
)
def test_cores_are_exact(thanos: Thanos, ledger: Ledger, said: str, cores: str) -> None:
    """As decimal text, never by way of a binary fraction."""
    thanos.pod(cpu=said)
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert life.intervals[0].demand.cpu == cores


def test_what_surrounds_the_pods(thanos: Thanos, ledger: Ledger) -> None:
    """Namespaces with their owners, from when on; nodes with what they offer; claims with their class and size."""
    thanos.pod()
    thanos.tell("annotations", every(DAY, at(7, 45)), namespace="space", annotation_cf_pi="ada@a.edu", annotation_x="1")
    thanos.tell("annotations", every(at(8), NEXT), namespace="space", annotation_cf_pi="ben@a.edu")
    thanos.tell("allocatable", every(DAY, NEXT, "64"), node="wrk-0", resource="cpu", unit="core")
    claim = {"namespace": "space", "persistentvolumeclaim": "data"}
    thanos.tell("claims", every(DAY, at(11, 45), "1e+10") | every(at(12), NEXT, "20000000000"), **claim)
    thanos.tell("claim classes", every(DAY, NEXT), **claim, storageclass="ssd", volumename="pv-1")
    collect(ledger, thanos)
    mark = ledger.watermark("ocp")
    assert mark
    told = {kind: [entry.record for entry in ledger.entries("ocp", kind, mark.seq)] for kind in Kind}
    assert told[Kind.NAMESPACE] == [
        Namespace("space", DAY, {"annotation_cf_pi": "ada@a.edu"}),
        Namespace("space", at(8), {"annotation_cf_pi": "ben@a.edu"}),
    ]
    assert told[Kind.NODE] == [Node("wrk-0", DAY, allocatable={"cpu": "64"})]
    (found,) = told[Kind.CLAIM]
    assert isinstance(found, Claim)
    assert (found.storage_class, found.volume) == ("ssd", "pv-1")
    sizes = [(one.first, one.last, one.bytes) for one in found.stretches]
    assert sizes == [(DAY, at(11, 45), 10**10), (at(12), NEXT, 2 * 10**10)]


def test_what_did_not_change_is_not_told_again(thanos: Thanos, ledger: Ledger) -> None:
    """A node and a namespace that stay as they are have one record, however many days are read."""
    thanos.now = at(12, day=3)
    thanos.pod(samples=every(DAY, at(0, day=3)))
    thanos.tell("annotations", every(DAY, at(0, day=3)), namespace="space", annotation_cf_pi="ada@a.edu")
    thanos.tell("allocatable", every(DAY, at(0, day=3), "64"), node="wrk-0", resource="cpu")
    runs = collect(ledger, thanos, first_days=3)
    assert [run.counts["appended"] for run in runs] == [3, 1, 1]


# Windows


def test_windows_are_read_one_by_one(thanos: Thanos, ledger: Ledger) -> None:
    """Each is kept whatever becomes of the next, and the next run goes on where this one ended."""
    thanos.now = at(12, day=3)
    thanos.pod(samples=every(DAY, at(0, day=3)))
    found = collect_openshift(ledger, source(thanos, first_days=3), lambda *_: None)
    assert next(found).up_to == NEXT
    thanos.faults.append(Fault("info", status=503, body=b'{"status":"error","error":"gone"}'))
    assert isinstance(failure(lambda: next(found)), SourceUnavailable)
    mark = ledger.watermark("ocp")
    assert mark
    assert mark.at == NEXT
    thanos.faults.clear()
    assert [run.up_to for run in collect(ledger, thanos)] == [at(0, day=2), at(0, day=3)]
    (life,) = lives(ledger, DAY, at(0, day=3))
    assert spans(life) == [(DAY, at(0, day=3))]
    outcomes = [run["outcome"] for run in ledger.runs("ocp")]
    assert outcomes == ["done", "failed", "done", "done"]


def test_reading_again_changes_nothing(thanos: Thanos, ledger: Ledger) -> None:
    """What is known is not asked for again; no second record comes of it."""
    thanos.pod()
    collect(ledger, thanos)
    thanos.asked.clear()
    (run,) = collect(ledger, thanos)
    assert run.counts["appended"] == 0
    assert [asked.topic for asked in thanos.asked] == ["now"]


def test_a_window_settles_first(thanos: Thanos, ledger: Ledger) -> None:
    """Just after midnight the last scrapes of a day may not have come in yet."""
    thanos.now = NEXT + timedelta(minutes=9)
    assert collect(ledger, thanos)[-1].up_to == DAY
    thanos.now += timedelta(minutes=2)
    assert collect(ledger, thanos)[-1].up_to == NEXT


@pytest.mark.parametrize("hours", [1, 6, 24])
def test_the_length_of_windows_does_not_show(thanos: Thanos, ledger: Ledger, hours: int) -> None:
    """By the hour or by the day, the intervals are the same; each question is on the grid and within a window."""
    thanos.pod("long", every(DAY, NEXT), uid="u-1")
    thanos.pod("short", every(at(5, 45), at(7)), uid="u-2", started=at(5, 40), completed=at(7, 7))
    collect(ledger, thanos, window_hours=hours)
    assert {life.pod.name: spans(life) for life in lives(ledger)} == {
        "long": [(DAY, NEXT)],
        "short": [(at(5, 40), at(7, 7))],
    }
    for asked in thanos.asked:
        if asked.topic == "cpu":
            since, until = (datetime.fromisoformat(asked.form[edge]) for edge in ("start", "end"))
            assert until - since == timedelta(hours=hours)
            assert (since - DAY) % STEP == timedelta()


def test_windows_of_another_length_join(thanos: Thanos, ledger: Ledger) -> None:
    """After a change of window_hours, reading goes on at the watermark without a gap."""
    thanos.now = at(9, day=1)
    thanos.pod(samples=every(DAY, at(8, day=1)))
    collect(ledger, thanos, window_hours=8)
    assert collect(ledger, thanos, window_hours=24)[-1].up_to == at(8, day=1)
    thanos.now = at(1, day=2)
    assert [run.up_to for run in collect(ledger, thanos, window_hours=24)] == [at(0, day=2)]


def test_windows_of_another_step_are_not_mixed(thanos: Thanos, ledger: Ledger) -> None:
    """A sample stands for the step at which it was taken: on one day a quarter of an hour, on the next 5 minutes."""
    thanos.now = at(12, day=1)
    for day, step in ((0, STEP), (1, timedelta(minutes=5))):
        thanos.now = at(12, day=day + 1)
        thanos.pod(f"pod-{day}", every(at(10, day=day), at(11, day=day), step=step), uid=f"u-{day}")
        collect(ledger, thanos, step_seconds=int(step.total_seconds()))
    first, second = lives(ledger, DAY, at(0, day=2))
    assert spans(first) == [(at(10), at(11, 15))]
    assert spans(second) == [(at(10, day=1), at(11, 5, day=1))]


# What is refused


REFUSED = {
    400: (SourceUnavailable, b'{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"}'),
    401: (ConfigurationError, b"Unauthorized"),
    403: (ConfigurationError, PAGE),
    404: (ConfigurationError, b"404 page not found"),
    422: (SourceUnavailable, b'{"status":"error","errorType":"execution","error":"too many samples"}'),
    429: (SourceUnavailable, PAGE),
    502: (SourceUnavailable, PAGE),
    503: (SourceUnavailable, b'{"status":"error","errorType":"timeout","error":"query timed out"}'),
    504: (SourceUnavailable, PAGE),
}
TOPICS = (
    "now", "cpu", "memory", "gpus", "short", "cpu limit", "memory limit", "info", "phase", "created", "start_time",
    "completion_time", "labels", "models", "allocatable", "annotations", "namespace labels", "claims", "claim classes",
)  # fmt: skip


@pytest.mark.parametrize("status", REFUSED)
def test_an_error_is_no_answer(thanos: Thanos, ledger: Ledger, status: int) -> None:
    """Whatever is wrong, nothing is recorded, and it is said what."""
    thanos.pod(gpus={"nvidia.com/gpu": "1"})
    kind, body = REFUSED[status]
    thanos.faults.append(Fault("gpus", status, body))
    error = failure(lambda: collect(ledger, thanos))
    assert type(error).__mro__[1] is kind or type(error) is kind
    assert str(status) in str(error)
    assert lives(ledger) == []
    assert ledger.watermark("ocp") is None
    assert [run["outcome"] for run in ledger.runs("ocp")] == ["failed"]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_question_must_be_answered(thanos: Thanos, ledger: Ledger, topic: str) -> None:
    """A pod with a GPU is not recorded as one without, because one query failed."""
    thanos.pod(gpus={"nvidia.com/gpu": "1"})
    wanted: dict[str, Any] = {"pod_labels": ("label_class",), "namespace_labels": ("label_team",)}
    thanos.faults.append(Fault(topic, 503, b'{"status":"error","error":"overloaded"}'))
    assert isinstance(failure(lambda: collect(ledger, thanos, **wanted)), SourceUnavailable)
    assert lives(ledger) == []
    assert ledger.watermark("ocp") is None
    thanos.faults.clear()
    collect(ledger, thanos, **wanted)
    assert {asked.topic for asked in thanos.asked} == set(TOPICS)


NONE = b'{"status":"success","data":{"resultType":"matrix","result":[]}'
BAD = {
    "a warning": (NONE + b',"warnings":["store-1 is down"]}', "store-1 is down"),
    "a partial answer": (NONE + b',"isPartial":true}', "incomplete"),
    "HTML": (PAGE, "a web page instead of JSON"),
    "half an answer": (NONE[:-2] + b'{"metric":{},"val', "cannot be read"),
    "no matrix": (NONE.replace(b"matrix", b"vector") + b"}", "no matrix"),
    "an error with 200": (b'{"status":"error","error":"odd"}', "odd"),
    "nothing": (b"{}", "cannot be read"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_odd_answer_is_none(thanos: Thanos, ledger: Ledger, case: str) -> None:
    """An answer that is incomplete, or none, is not taken for an empty one."""
    body, said = BAD[case]
    thanos.pod()
    thanos.faults.append(Fault("gpus", body=body))
    error = failure(lambda: collect(ledger, thanos))
    assert isinstance(error, SourceUnavailable)
    assert said in str(error)
    assert lives(ledger) == []


def test_a_failure_that_passes_is_not_noticed(thanos: Thanos, ledger: Ledger) -> None:
    """Busy for a moment, and an answer that breaks off: asked again, all is read."""
    thanos.pod()
    thanos.faults += [Fault("cpu", 503, PAGE, times=2), Fault("info", cut=True, times=1)]
    collect(ledger, thanos)
    assert [spans(life) for life in lives(ledger)] == [[(at(10), at(11, 15))]]


def test_a_query_that_takes_too_long(thanos: Thanos, ledger: Ledger) -> None:
    """The server is told when to give up, and is not waited for without end."""
    thanos.faults.append(Fault("cpu", seconds=0.5))
    thanos.pod()
    with patch("collectors.openshift.prometheus._GRACE", -0.9):
        error = failure(lambda: collect(ledger, thanos, timeout_seconds=1))
    assert isinstance(error, SourceUnavailable)
    assert thanos.asked[1].form["timeout"] == "1s"


def test_pods_that_no_node_can_take_are_not_asked_for(thanos: Thanos, ledger: Ledger) -> None:
    """What waits for a node uses nothing, though a metric of its request exists."""
    thanos.pod()
    collect(ledger, thanos)
    queries = [asked.form["query"] for asked in thanos.asked if asked.topic in ("cpu", "memory", "gpus", "short")]
    assert len(queries) == 4
    for query in queries:
        assert 'node!=""' in query
        assert query.endswith(" unless on(pod, namespace) kube_pod_status_unschedulable")


def test_replicas_and_partial_answers(thanos: Thanos, ledger: Ledger) -> None:
    """Thanos is asked to count replicas once, and to give no partial answer."""
    thanos.pod()
    collect(ledger, thanos)
    assert all(asked.form["dedup"] == "true" for asked in thanos.asked[1:])
    assert all(asked.form["partial_response"] == "false" for asked in thanos.asked[1:])


@pytest.mark.parametrize("unit", ["millicores", "bytes", "core-seconds"])
def test_a_unit_that_is_not_known(thanos: Thanos, ledger: Ledger, unit: str) -> None:
    """Refused, for a guess may be wrong by a factor of a thousand."""
    thanos.pod(cpu="")
    labels = {"namespace": "space", "pod": "pod-1", "node": "wrk-0", "resource": "cpu", "unit": unit}
    thanos.tell("cpu", every(at(10), at(11)), **labels)
    error = failure(lambda: collect(ledger, thanos))
    assert isinstance(error, ConfigurationError)
    assert unit in str(error)


@pytest.mark.parametrize("resource", ["cpu", "memory", "gpus"])
@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1"])
def test_a_value_that_cannot_be_meant(thanos: Thanos, ledger: Ledger, value: str, resource: str) -> None:
    """The pod is set aside whole and counted; it is not recorded as one that uses less; all others are read."""
    thanos.pod("good", uid="u-1")
    sizes: dict[str, Any] = {resource: {"nvidia.com/gpu": value} if resource == "gpus" else value}
    thanos.pod("bad", uid="u-2", **sizes)
    (run,) = collect(ledger, thanos)
    assert run.counts["rejected"] == 1
    assert "space/bad" in run.warnings[0]
    assert [life.pod.name for life in lives(ledger)] == ["good"]
    (aside,) = ledger.quarantined("ocp")
    assert value in aside["reason"]


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
def test_one_sample_that_cannot_be_meant(thanos: Thanos, ledger: Ledger, value: str) -> None:
    """One in the middle of good ones: the pod is set aside all the same, and there is no gap or 0 in its place."""
    samples = every(at(10), at(11)) | {at(10, 30): value}
    thanos.pod(cpu="")
    thanos.pod("good", uid="u-2")
    thanos.tell("cpu", samples, namespace="space", pod="pod-1", node="wrk-0", resource="cpu", unit="cores")
    (run,) = collect(ledger, thanos)
    assert (run.counts["rejected"], [life.pod.name for life in lives(ledger)]) == (1, ["good"])


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1"])
def test_what_surrounds_the_pods_and_cannot_be_meant(thanos: Thanos, ledger: Ledger, value: str) -> None:
    """A claim of such a size, and what a node offers so, are set aside and counted; neither is recorded as 0."""
    thanos.pod()
    thanos.tell("claims", every(at(10), at(11), value), namespace="space", persistentvolumeclaim="data")
    thanos.tell("allocatable", {at(10): value}, node="wrk-0", resource="cpu", unit="core")
    thanos.tell("allocatable", {at(10): "64"}, node="wrk-1", resource="cpu", unit="core")
    (run,) = collect(ledger, thanos)
    assert run.counts["rejected"] == 2
    mark = ledger.watermark("ocp")
    assert mark
    assert list(ledger.entries("ocp", Kind.CLAIM, mark.seq)) == []
    offered = {
        one.name: one.allocatable
        for entry in ledger.entries("ocp", Kind.NODE, mark.seq)
        if isinstance(one := entry.record, Node)
    }
    assert offered == {"wrk-1": {"cpu": "64"}}


def test_a_time_that_cannot_be_meant(thanos: Thanos, ledger: Ledger) -> None:
    """Set aside; the pod's samples count."""
    thanos.pod()
    thanos.tell("start_time", {at(10): "NaN"}, namespace="space", pod="pod-1", uid="uid-1")
    (run,) = collect(ledger, thanos)
    assert run.counts["rejected"] == 1
    assert [spans(life) for life in lives(ledger)] == [[(at(10), at(11, 15))]]


@pytest.mark.parametrize(
    "points", ['[[1740823200,"1"],[1740822300,"1"]]', '[[1740823201,"1"]]', '[[1740787200,"1"],[1740787200,"1"]]']
)
def test_points_that_were_not_asked_for(thanos: Thanos, ledger: Ledger, points: str) -> None:
    """Out of order, off the grid, or twice: whoever answers so is not believed."""
    thanos.pod()
    labels = '{"namespace":"space","pod":"pod-1","node":"wrk-0","resource":"cpu","unit":"core"}'
    series = f'{{"metric":{labels},"values":{points}}}'
    body = f'{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}'
    thanos.faults.append(Fault("cpu", body=body.encode()))
    assert isinstance(failure(lambda: collect(ledger, thanos)), SourceUnavailable)
    assert lives(ledger) == []


def test_the_same_series_twice(thanos: Thanos, ledger: Ledger) -> None:
    """Counts once."""
    thanos.pod()
    thanos.series["cpu"] *= 2
    thanos.series["info"] *= 2
    collect(ledger, thanos)
    (life,) = lives(ledger)
    assert [(one.start, one.end, one.demand.cpu) for one in life.intervals] == [(at(10), at(11, 15), "1")]


def test_series_that_contradict_each_other_are_counted(thanos: Thanos, ledger: Ledger) -> None:
    """The one that came later counts."""
    thanos.pod(samples=every(at(9), at(11)), cpu="1")
    labels = {"namespace": "space", "pod": "pod-1", "node": "wrk-0", "resource": "cpu", "unit": "cores"}
    thanos.tell("cpu", every(at(10), at(11), "2"), **labels, instance="other")
    (run,) = collect(ledger, thanos)
    assert run.counts["conflicts"] == 5
    (life,) = lives(ledger)
    assert [(one.start, one.demand.cpu) for one in life.intervals] == [(at(9), "1"), (at(10), "2")]


def test_an_empty_cluster_that_was_none_before(thanos: Thanos, ledger: Ledger) -> None:
    """No pod at all, where there were some, needs a person's word; where none were known, it does not."""
    thanos.now = at(12, day=2)
    thanos.pod()
    found = collect_openshift(ledger, source(thanos, first_days=2), lambda *_: None)
    next(found)
    error = failure(lambda: next(found))
    assert isinstance(error, SourceUnavailable)
    assert "--accept-empty" in str(error)
    assert [run.counts["pods"] for run in collect(ledger, thanos, accept_empty=True)] == [0]
    thanos.now = at(12, day=3)
    assert [run.counts["pods"] for run in collect(ledger, thanos)] == [0]


def test_the_schedulers_metrics_are_not_there(thanos: Thanos, ledger: Ledger) -> None:
    """Pods that run, and not one that asks for anything: that is no cluster of pods that ask for nothing."""
    thanos.pod(cpu="", memory="")
    error = failure(lambda: collect(ledger, thanos))
    assert isinstance(error, SourceUnavailable)
    assert "kube_pod_resource_request" in str(error)


@pytest.mark.parametrize("now", ["ahead", "behind"])
def test_a_clock_that_cannot_be_right(thanos: Thanos, ledger: Ledger, now: str) -> None:
    """A watermark in the future would stop all readings; one in the past would repeat them."""
    thanos.pod()
    collect(ledger, thanos)
    thanos.now = datetime.now(thanos.now.tzinfo) + timedelta(hours=3) if now == "ahead" else at(23)
    error = failure(lambda: collect(ledger, thanos))
    assert isinstance(error, SourceUnavailable)
    assert "clock" in str(error)


# As whom


def test_a_token_may_rotate(thanos: Thanos, ledger: Ledger, tmp_path: Path) -> None:
    """The file is read for each request; one that was renewed between two is used at once."""
    file = tmp_path / "token"
    file.write_text("first\n")
    thanos.pod()

    def renew(*_: object) -> None:
        file.write_text("second\n")

    list(collect_openshift(ledger, source(thanos, token_file=file), renew))
    assert thanos.asked[0].authorization == "Bearer first"
    assert {asked.authorization for asked in thanos.asked[1:]} == {"Bearer second"}


def test_a_token_that_has_just_expired(thanos: Thanos, ledger: Ledger, tmp_path: Path) -> None:
    """Asked once more: the token may have been renewed meanwhile."""
    file = tmp_path / "token"
    file.write_text("token")
    thanos.pod()
    thanos.faults.append(Fault("cpu", 401, b"Unauthorized", times=1))
    collect(ledger, thanos, token_file=file)
    assert len(lives(ledger)) == 1


@pytest.mark.parametrize("content", [None, "", "two words", "\xff"])
def test_a_file_without_a_token(thanos: Thanos, ledger: Ledger, tmp_path: Path, content: str | None) -> None:
    """Said before anything is asked, and without what stands there."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    error = failure(lambda: collect(ledger, thanos, token_file=file))
    assert isinstance(error, ConfigurationError)
    assert "two words" not in str(error)
    assert not thanos.asked


def test_led_to_a_login_page(thanos: Thanos, ledger: Ledger) -> None:
    """A proxy that wants somebody to log in is no Prometheus; the token goes nowhere else."""
    thanos.faults.append(Fault(status=302, headers={"Location": "https://login.example.org/?x=1"}, body=PAGE))
    error = failure(lambda: collect(ledger, thanos))
    assert isinstance(error, ConfigurationError)
    assert "https://login.example.org/" in str(error)


def test_an_authority_of_its_own(ledger: Ledger, tmp_path: Path) -> None:
    """A server whose certificate only `ca_file` vouches for is read with it, and refused without it."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("A certificate needs the program openssl")
    key, certificate = tmp_path / "server.pem", tmp_path / "authority.crt"
    new = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-subj", "/CN=127.0.0.1"]
    new += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(new, check=True, capture_output=True)
    key.write_text(key.read_text() + certificate.read_text())
    with Thanos(certificate=key) as thanos:
        thanos.pod()
        error = failure(lambda: collect(ledger, thanos))
        assert isinstance(error, ConfigurationError)
        assert "certificate" in str(error)
        collect(ledger, thanos, ca_file=certificate)
    assert len(lives(ledger)) == 1


def test_a_cluster_without_an_address(ledger: Ledger) -> None:
    """It may be known for its namespaces only; reading it needs a url."""
    run = collect_openshift(ledger, OpenShiftSource("ocp", "openshift"), lambda *_: None)
    assert isinstance(failure(lambda: list(run)), ConfigurationError)


# The short way


def test_the_short_way_is_the_long_way() -> None:
    """What is told by the ends of a pod's series is what going through its points tells."""
    random, grid, plain = Random(5), Grid(DAY, NEXT, STEP), 0
    for _ in range(400):
        seen, times = _some_pod(random, grid)
        assembly = Assembly(grid, _NoModels(), lambda *_: None)  # type: ignore[arg-type]
        short = assembly._plain(seen, times)
        if short:
            plain += 1
            told, _ = lives_of(seen, grid, times, assembly._demand)
            assert told == {"u-1": [short]}
    assert 50 < plain < 350


class _NoModels:
    def at(self, node: str, point: int) -> None:
        pass

    def changes(self, node: str, first: int, last: int) -> bool:  # noqa: ARG002
        return False


def _some_pod(random: Random, grid: Grid) -> tuple[Seen, dict[str | None, Times]]:
    from collectors.openshift.grid import Run

    seen = Seen()
    first = random.randrange(grid.size - 1)
    last = random.randrange(first, grid.size)
    span = (Run(first, last, "2"),)
    other = (Run(random.choice((first, max(0, first - 1))), random.choice((last, max(first, last - 1))), "5"),)
    seen.requests += [
        Asked("cpu", "n", span),
        Asked("memory", random.choice("nnnnnm"), random.choice((span, span, span, other))),
    ]
    if random.random() < 0.5:
        seen.limits.append(
            Asked("cpu", "", (Run(random.choice((first, random.randrange(first, last + 1))), last, "4"),))
        )
    odd = random.random() < 0.2
    begin = max(0, first - random.randrange(2))
    seen.who.append(Who("u-1", "n", "", "", (Run(begin, min(grid.size - 1, last + random.randrange(2)), "1"),)))
    if odd:
        seen.who.append(Who("u-2", "n", "", "", (Run(max(0, first - 9), first, "1"),)))
    if random.random() < 0.3 and last + 1 < grid.size:
        seen.over.append(Over("u-1", "Failed", (Run(last + random.randrange(2), grid.size - 1, "1"),)))
    ended = grid.times[last] + timedelta(minutes=random.randrange(-6, 14))
    times: dict[str | None, Times] = {"u-1": Times(completed=ended if random.random() < 0.5 else None)}
    seen.told += [Told("u-1", "completion_time", "0")] if odd else []
    return seen, times


def test_pods_are_records_of_their_window(thanos: Thanos, ledger: Ledger) -> None:
    """Each says which window it is of, and how it was sampled."""
    thanos.pod()
    collect(ledger, thanos)
    mark = ledger.watermark("ocp")
    assert mark
    (entry,) = ledger.entries("ocp", Kind.POD, mark.seq)
    assert isinstance(entry.record, Pod)
    assert (entry.record.since, entry.record.until, entry.record.step) == (DAY, NEXT, 900)
