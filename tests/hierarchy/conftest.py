"""Sites whose sources are told what to tell: in each database, in SQLite only, and over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import Ledger
from tests.hierarchy.estate import Estate, new_ledger
from tests.hierarchy.served import Served, served
from tests.ledger.conftest import backend, ledger, new_url, url

__all__ = ["backend", "ledger", "new_url", "url"]


@pytest.fixture
def estate(ledger: Ledger) -> Estate:
    """A site of one OpenStack cloud and one OpenShift cluster, of which nothing is known yet."""
    return Estate(ledger)


@pytest.fixture
def quick(tmp_path: Path) -> Estate:
    """The same, where it does not matter in which database the ledger is."""
    return Estate(Ledger.open(new_ledger(tmp_path)))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    """The site of the worked example, read over HTTP; nothing of it is known yet."""
    with served(tmp_path / "site") as site:
        yield site
