"""What the demo tells of the owners of its cloud is what real services answer."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from collectors.coldfront import ColdFrontSource, read_coldfront
from collectors.keycloak import KeycloakSource, Login, read_keycloak
from demo.__main__ import RECORDING as CLOUD
from demo.owners import CLIENT, REALM, RECORDING, Owners
from demo.replay import Recording, Replay
from ledger import ConfigurationError
from ledger.ownership import Allocation
from tests.real.coldfront.record import record
from tests.real.coldfront.server import ColdFront
from tests.real.prometheus.day import DAY


@pytest.fixture
def server() -> Iterator[Replay]:
    """The demo's cloud, with the owners beside it."""
    cloud = Recording.read(CLOUD)
    with Replay(cloud, mounts=Owners(clock=lambda: cloud.now).mounts) as server:
        yield server


def settings(server: Replay, secret: Path) -> KeycloakSource:
    """Those of the Keycloak beside a cloud."""
    return KeycloakSource(url=f"{server.url}/keycloak", realm=REALM, client=CLIENT, secret_file=secret)


def test_a_real_coldfront_answers_so(coldfront: ColdFront) -> None:
    """Recorded again, the answers are the same."""
    try:
        assert record(coldfront) == msgspec.json.decode(RECORDING.read_bytes())
    finally:
        coldfront.restore()


@pytest.mark.parametrize("moment", Recording.read(CLOUD).moments, ids=str)
def test_allocations_are_those_of_the_cloud(tmp_path: Path, moment: datetime) -> None:
    """At every moment of the demo, all that is in force names a project that the cloud had at first, or a namespace."""
    cloud = Recording.read(CLOUD)
    cloud.now = cloud.moments[0]
    projects = {id: body["name"] for id, body in cloud.identities("projects").items()}
    owners = Owners(clock=lambda: moment)
    owners.write_secret(tmp_path / "secret")
    with Replay(cloud, mounts=owners.mounts) as server:
        keycloak = settings(server, tmp_path / "secret")
        login = Login(keycloak)
        told = read_coldfront(ColdFrontSource(f"{server.url}/coldfront"), login, lambda *_: None)
        people = read_keycloak(keycloak, login, lambda *_: None)
    assert told.at == people.at == moment
    allocations = [one for one in told.records if isinstance(one, Allocation) and one.cloud_project]
    allocated = {
        resource: {one.cloud_project: one.cloud_project_name for one in allocations if one.resource == resource}
        for resource in ("demo cloud", "demo cluster")
    }
    assert allocated["demo cloud"].items() <= projects.items()
    assert allocated["demo cluster"].keys() < {pod.namespace for pod in DAY.pods}
    assert [len(some) for some in allocated.values()] == [4, 3]
    assert len(people.records) == 12


def test_another_secret_is_refused(server: Replay, tmp_path: Path) -> None:
    """As a Keycloak does."""
    (tmp_path / "secret").write_text("guessed")
    keycloak = settings(server, tmp_path / "secret")
    with pytest.raises(ConfigurationError, match="refuses client"):
        read_keycloak(keycloak, Login(keycloak), lambda *_: None)
