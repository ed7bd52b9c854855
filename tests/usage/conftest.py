"""One engine for the tests of this room: each reading replaces the one before."""

from collections.abc import Iterator

import pytest

from usage import Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine of two threads."""
    with Engine(threads=2, memory_limit="256MB") as engine:
        yield engine
