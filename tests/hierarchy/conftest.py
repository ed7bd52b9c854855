"""A site whose sources are told what to tell, over a ledger in each database."""

import pytest

from ledger import Ledger
from tests.hierarchy.estate import Estate
from tests.ledger.conftest import backend, ledger, new_url, url

__all__ = ["backend", "ledger", "new_url", "url"]


@pytest.fixture
def estate(ledger: Ledger) -> Estate:
    """A site of one OpenStack cloud and one OpenShift cluster, of which nothing is known yet."""
    return Estate(ledger)
