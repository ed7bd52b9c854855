"""What the tests of the server share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from demo.replay import Replay

#: Answers recorded from a real cloud, read where they lie.
OPENSTACK_DATA = Path(os.environ.get("OPENSTACK_DATA", Path(__file__).parents[3] / "shared" / "data" / "openstack"))

Connect = Callable[[Replay], Any]


@pytest.fixture(scope="session")
def openstack_data() -> Path:
    """The folder of recorded answers; skips where it is not at hand."""
    if not OPENSTACK_DATA.is_dir():
        pytest.skip(f"The recorded answers are not at {OPENSTACK_DATA}; set OPENSTACK_DATA to their folder")
    return OPENSTACK_DATA


@pytest.fixture
def connect(tmp_path: Path) -> Connect:
    """Connects openstacksdk to a server, by the clouds.yaml that the server writes."""

    def connected(server: Replay) -> Any:
        path = server.clouds_yaml(tmp_path / "clouds.yaml")
        return Connection(config=OpenStackConfig(config_files=[str(path)]).get_one("demo"))

    return connected
