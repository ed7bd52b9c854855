"""What the tests of the simulated cloud share."""

from datetime import UTC, datetime

import pytest

from tests.simulation import SimulatedCloud


@pytest.fixture
def cloud() -> SimulatedCloud:
    """An empty cloud at noon."""
    return SimulatedCloud(datetime(2026, 10, 5, 12, tzinfo=UTC))
