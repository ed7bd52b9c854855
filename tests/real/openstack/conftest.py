"""The real cloud, started once for a session of tests and stopped after it."""

from collections.abc import Iterator

import pytest

from tests.real.openstack import cloud, life


def pytest_configure(config: pytest.Config) -> None:
    """Leave out what openstacksdk warns of in its own code."""
    for category in ("OpenStackDeprecationWarning", "RemovedInSDK50Warning", "RemovedInSDK60Warning"):
        config.addinivalue_line("filterwarnings", f"ignore::openstack.warnings.{category}")


@pytest.fixture(scope="session")
def real_cloud() -> Iterator[cloud.Cloud]:
    """An empty cloud; skips where the servers it is made of are not installed."""
    if missing := cloud.missing_packages():
        pytest.skip(f"The real cloud needs {' and '.join(missing)}: run tests/real/install-packages")
    with cloud.started() as started:
        yield started


@pytest.fixture(scope="session")
def real_lives(real_cloud: cloud.Cloud) -> dict[str, life.Life]:
    """The truth about every life in `life.LIVES`, led in the real cloud."""
    return life.live(real_cloud)
