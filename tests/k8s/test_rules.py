"""What holds for every job of every overlay: docs/kubernetes.md says why."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.k8s.rendered import MANIFESTS, OVERLAYS, Job, jobs, jobs_in, objects, objects_of

MINUTE, HOUR, DAY = 60, 3600, 86400
EVERY = [(overlay, job.name) for overlay in OVERLAYS for job in jobs(overlay)]
ALONE = "xdmod-cloud/alone-with-"


@pytest.fixture(params=EVERY, ids=lambda one: "-".join(one))
def job(request: pytest.FixtureRequest) -> Job:
    """Each job of each overlay."""
    overlay, name = request.param
    return next(one for one in jobs(overlay) if one.name == name)


def period(schedule: str) -> int:
    """The shortest time between two starts, in seconds."""
    minute, hour, day, _, weekday = schedule.split()
    if minute.startswith("*/"):
        return int(minute.removeprefix("*/")) * MINUTE
    if weekday != "*":
        return 7 * DAY
    return HOUR if hour == "*" else DAY if day == "*" else 28 * DAY


def test_one_run_at_a_time_and_none_for_ever(job: Job) -> None:
    """A run that hangs ends before the next one is due; none is started beside it, and none is skipped for good."""
    assert job.cron["concurrencyPolicy"] == "Forbid"
    assert job.cron["timeZone"] == "Etc/UTC"
    assert job.cron["startingDeadlineSeconds"] == 1800
    assert 0 < job.job["activeDeadlineSeconds"] < period(job.cron["schedule"])


def test_what_is_over_is_kept_for_a_while(job: Job) -> None:
    """Two days, three good runs and five failed ones."""
    assert job.cron["successfulJobsHistoryLimit"] == 3
    assert job.cron["failedJobsHistoryLimit"] == 5
    assert job.job["ttlSecondsAfterFinished"] == 2 * DAY


def test_each_try_is_a_fresh_pod(job: Job) -> None:
    """At most two more tries, and only for what another try can mend."""
    assert job.pod["restartPolicy"] == "Never"
    assert 1 <= job.job["backoffLimit"] <= 2 * job.job.get("completions", 1)
    final = {
        (code, rule["onExitCodes"].get("containerName", "any"))
        for rule in job.job["podFailurePolicy"]["rules"]
        if rule["action"] == "FailJob"
        for code in rule["onExitCodes"]["values"]
    }
    assert (2, "any") in final
    assert {(1, "any"), (1, "xdmod-cloud")} & final
    assert not [code for code, _ in final if code == 75]


def test_no_volume_is_shared_between_nodes(overlay: str) -> None:
    """Claims are read-write-once."""
    claims = [one["spec"] for one in objects(overlay) if one["kind"] == "PersistentVolumeClaim"]
    assert claims
    assert all(claim["accessModes"] == ["ReadWriteOnce"] for claim in claims)


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    """Each overlay."""
    return str(request.param)


def test_no_two_pods_have_one_claim(overlay: str) -> None:
    """Pods that mount the same claim keep each other away, wherever they run."""
    for job in jobs(overlay):
        assert {f"{ALONE}{claim}" for claim in job.claims} <= alone(job), job.name
        if alone(job):
            assert kept_away(job) == {(label, "kubernetes.io/os") for label in alone(job)}, job.name
            assert job.pod["nodeSelector"] == {"kubernetes.io/os": "linux"}, "the label that all nodes have in common"


def alone(job: Job) -> set[str]:
    """The labels that say beside whom a job's pods never run."""
    return {label for label in job.labels if label.startswith(ALONE)}


def kept_away(job: Job) -> set[tuple[str, str]]:
    """The labels of pods beside which a job's pods never run, and where that counts as beside."""
    terms = job.pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return {(label, term["topologyKey"]) for term in terms for label in term["labelSelector"]["matchLabels"]}


def test_the_readers_of_openstack_do_not_meet(overlay: str) -> None:
    """The sweep and the frequent reading wait for each other: the one that came second would only fail."""
    readers = [job for job in jobs(overlay) if job.name in ("collect-openstack", "collect-hypervisors")]
    assert set.intersection(*map(alone, readers))


def test_every_claim_is_there(overlay: str) -> None:
    """No pod waits for a claim that nobody makes, and none is made for nobody."""
    made = {one["metadata"]["name"] for one in objects(overlay) if one["kind"] == "PersistentVolumeClaim"}
    assert made == set().union(*(job.claims for job in jobs(overlay)))


def test_a_ledger_in_a_file_has_one_pod_at_a_time(tmp_path: Path) -> None:
    """With SQLite all pods have the one claim, and so only one of them runs; those of every job that there is."""
    parts = {kind: os.path.relpath(MANIFESTS / path, tmp_path) for kind, path in _SQLITE.items()}
    (tmp_path / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"resources: [{parts['resources']}]\ncomponents: [{parts['components']}]\n"
    )
    everything = objects_of(tmp_path)
    made = {one["metadata"]["name"] for one in everything if one["kind"] == "PersistentVolumeClaim"}
    for job in [*jobs("minikube"), *jobs_in(everything)]:
        assert alone(job) == {f"{ALONE}data"}
        assert kept_away(job) == {(f"{ALONE}data", "kubernetes.io/os")}
        assert "data" in job.claims <= made
        assert all(len(volume) == 2 for volume in job.volumes.values()), "a volume is of one kind"


_SQLITE = {"resources": "base", "components": "components/sqlite"}


