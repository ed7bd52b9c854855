"""What the tests of the set-up share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.init.place import Host
from tests.real.mariadb import MariaDB, served


@pytest.fixture(scope="package")
def own_server() -> Iterator[MariaDB]:
    """A server whose databases may be dropped; the others' hold a warehouse."""
    with served() as running:
        yield running


@pytest.fixture
def host(own_server: MariaDB, tmp_path: Path) -> Host:
    """A host with an XDMoD that nobody has set up yet."""
    return Host(tmp_path / "host", own_server)
