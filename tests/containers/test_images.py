"""Both images, built and run as a cluster runs them. It takes some minutes: make test-images."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from demo.replay import Replay
from operations.xdmod.commands import PROGRAMS
from tests.containers.images import Image, Store, missing
from tests.simulation import SimulatedCloud
from tests.site import Site
from tests.xdmod import standin

ROOT = Path(__file__).parents[2]
HOME = "/var/lib/xdmod-cloud"
START = datetime(2026, 10, 1, 8, tzinfo=UTC)
#: An XDMoD for tests: its commands are a stand-in; the Python that it has is Debian's.
XDMOD = f"""
FROM localhost/debian:12
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-venv
COPY standin.py /opt/standin.py
RUN for program in {" ".join(PROGRAMS)}; do \\
      printf '#!/bin/sh\\nexec /usr/bin/python3 -S /opt/standin.py "$0" "$@"\\n' >/usr/bin/$program; \\
      chmod 755 /usr/bin/$program; \\
    done; mkdir -p /etc/xdmod /var/log/xdmod
"""

pytestmark = [
    pytest.mark.skipif("BUILD_IMAGES" not in os.environ, reason="building images takes minutes: make test-images"),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Where images are built; it takes several GB for as long as the tests run."""
    folder = Path(tempfile.mkdtemp(prefix="images-"))
    try:
        made = Store(folder)
        made.debian()
        yield made
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def ours(store: Store) -> Image:
    """The image of all jobs."""
    base = {"BASE": "localhost/debian:12"}
    return store.build(ROOT / "containers" / "Containerfile", ROOT, "localhost/xdmod-cloud:test", **base)


