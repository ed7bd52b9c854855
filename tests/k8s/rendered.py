"""The manifests as they go to a cluster: rendered, and taken apart into jobs, pods and containers."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

__all__ = ["MANIFESTS", "OVERLAYS", "Job", "configured", "jobs", "jobs_in", "objects", "objects_of"]

MANIFESTS = Path(__file__).parents[2] / "k8s"
OVERLAYS = ("minikube", "staging", "production-example")

_DOCUMENTS = re.compile(r"^---$", re.MULTILINE)


class Job(NamedTuple):
    """A CronJob: its own specification, that of its jobs and that of their pods, whose labels stand apart."""

    name: str
    cron: dict[str, Any]
    job: dict[str, Any]
    labels: dict[str, str]
    pod: dict[str, Any]

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All containers, those first that run first."""
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def volumes(self) -> dict[str, dict[str, Any]]:
        return {volume["name"]: volume for volume in self.pod.get("volumes", [])}

    @property
    def claims(self) -> set[str]:
        """The claims that its pod mounts."""
        found = (volume.get("persistentVolumeClaim") for volume in self.volumes.values())
        return {claim["claimName"] for claim in found if claim}

    def sources(self, kind: str) -> Iterator[dict[str, Any]]:
        """Whatever its volumes take from a `secret`, `configMap` or another kind, also as a part of several."""
        for volume in self.volumes.values():
            parts = [volume, *volume.get("projected", {}).get("sources", [])]
            yield from (part[kind] for part in parts if kind in part)


@cache
def objects(overlay: str) -> tuple[dict[str, Any], ...]:
    """All objects of an overlay, as `kubectl apply -k` would send them; skips where nothing can render them."""
    return objects_of(MANIFESTS / "overlays" / overlay)


def objects_of(folder: Path) -> tuple[dict[str, Any], ...]:
    """All objects that a kustomization makes."""
    if kubectl := shutil.which("kubectl"):
        command = [kubectl, "kustomize"]
    elif kustomize := shutil.which("kustomize"):
        command = [kustomize, "build"]
    else:
        pytest.skip("Rendering needs kubectl 1.27 or newer, or kustomize 5; Debian 12 has neither: install one by hand")
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # What is deprecated today is said on standard error, and gone tomorrow.
    assert not done.stderr, done.stderr
    return tuple(msgspec.yaml.decode(text) for text in _DOCUMENTS.split(done.stdout))


def jobs(overlay: str) -> list[Job]:
    """The CronJobs of an overlay."""
    return jobs_in(objects(overlay))


def jobs_in(found: Iterable[dict[str, Any]]) -> list[Job]:
    """The CronJobs among objects."""
    return [_job(one) for one in found if one["kind"] == "CronJob"]


def configured(overlay: str, name: str) -> dict[str, str]:
    """The files of a ConfigMap that the overlay makes under that name."""
    found = [
        one["data"]
        for one in objects(overlay)
        if one["kind"] == "ConfigMap" and re.fullmatch(rf"{name}-[a-z0-9]{{10}}", one["metadata"]["name"])
    ]
    assert len(found) <= 1
    return dict(found[0]) if found else {}


def _job(one: dict[str, Any]) -> Job:
    job = one["spec"]["jobTemplate"]["spec"]
    template = job["template"]
    return Job(one["metadata"]["name"], one["spec"], job, template["metadata"]["labels"], template["spec"])
