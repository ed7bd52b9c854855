"""The real cloud, started once for a session of tests and stopped after it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from tests.real.openstack import cloud, life
from tests.site import Site


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
def real_site(real_cloud: cloud.Cloud, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site that reads the real cloud by the account that can do nothing but read."""
    return Site.of(real_cloud.clouds_yaml, tmp_path_factory.mktemp("site"), cloud="collector", overlap_seconds=0)


@pytest.fixture(scope="session")
def real_lives(real_cloud: cloud.Cloud, real_site: Site) -> dict[str, life.Life]:
    """The truth about every life in `life.LIVES`, led in the real cloud while it is read every few seconds."""
    readings = 0

    def looked() -> None:
        """Wait for a reading that began after now."""
        enough, patience = readings + 2, time.monotonic() + 120
        while readings < enough and time.monotonic() < patience:
            time.sleep(0.1)

    with ThreadPoolExecutor(1) as pool:
        led = pool.submit(life.live, real_cloud, looked=looked)
        while not led.done():
            real_site.collect()
            readings += 1
            wait([led], timeout=2)
        return led.result()
