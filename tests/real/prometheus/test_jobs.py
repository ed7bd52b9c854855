"""From a real Prometheus to XDMoD's jobs and to the report: every second that is known is told, and charged, once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from collectors.openshift import OpenShiftSource
from exporters.openshift import JobFiles, JobForm, export_jobs
from ledger import Ledger, Mode
from operations.collect import collect_openshift
from operations.reports.clusters import report_cluster
from operations.reports.rates import read_cards
from reporter import Period
from reporter.clusters.records import ClusterReport
from tests.exporters.openshift.jobs import seconds, taken_apart
from tests.pods import empty_ledger
from tests.real.prometheus.world import FIRST, LAST, PODS, Used, used

RATES = Path(__file__).parents[3] / "docs" / "rates" / "nerc-openshift.toml"
#: What is known of these namespaces is exact: Kubernetes told both ends of all their pods.
EXACT = {space for space, one in used(FIRST, LAST).items() if not one.untold}


def source(url: str, hours: int) -> OpenShiftSource:
    return OpenShiftSource("ocp", "openshift", url=url, window_hours=hours, pod_labels=("label_course",))


@pytest.fixture(scope="module", params=[24, 6])
def settings(prometheus: str, request: pytest.FixtureRequest) -> OpenShiftSource:
    """The cluster, read in windows of so many hours."""
    return source(prometheus, request.param)


@pytest.fixture(scope="module")
def ledger(settings: OpenShiftSource, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All days of the cluster."""
    ledger = empty_ledger(tmp_path_factory.mktemp("ledger"))
    with ledger.writer("ocp") as writer:
        writer.finish(writer.begin(Mode.CHANGES, None), FIRST, FIRST, [])
    for _ in collect_openshift(ledger, settings, lambda *_: None, until=LAST):
        pass
    return ledger


@pytest.fixture(scope="module")
def report(ledger: Ledger, settings: OpenShiftSource, tmp_path_factory: pytest.TempPathFactory) -> ClusterReport:
    """What the report of these days says."""
    last = LAST - timedelta(days=1)
    period = Period.days(f"{FIRST:%Y-%m-%d}", f"{last:%Y-%m-%d}")
    folder = tmp_path_factory.mktemp("report")
    return report_cluster(ledger, settings, period, folder, read_cards([RATES])[0])[0]


@pytest.fixture(scope="module")
def jobs(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The lines of these days."""
    folder = tmp_path_factory.mktemp("outbox")
    places = JobFiles(folder / "jobs", folder / "quarantine")
    (done,) = export_jobs(ledger, "ocp", JobForm("openshift", cpu="millicores"), places, lambda _: {})
    assert not done.unfit
    files = sorted(places.outbox.iterdir())
    return [taken_apart(line) for file in files for line in file.read_text().splitlines()]


def sums(jobs: Iterable[Mapping[str, str]]) -> dict[str, tuple[Fraction, int]]:
    """Core seconds and GPU seconds of lines, as XDMoD reads them, by namespace; without what asks for no CPU."""
    found = defaultdict[str, tuple[Fraction, int]](lambda: (Fraction(), 0))
    for job in jobs:
        cpu, gpus = found[job["account"]]
        tres = dict(part.split("=") for part in job["alloctres"].split(","))
        cores = Fraction(int(job["ncpus"]), 1000) if "mem" in tres else 0
        found[job["account"]] = cpu + cores * seconds(job), gpus + int(tres.get("gres/gpu", 0)) * seconds(job)
    return dict(found)


def test_the_lines_are_the_report(jobs: list[dict[str, str]], report: ClusterReport) -> None:
    """CPU and GPU time of each namespace is the same in both, to the second."""
    told = {one.name: (Fraction(one.core_seconds), one.gpu_seconds) for one in report.namespaces}
    assert sums(jobs) == told
    assert sum(map(seconds, jobs)) == sum(one.seconds for one in report.namespaces)


def test_both_are_the_truth_where_it_was_told(jobs: list[dict[str, str]], report: ClusterReport) -> None:
    """Exactly, where Kubernetes told when pods began and ended."""
    truth: dict[str, Used] = used(FIRST, LAST)
    assert EXACT
    told, said = sums(jobs), {one.name: one for one in report.namespaces}
    for space in EXACT:
        assert told[space] == (truth[space].cpu, truth[space].gpus)
        assert said[space].byte_seconds == truth[space].memory


def test_each_pod_has_jobs_of_its_own(jobs: list[dict[str, str]]) -> None:
    """Names are used again, in time and in other namespaces; no two lines have one key, and none is of two days."""
    assert len({job["jobid"] for job in jobs}) == len(jobs)
    assert {(job["account"], job["jobname"]) for job in jobs} <= {(pod.namespace, pod.name) for pod in PODS}
    for job in jobs:
        start, end = (datetime.fromisoformat(job[name]) for name in ("start", "end"))
        assert start < end
        assert start.date() == (end - timedelta(seconds=1)).date()


def test_unknown_gpus_are_in_the_report(report: ClusterReport) -> None:
    """A GPU of no known model, slices and what is passed through: each has a line, and the unknown ones no price."""
    lines = {line.unit: line for line in report.lines if line.name == "ml"}
    assert {"OpenShift Unknown GPU", "OpenShift GPUA100SXM4"} <= set(lines)
    assert (lines["OpenShift Unknown GPU"].price, lines["OpenShift Unknown GPU"].finding) == (None, "no rate")
    assert report.findings["no rate"] >= 1
