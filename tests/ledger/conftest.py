"""A ledger in each database that a site may keep it in."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Literal

import pytest

from ledger import Ledger
from ledger.database import connect, upgrade
from tests.real.mariadb import MariaDB

Backend = Literal["sqlite", "mariadb"]


@pytest.fixture(params=["sqlite", "mariadb"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """The database under the ledger."""
    kind: Backend = request.param
    return kind


@pytest.fixture
def new_url(backend: Backend, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    """Makes the URL of another database that is still empty."""
    if backend == "sqlite":
        numbers = count()
        return lambda: f"sqlite:///{tmp_path / f'ledger-{next(numbers)}.sqlite'}"
    server: MariaDB = request.getfixturevalue("mariadb")
    return lambda: server.url(server.database())


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    """The URL of a database that is still empty."""
    return new_url()


@pytest.fixture
def ledger(url: str) -> Ledger:
    """An empty ledger."""
    upgrade(connect(url))
    return Ledger.open(url)
