"""What every room's tests share."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.real.mariadb"]

#: Open XDMoD's own schemas, inputs and recorded outputs (LGPL), read where they lie and never copied.
XDMOD_DATA = Path(os.environ.get("XDMOD_DATA", Path(__file__).parents[2] / "shared" / "data" / "xdmod"))


@pytest.fixture(scope="session")
def xdmod_data() -> Path:
    """The folder of Open XDMoD's data files; skips where it is not at hand."""
    if not XDMOD_DATA.is_dir():
        pytest.skip(f"Open XDMoD's data files are not at {XDMOD_DATA}; set XDMOD_DATA to their folder")
    return XDMOD_DATA