@pytest.fixture(scope="module")
def theirs(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A site's XDMoD with ours added."""
    context = tmp_path_factory.mktemp("xdmod")
    shutil.copy(standin.__file__, context / "standin.py")
    (context / "Containerfile").write_text(XDMOD)
    store.build(context / "Containerfile", context, "localhost/xdmod:test")
    base = {"XDMOD": "localhost/xdmod:test"}
    return store.build(ROOT / "containers" / "xdmod" / "Containerfile", ROOT, "localhost/xdmod-with-cloud:test", **base)


@pytest.fixture(params=["ours", "theirs"])
def image(request: pytest.FixtureRequest) -> Image:
    """Each of both."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Image)
    return found


def for_the_group(folder: Path) -> None:
    """Let group 0 do what root may."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | (path.stat().st_mode & 0o700) >> 3)


def test_nothing_to_build_with(ours: Image) -> None:
    """No compiler, no package manager of Python, no make is in the image of all jobs."""
    programs = {path.name for place in ("bin", "usr/bin", "usr/local/bin") for path in (ours.root / place).iterdir()}
    programs |= {path.name for path in (ours.root / "opt/xdmod-cloud/bin").iterdir()}
    assert "python3" in programs
    assert not {"cc", "gcc", "g++", "make", "ld", "pip", "pip3", "git", "curl", "wget"} & programs
    assert not list((ours.root / "opt/xdmod-cloud").glob("lib/python3*/site-packages/pip"))
    assert not list((ours.root / "opt/xdmod-cloud").glob("lib/python3*/site-packages/setuptools"))
    assert not (ours.root / "src").exists()


def test_how_large(ours: Image, store: Store) -> None:
    """What is added to the base stays below 300 MB."""
    added = ours.size() - store.image("localhost/debian:12").size()
    print(f"{added / 1e6:,.0f} MB more than its base")
    assert added < 300e6


def test_runs_as_anyone(image: Image) -> None:
    """A uid that nobody has heard of gets the help, of the whole command and of its parts."""
    assert image.said["User"] == "1001:0"
    for words in (["--help"], ["report", "--help"], ["collect", "openstack", "--help"], ["report", "usage", "--help"]):
        done = image.run(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Usage: xdmod-cloud")


def test_only_volumes_can_be_written(image: Image) -> None:
    """Without a volume there is no place for a ledger, and the program says so in a line."""
    done = image.run(
        "ledger", "upgrade", mounts={"/etc/xdmod-cloud": ROOT / "k8s/overlays/minikube"}, environment=configured()
    )
    assert done.returncode == 2
    assert "cannot be opened" in done.stderr or "Read-only" in done.stderr
    assert "Traceback" not in done.stderr


def configured() -> dict[str, str]:
    """The environment that the jobs have in Kubernetes."""
    return {
        "XDMOD_CLOUD_CONFIG": "/etc/xdmod-cloud/xdmod-cloud.toml",
        "OS_CLIENT_CONFIG_FILE": "/etc/xdmod-cloud/clouds.yaml",
        "OS_CLIENT_SECURE_FILE": "/run/secrets/xdmod-cloud/secure.yaml",
    }


@pytest.fixture
def cloud() -> SimulatedCloud:
    """A cloud in which something happened."""
    cloud = SimulatedCloud(START)
    web = cloud.boot("web", project="astro")
    cloud.at(START + timedelta(hours=3))
    cloud.stop(web)
    cloud.at(START + timedelta(hours=5))
    cloud.start(web)
    return cloud


def mounted(server: Replay, folder: Path) -> dict[str, Path]:
    """What Kubernetes would mount: the configuration, the secrets beside it, and an empty volume."""
    configuration, secrets, data = (folder / name for name in ("configuration", "secrets", "volume"))
    for one in (configuration, secrets, data):
        one.mkdir(exist_ok=True)
    said = msgspec.yaml.decode(server.clouds_yaml(folder / "clouds.yaml").read_bytes())
    password = said["clouds"]["demo"]["auth"].pop("password")
    (configuration / "clouds.yaml").write_bytes(msgspec.yaml.encode(said))
    (secrets / "secure.yaml").write_bytes(msgspec.yaml.encode({"clouds": {"demo": {"auth": {"password": password}}}}))
    (configuration / "xdmod-cloud.toml").write_text(
        f'[ledger]\nurl = "sqlite:///{HOME}/ledger.sqlite"\n[outbox]\ndirectory = "{HOME}/outbox"\n'
        f'[xdmod]\narchive = "{HOME}/archive"\n[[openstack]]\nname = "sim"\ncloud = "demo"\nresource = "sim"\n'
    )
    for_the_group(folder)
    return {"/etc/xdmod-cloud": configuration, "/run/secrets/xdmod-cloud": secrets, HOME: data}


def test_collects_exports_and_reports(ours: Image, cloud: SimulatedCloud, tmp_path: Path) -> None:
    """The jobs, one after the other, each in a fresh container, write what the command writes outside."""
    with Replay(cloud) as server:
        mounts = mounted(server, tmp_path)
        outside = Site.beside(server, tmp_path / "outside", name="sim", resource="sim")
        server.at = START + timedelta(hours=20)
        outside.collect()
        outside.export()
        for words in (
            ["ledger", "upgrade"],
            ["collect", "openstack"],
            ["export", "openstack"],
            ["report", "usage", "--month", "2026-10", "--output", f"{HOME}/reports"],
        ):
            done = ours.run(*words, mounts=mounts, environment=configured())
            assert done.returncode == 0, done.stderr
    volume = tmp_path / "volume"
    written = {file.name: file.read_bytes() for file in (volume / "outbox/sim/events").glob("*.json")}
    assert written == outside.bytes() != {}
    assert (volume / "reports/sim/usage-2026-10.pdf").read_bytes().startswith(b"%PDF")


def test_runs_the_whole_chain(theirs: Image, cloud: SimulatedCloud, tmp_path: Path) -> None:
    """In the site's image XDMoD's commands read what was exported, and the files move to the archive."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "resources.json").write_text('[{"resource": "sim", "resource_type": "Cloud"}]')
    with Replay(cloud) as server:
        server.at = START + timedelta(hours=20)
        mounts = {**mounted(server, tmp_path), "/etc/xdmod": state}
        done = theirs.run("ledger", "upgrade", mounts=mounts, environment=configured())
        assert done.returncode == 0, done.stderr
        done = theirs.run(
            "run", mounts=mounts, environment={**configured(), "XDMOD_STANDIN": "/etc/xdmod/xdmod.sqlite"}
        )
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "volume/archive/sim/events").glob("*.json"))
    assert not list((tmp_path / "volume/outbox/sim/events").glob("*.json"))
