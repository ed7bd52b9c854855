"""Every overlay is what Kubernetes accepts, and what a reader can read."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.k8s.rendered import MANIFESTS, OVERLAYS, objects, objects_of

VERSIONS = ("1.27", "1.31", "1.34")

_DEVELOPMENT = "is a development dependency: pip install -e '.[dev]'"
kubernetes_validate: Any = pytest.importorskip("kubernetes_validate", reason=f"kubernetes-validate {_DEVELOPMENT}")


def fault(one: dict[str, Any], version: str) -> str | None:
    """What a version finds wrong with an object; one that it does not know is wrong, too."""
    try:
        kubernetes_validate.validate(one, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{one['kind']} {one['metadata']['name']}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"{one['kind']} of {one['apiVersion']} is unknown"
    return None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_accepts_each_object(overlay: str, version: str) -> None:
    """Each version's own schemas, with no unknown key, accept everything that an overlay makes."""
    assert not [found for one in objects(overlay) if (found := fault(one, version))]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"spec": {"schedul": "0 0 * * *"}}, "schedul"),
        ({"spec": {"jobTemplate": {"spec": {"activeDeadlineSeconds": "an hour"}}}}, "an hour"),
        ({"apiVersion": "batch/v1beta1"}, "batch/v1beta1"),
    ],
)
def test_what_is_wrong_is_noticed(wrong: dict[str, Any], why: str) -> None:
    """A misspelt key, a value of a wrong kind and a version that was removed are refused."""
    cron = next(one for one in objects("staging") if one["kind"] == "CronJob")
    assert why in (fault({**cron, **wrong}, VERSIONS[-1]) or "")


def test_base_renders_alone(tmp_path: Path) -> None:
    """A site may write an overlay that adds nothing but its name."""
    (tmp_path / "kustomization.yaml").write_bytes(
        msgspec.yaml.encode({"resources": [_relative(tmp_path, MANIFESTS / "base")], "namespace": "ours"})
    )
    assert {one["metadata"]["namespace"] for one in objects_of(tmp_path)} == {"ours"}


def _relative(folder: Path, other: Path) -> str:
    return "/".join([".."] * (len(folder.resolve().parts) - 1)) + str(other.resolve())


def test_style() -> None:
    """The manifests are written as yamllint wants them."""
    pytest.importorskip("yamllint", reason=f"yamllint {_DEVELOPMENT}")
    linted = [sys.executable, "-m", "yamllint", "--strict", "-c", ".yamllint.yaml", "base", "components", "overlays"]
    done = subprocess.run(linted, cwd=MANIFESTS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
