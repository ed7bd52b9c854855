"""How fast a day of pods is read, beside what reading the answers takes at least: `python -m benchmarks.openshift`.

A simulated Thanos answers in a process of its own. In another one, the day is collected into a ledger in SQLite; in a
third one, the same answers are read and handed to msgspec, and thrown away.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import requests
from msgspec import Struct

from benchmarks.measure import Measured, measured
from collectors.openshift import OpenShiftSource
from collectors.openshift.grid import Grid
from collectors.openshift.queries import LOOKBACK, Queries
from collectors.openshift.seen import TOLD
from ledger import Ledger
from ledger.database import connect, upgrade
from operations.collect import collect_openshift

SIZES = (1_000, 10_000, 50_000)
_DAY = datetime(2025, 3, 1, tzinfo=UTC)


class _Series(Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Data(Struct):
    result: list[_Series]


class _Answer(Struct):
    data: _Data


def _settings(url: str) -> OpenShiftSource:
    return OpenShiftSource("big", "big", url=url, first_days=1)


def read(url: str) -> float:
    """Read the answers about pods and do nothing with them; the seconds that it takes."""
    settings, session = _settings(url), requests.Session()
    queries, grid = Queries(settings), Grid(_DAY, _DAY + timedelta(days=1), settings.step)
    late = grid.until + LOOKBACK
    ranged = [queries.cpu, queries.memory, queries.gpus, queries.short, queries.limit("cpu"), queries.limit("memory")]
    asked = [(query, grid.since, grid.until) for query in (*ranged, queries.identity, queries.over, queries.models)]
    asked += [(queries.told(what), late, late) for what in TOLD]
    begun = time.perf_counter()
    for query, since, until in asked:
        form = {"query": query, "start": since.isoformat(), "end": until.isoformat(), "step": str(grid.seconds)}
        body = session.post(f"{url}/api/v1/query_range", data=form, timeout=600).content
        msgspec.json.decode(body, type=_Answer)
    return time.perf_counter() - begun


def collect(url: str) -> float:
    """Collect the day into a new ledger; the seconds that it takes."""
    with TemporaryDirectory() as folder:
        place = f"sqlite:///{folder}/ledger.sqlite"
        upgrade(connect(place))
        begun = time.perf_counter()
        for run in collect_openshift(Ledger.open(place), _settings(url), lambda *_: None):
            assert run.counts["appended"] >= run.counts["pods"]
        return time.perf_counter() - begun


@contextmanager
def thanos(pods: int) -> Iterator[str]:
    """A simulated Thanos of so many pods; yields its URL."""
    command = [sys.executable, "-m", "benchmarks.thanos", str(pods)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def main() -> None:
    """Print one line for each size."""
    print("OpenShift: one day at steps of 15 minutes, from a simulated Thanos, into a ledger in SQLite")
    print(f"{'pods':>8} {'collect s':>10} {'pods/s':>8} {'peak MB':>8} {'msgspec alone s':>16} {'ratio':>6}")
    for size in SIZES:
        with thanos(size) as url:
            done = [_measured(mode, url) for mode in ("read", "collect")]
        alone, ours = (float(one.output) for one in done)
        rate, peak = size / ours, done[1].peak_mb
        print(f"{size:>8,} {ours:>10.2f} {rate:>8,.0f} {peak:>8.0f} {alone:>16.2f} {ours / alone:>6.2f}", flush=True)


def _measured(mode: str, url: str) -> Measured:
    return measured(
        [sys.executable, "-m", "benchmarks.openshift", mode, url], {"PATH": str(Path(sys.executable).parent)}
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        mode, url = sys.argv[1:]
        print((read if mode == "read" else collect)(url))
    else:
        main()
