"""What every room's tests share."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.real.mariadb", "tests.real.coldfront.server", "tests.real.prometheus.server"]

#: Open XDMoD's own schemas, inputs and recorded outputs (LGPL), read where they lie and never copied.
XDMOD_DATA = Path(os.environ.get("XDMOD_DATA", Path(__file__).parents[2] / "shared" / "data" / "xdmod"))


@pytest.fixture(scope="session")
def xdmod_data() -> Path:
    """The folder of Open XDMoD's data files; skips where it is not at hand."""
    if not XDMOD_DATA.is_dir():
        pytest.skip(f"Open XDMoD's data files are not at {XDMOD_DATA}; set XDMOD_DATA to their folder")
    return XDMOD_DATA


# Before xdist looks for the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep in one process what shares servers: each file, and all tests of the real cloud, which take longest."""
    tests = Path(__file__).parent
    real_cloud = tests / "real" / "openstack"
    items.sort(key=lambda item: not item.path.is_relative_to(real_cloud))
    for item in items:
        group = real_cloud if item.path.is_relative_to(real_cloud) else item.path
        item.add_marker(pytest.mark.xdist_group(str(group.relative_to(tests))))
