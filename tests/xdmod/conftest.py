"""What the tests of the way into XDMoD share."""

from pathlib import Path

import pytest

from tests.xdmod.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty site beside a stand-in for XDMoD."""
    return Place(tmp_path / "site")
