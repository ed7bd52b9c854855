"""What the jobs are given: configuration as files, secrets by reference only, commands that exist."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

import schemas
from tests.cli.understood import understood
from tests.k8s.rendered import MANIFESTS, OVERLAYS, Job, configured, jobs, objects

SECRET_TABLE = (MANIFESTS.parent / "docs" / "kubernetes.md").read_text().partition("### Secrets")[2].partition("###")[0]
CONFIGURATION = "xdmod-cloud-configuration"
SECRETS = "/run/secrets/xdmod-cloud/"
#: What may be run beside our own command, which is the images' entry point.
OURS, OTHERS = "/opt/xdmod-cloud/bin/xdmod-cloud", {"cp"}
#: ConfigMaps that the cluster itself makes in every namespace.
BROUGHT = {"openshift-service-ca.crt"}

CALLS = [
    (overlay, job.name, container["name"])
    for overlay in OVERLAYS
    for job in jobs(overlay)
    for container in job.containers
]


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    """Each overlay."""
    return str(request.param)


def tables(overlay: str) -> dict[str, dict[str, Any]]:
    """The configuration files of an overlay, by name."""
    files = configured(overlay, CONFIGURATION)
    return {name: tomllib.loads(text) for name, text in files.items() if name.endswith(".toml")}


@pytest.mark.parametrize(("overlay", "name", "container"), CALLS)
def test_each_container_runs_a_command_that_exists(
    overlay: str, name: str, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line of each container is one that xdmod-cloud understands, options included."""
    job = next(one for one in jobs(overlay) if one.name == name)
    found = next(one for one in job.containers if one["name"] == container)
    program = found.get("command", [OURS])
    if program[0] in OTHERS:
        return
    assert program == [OURS]
    for variable in found.get("env", []):
        monkeypatch.setenv(variable["name"], variable.get("value", "mysql+pymysql://somebody@somewhere"))
    understood(*words(found["args"]))


def words(args: list[str]) -> list[str]:
    """Arguments as the first pod of an indexed job has them."""
    return [word.replace("$(JOB_COMPLETION_INDEX)", "0") for word in args]


def test_every_configuration_is_valid(overlay: str) -> None:
    """No overlay has a key that the program does not know, or lacks one that it needs."""
    assert "xdmod-cloud.toml" in tables(overlay)
    for name, table in tables(overlay).items():
        faults = [fault.message for fault in schemas.validator("configuration").iter_errors(table)]
        assert not faults, name


def test_what_is_written_goes_into_a_folder_of_the_volume(overlay: str) -> None:
    """Beside lost+found, and not into the root of a volume, lie outbox, archive and ledger."""
    said = json.dumps(tables(overlay))
    written = re.findall(r"/var/lib/[^\"]+", said)
    assert written
    assert all(
        path.startswith("/var/lib/xdmod-cloud/") and len(path) > len("/var/lib/xdmod-cloud/") for path in written
    )


def test_every_secret_that_is_configured_is_mounted(overlay: str) -> None:
    """Each file that a configuration names lies in the pods; whose keys are not listed has all of a Secret."""
    mounted = {path for job in jobs(overlay) for path in secret_files(job)}
    for path in re.findall(rf"{SECRETS}([^\"]+)", json.dumps(tables(overlay))):
        assert path in mounted or path.endswith("-token"), path


def secret_files(job: Job) -> set[str]:
    """The files that a job's volumes take from Secrets."""
    return {item["path"] for secret in job.sources("secret") for item in secret.get("items", [])}


def test_clouds_yaml_has_every_cloud_and_no_secret(overlay: str) -> None:
    """What a configuration calls a cloud stands in clouds.yaml, and its secrets elsewhere."""
    clouds = msgspec.yaml.decode(configured(overlay, CONFIGURATION)["clouds.yaml"])["clouds"]
    for table in tables(overlay).values():
        sources = table.get("openstack", [])
        assert {source["cloud"] for source in sources} <= clouds.keys()
    for cloud in clouds.values():
        assert cloud["auth"].keys() == {"auth_url"}


