"""How fast the hierarchy is collected, exported and looked up, after ten years: `python -m benchmarks.hierarchy`.

Each time the whole command is measured, from its start to its end. It reads the list of all allocations of a ColdFront
and the users of a Keycloak over HTTP, both served by another process. The ledger is in SQLite, then in MariaDB with
the defaults of its makers. Filling it with its past is not measured.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select

from benchmarks.estate import NOW, Estate, Extent, served
from benchmarks.mariadb import mariadb
from benchmarks.measure import Measured, measured
from hierarchy.owners import owners
from ledger import Ledger
from ledger.database import connect, reading
from ledger.tables import hierarchy_rec, record

SIZES = ((200_000, Extent(1_500, 2_000, 20)), (2_000_000, Extent(15_000, 20_000, 200)))
USERS, DELAY = (5_000, 50_000), 0.050
DATES = ("2017-06-30", "2021-06-30", "2025-06-30")
MONTH = "2025-06-01T00:00Z", "2025-07-01T00:00Z"
_COMMAND = Path(sys.executable).with_name("xdmod-cloud")
_NIGHT = timedelta(days=1)


class Step(NamedTuple):
    """What was measured, how many of what it handled, and how it went."""

    name: str
    handled: int
    what: str
    done: Measured


class Site:
    """A site with its ledger, and what is measured there."""

    def __init__(self, estate: Estate, folder: Path, ledger: str) -> None:
        self._estate, self._folder, self._ledger = estate, folder, ledger
        self._environment = estate.set_up(folder, ledger)

    def collect(self, name: str, at: datetime, *, changed: bool) -> Step:
        """Collect, and make sure that something was written where something changed, and nothing else."""
        told, before = self._estate.tell(at), self._rows()
        done, counts = self._run("collect", "hierarchy")
        written = counts["counts"]["changed"], counts["counts"]["appended"]
        history, records = self._rows()
        if (history - before[0], records - before[1]) != written or any(written) != changed:
            raise RuntimeError(
                f"{name}: the command says {written}, but the ledger grew from {before}: {history, records}"
            )
        return Step(name, told, "told", done)

    def export(self, name: str, *words: str) -> Step:
        """Export the four files."""
        done, told = self._run("hierarchy", "export", "--output", str(self._folder / name), *words)
        return Step(name, sum(file["records"] for file in told["files"]), "lines", done)

    def history(self, item: str) -> Step:
        """Look one item up."""
        done, states = self._run("hierarchy", "history", item)
        return Step(f"history of {item}", len(states), "states", done)

    def owners(self) -> Step:
        """Find all that a report of a month needs."""
        done = measured([sys.executable, "-m", "benchmarks.hierarchy", self._ledger, *MONTH], {})
        return Step("owners in a month", int(done.output), "owners", done)

    def _run(self, *words: str) -> tuple[Measured, Any]:
        done = measured([_COMMAND, *words, "--json"], self._environment)
        return done, msgspec.json.decode(done.output)

    def _rows(self) -> tuple[int, int]:
        engine = connect(self._ledger)
        with reading(engine) as connection:
            history, records = (select(func.count()).select_from(table) for table in (hierarchy_rec, record))
            rows = connection.scalar(history) or 0, connection.scalar(records) or 0
        engine.dispose()
        return rows


def after_ten_years(ledger: str, rows: int, extent: Extent) -> Iterator[Step]:
    """Measure what a site does in its daily life, with so many rows of history."""
    with TemporaryDirectory() as folder, served(extent) as estate:
        site = Site(estate, Path(folder), ledger)
        yield site.collect("first run", NOW, changed=True)
        estate.fill(ledger, rows)
        yield site.collect("nothing changed", NOW + _NIGHT, changed=False)
        yield site.export("export")
        estate.change()
        yield site.collect("1 % changed", NOW + 2 * _NIGHT, changed=True)
        yield site.export("export")
        for date in DATES:
            yield site.export(f"export --as-of {date}", "--as-of", date)
        yield site.history("coldfront/17")
        yield site.owners()


def people_only(users: int) -> Iterator[Step]:
    """Measure how a large Keycloak is read at a network's pace, for the first time and again."""
    with TemporaryDirectory() as folder, served(Extent(users), DELAY) as estate:
        site = Site(estate, Path(folder), f"sqlite:///{folder}/ledger.sqlite")
        yield site.collect("first run", NOW, changed=True)
        yield site.collect("nothing changed", NOW + _NIGHT, changed=False)


@contextmanager
def ledgers() -> Iterator[dict[str, str]]:
    """The URL of an empty ledger in each database."""
    with TemporaryDirectory() as folder, mariadb() as url:
        yield {"SQLite": f"sqlite:///{folder}/ledger.sqlite"} | ({"MariaDB": url} if url else {})


def main() -> None:
    """Print one line for each step, of each size in each database."""
    print("Hierarchy: ten years of nightly runs; ColdFront and Keycloak over HTTP; MariaDB with its own defaults")
    for rows, extent in SIZES:
        with ledgers() as urls:
            for database, url in urls.items():
                told = f"{extent.projects:,} projects, {extent.people:,} people, {extent.institutions:,} institutions"
                _print(f"{rows:,} rows of history in {database}; {told}", after_ten_years(url, rows, extent))
    for users in USERS:
        _print(
            f"Keycloak with {users:,} users, 1,000 a page, each after {DELAY * 1000:.0f} ms; SQLite", people_only(users)
        )


def _print(title: str, steps: Iterator[Step]) -> None:
    print(f"{title}\n  {'':<28} {'handled':>9} {'':<7} {'seconds':>8} {'/s':>9} {'peak MB':>8}", flush=True)
    for name, handled, what, done in steps:
        rate = handled / done.seconds
        print(
            f"  {name:<28} {handled:>9,} {what:<7} {done.seconds:>8.1f} {rate:>9,.0f} {done.peak_mb:>8.0f}", flush=True
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        url, *window = sys.argv[1:]
        since, until = map(datetime.fromisoformat, window)
        print(len(owners(Ledger.open(url), "stack", (since, until))))
    else:
        main()
