"""What the tests of the reporter share."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hierarchy.owners import Owner
from reporter import Period, UsageReport, usage_report
from tests.reporter.histories import Event, read
from usage import Engine

OCTOBER = "2026-10"


class Desk:
    """An engine, and the report of a month of whatever it is given to read."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self._folder = folder

    def report(self, *events: Event, month: str = OCTOBER, owners: Sequence[Owner] = ()) -> UsageReport:
        """Read the events, if there are any, and report the month."""
        if events:
            read(self.engine, self._folder, *events)
        return usage_report(self.engine, Period.month(month), owners)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk that has read nothing."""
    folder = tmp_path / "events"
    folder.mkdir()
    with Engine(threads=2) as engine:
        yield Desk(engine, folder)