def test_no_secret_is_written_down(overlay: str) -> None:
    """Neither an object, nor the environment, nor an argument, nor a URL holds one."""
    assert not [one for one in objects(overlay) if one["kind"] == "Secret"]
    for job in jobs(overlay):
        for container in job.containers:
            assert not [one for one in container.get("env", []) if "secretKeyRef" in one.get("valueFrom", {})]
            assert not [one for one in container.get("envFrom", []) if "secretRef" in one]
    said = msgspec.json.encode(objects(overlay)).decode()
    assert not re.search(r"(?i)password|passwd|_secret\\?\"|://[^/@\"\s]*:[^/@\"\s]*@", said)


def test_secrets_are_files_that_others_cannot_read(overlay: str) -> None:
    """Mode 0440: for the group, in which every pod is, and nobody else."""
    for job in jobs(overlay):
        for volume in job.volumes.values():
            for kind in ("secret", "projected", "configMap"):
                if kind in volume:
                    assert volume[kind]["defaultMode"] == 0o440, (job.name, volume["name"])


def test_every_secret_is_in_the_document(overlay: str) -> None:
    """Whoever sets a site up finds in docs/kubernetes.md each Secret, and each of its keys."""
    for job in jobs(overlay):
        for secret in job.sources("secret"):
            name = secret.get("name") or secret["secretName"]
            keys = {item["key"] for item in secret.get("items", [])}
            rows = [line for line in SECRET_TABLE.splitlines() if line.startswith(f"| `{name}` |")]
            assert len(rows) == 1, name
            assert all(f"`{key}`" in rows[0] for key in keys), (name, keys)


def test_every_configmap_is_made_and_rolls_the_pods(overlay: str) -> None:
    """Each that is named is there, under a name that changes with what is in it."""
    made = {one["metadata"]["name"] for one in objects(overlay) if one["kind"] == "ConfigMap"}
    named = set()
    for job in jobs(overlay):
        named |= {source["name"] for source in job.sources("configMap")}
        for container in job.containers:
            named |= {
                one["valueFrom"]["configMapKeyRef"]["name"] for one in container.get("env", []) if "valueFrom" in one
            }
            named |= {
                one["configMapRef"]["name"]
                for one in container.get("envFrom", [])
                if not one["configMapRef"].get("optional")
            }
    assert named - BROUGHT == made
    assert all(re.search(r"-[a-z0-9]{10}$", name) for name in made)


def test_what_is_mounted_is_there(overlay: str) -> None:
    """Each volume that a container mounts is one of its pod's, and each single file one of its ConfigMap."""
    site = configured(overlay, "xdmod-site")
    for job in jobs(overlay):
        for container in job.containers:
            for mount in container["volumeMounts"]:
                assert mount["name"] in job.volumes, (job.name, container["name"])
                if mount["name"] == "site":
                    assert mount["subPath"] in site


def test_xdmod_knows_every_resource(overlay: str) -> None:
    """The files for XDMoD are good JSON, and resources.json has each resource of the configuration."""
    files = {name: json.loads(text) for name, text in configured(overlay, "xdmod-site").items()}
    if overlay == "minikube":
        assert not files
        return
    sources = [
        table for kind in ("openstack", "openshift") for table in tables(overlay)["xdmod-cloud.toml"].get(kind, [])
    ]
    assert {source["resource"] for source in sources} == {one["resource"] for one in files["resources.json"]}
    assert {one["organization"] for one in files["resources.json"]} == {
        one["abbrev"] for one in files["organization.json"]
    }


def test_each_cluster_has_its_pod() -> None:
    """An indexed job has as many pods as there are files for them, and together they read every cluster once."""
    overlay = "production-example"
    job = next(one for one in jobs(overlay) if one.name == "collect-openshift")
    files = {name: table for name, table in tables(overlay).items() if name.startswith("cluster-")}
    assert job.job["completionMode"] == "Indexed"
    assert job.job["completions"] == job.job["parallelism"] == len(files)
    assert set(files) == {f"cluster-{index}.toml" for index in range(len(files))}
    (container,) = job.containers
    assert Path(words(container["args"])[1]).name in files
    read = [cluster["name"] for table in files.values() for cluster in table["openshift"]]
    known = tables(overlay)["xdmod-cloud.toml"]["openshift"]
    assert sorted(read) == sorted(cluster["name"] for cluster in known)