def test_whatever_is_no_claim_has_a_limit(job: Job) -> None:
    """A pod cannot fill its node's disk."""
    for volume in job.volumes.values():
        if "emptyDir" in volume:
            assert re.fullmatch(r"\d+[MG]i", volume["emptyDir"]["sizeLimit"])
        if "ephemeral" in volume:
            claim = volume["ephemeral"]["volumeClaimTemplate"]["spec"]
            assert claim["accessModes"] == ["ReadWriteOnce"]
            assert re.fullmatch(r"\d+Gi", claim["resources"]["requests"]["storage"])


def test_pods_run_as_nobody_in_particular(job: Job) -> None:
    """Not as root, and with whatever uid the cluster assigns."""
    context = job.pod["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for one in [context, *(container["securityContext"] for container in job.containers)]:
        assert not {"runAsUser", "runAsGroup"} & one.keys()


def test_openshift_assigns_the_group() -> None:
    """Where OpenShift runs the pods, none of them asks for a group of its own."""
    assert not [job.name for job in jobs("production-example") if "fsGroup" in job.pod["securityContext"]]


def test_containers_can_do_little(job: Job) -> None:
    """No privileges, no capabilities, and a root file system that cannot be written."""
    for container in job.containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_containers_have_resources(job: Job) -> None:
    """Processor and memory are asked for, and memory alone is limited."""
    for container in job.containers:
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


def test_no_probes(job: Job) -> None:
    """A job says by its end how it is; nobody calls it meanwhile."""
    for container in job.containers:
        assert not {"livenessProbe", "readinessProbe", "startupProbe", "ports"} & container.keys()


def test_the_api_is_nobodys_business(job: Job) -> None:
    """No pod has the token of an account in the cluster without asking for it."""
    assert job.pod["automountServiceAccountToken"] is False
    assert not job.pod.get("hostNetwork")


def test_an_account_of_the_cluster_only_reads_its_prometheus() -> None:
    """The one account that an overlay makes has one role, and one job uses it."""
    accounts = {job.pod["serviceAccountName"]: job.name for job in jobs("production-example") if _account(job)}
    assert accounts == {"prometheus-reader": "collect-openshift"}
    (binding,) = (one for one in objects("production-example") if one["kind"] == "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == "cluster-monitoring-view"
    assert [subject["name"] for subject in binding["subjects"]] == ["prometheus-reader"]
    assert [subject["namespace"] for subject in binding["subjects"]] == ["xdmod"]


def _account(job: Job) -> Any:
    return job.pod.get("serviceAccountName")


def test_images_are_pinned(overlay: str) -> None:
    """Each image has a version, or better a digest, and each name stands for one image."""
    images = {container["image"] for job in jobs(overlay) for container in job.containers}
    for image in images:
        assert re.search(r"(:(?!latest$)[\w.-]*\d[\w.-]*|@sha256:[0-9a-f]{64})$", image), image
    assert len(images) == len({re.split(r"[:@]", image.rpartition("/")[2])[0] for image in images})
    if overlay == "production-example":
        assert all("@sha256:" in image for image in images)


def test_nothing_comes_in_and_little_goes_out(overlay: str) -> None:
    """Every pod is denied everything, and allowed again what its labels name."""
    policies = {one["metadata"]["name"]: one["spec"] for one in objects(overlay) if one["kind"] == "NetworkPolicy"}
    deny = policies.pop("deny-all")
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & deny.keys()
    for job in jobs(overlay):
        assert deny["podSelector"]["matchLabels"].items() <= job.labels.items()
    for name, policy in policies.items():
        assert policy["policyTypes"] == ["Egress"]
        assert all(rule.get("ports") for rule in policy["egress"]), name
    selected = {key for policy in policies.values() for key in policy["podSelector"]["matchLabels"]}
    assert {key for job in jobs(overlay) for key in job.labels if "/reaches-" in key} <= selected


def test_production_names_the_addresses() -> None:
    """The example for production lets nothing out to just anywhere."""
    for one in objects("production-example"):
        if one["kind"] == "NetworkPolicy" and one["metadata"]["name"] != "deny-all":
            assert all(rule.get("to") for rule in one["spec"]["egress"]), one["metadata"]["name"]


def test_base_knows_no_site() -> None:
    """No namespace, address or registry stands in what all sites share."""
    for file in [*(MANIFESTS / "base").glob("*.yaml"), *(MANIFESTS / "components").rglob("*.yaml")]:
        text = file.read_text()
        assert not re.search(r"https?://|example\.|^\s*namespace:|registry", text, re.MULTILINE), file
        for line in text.splitlines():
            assert not re.search(r"image: (?!xdmod-cloud$|xdmod$)", line), line


def test_every_work_has_its_cadence() -> None:
    """What runs, and when, is what docs/kubernetes.md tells."""
    document = (MANIFESTS.parent / "docs" / "kubernetes.md").read_text()
    for job in jobs("staging"):
        row = next(line for line in document.splitlines() if line.startswith(f"| `{job.name}` | "))
        minute, hour, day, _, weekday = job.cron["schedule"].split()
        if job.cron.get("suspend"):
            assert "never by itself" in row
        elif minute.startswith("*/"):
            assert f"every {minute.removeprefix('*/')} minutes" in row
        else:
            assert f"{int(hour):02}:{int(minute):02}" in row
            assert day == "*" or f"day {day} of the month" in row
            assert weekday == "*" or (weekday == "6" and "Saturdays" in row)


def test_the_chain_begins_with_the_configuration() -> None:
    """XDMoD's own configuration is there before anything is written into it, and files before they are shredded."""
    (ingest,) = (job for job in jobs("staging") if job.name == "ingest")
    assert [container["name"] for container in ingest.containers] == [
        "configuration",
        "export-hypervisors",
        "export-openshift",
        "xdmod-cloud",
    ]
