"""How fast a month is reported out of more and more sessions: `python -m benchmarks.reports [SESSIONS …]`.

From an XDMoD's `session_records` in MariaDB, with the defaults of its makers: a month by project, first as a program
that is already running sees it, beside a bare query for the same sums of the same rows, then as a whole command with
its files. Then the list of all sessions, as a whole command. At last a month out of the same sessions in the embedded
engine. Making the sessions is not measured. Each figure is the best of three.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pymysql

from benchmarks.mariadb import mariadb
from benchmarks.measure import Measured, measured
from benchmarks.warehouse import RESOURCE, fill
from operations.reports.xdmod import Estate, Resource, resources
from reporter import Period, usage_report
from reporter.xdmod.sessions import XdmodSessions
from reporter.xdmod.warehouse import Warehouse
from usage import Engine

SIZES = (100_000, 1_000_000, 10_000_000)
MONTH = "2025-06"
_TRIES = 3
_COMMAND = Path(sys.executable).with_name("xdmod-cloud")

_BARE = """
SELECT account_id,
    SUM(LEAST(end_time_ts, {limit}) - GREATEST(start_time_ts, {first})),
    SUM((LEAST(end_time_ts, {limit}) - GREATEST(start_time_ts, {first})) * num_cores)
FROM modw_cloud.session_records
WHERE resource_id = 1 AND start_time_ts < {limit} AND end_time_ts > {first}
GROUP BY account_id
"""

#: The sessions of benchmarks.warehouse, as the engine has them.
_EMBEDDED = """
CREATE OR REPLACE TABLE sessions AS
SELECT
    lpad(server::VARCHAR, 36, '0') AS instance, since AS start_time_ts, since + length AS end_time_ts,
    2 AS start_event_type_id, 45 AS end_event_type_id, length AS wallduration,
    'flavor-' || server % 20 AS instance_type, (1 + server % 8)::INTEGER AS num_cores,
    (2048 * (1 + server % 8))::INTEGER AS memory_mb, 20 AS disk_gb, 1 AS processorbucket_id,
    2 AS memorybucket_id, 202500001 AS start_day_id,
    202500001 AS end_day_id, (1 + nth % 3)::INTEGER AS instance_state_id, 'node-' || server % 100 AS host,
    'project-' || server % 500 AS project, 'user-' || server % 3000 AS username, 'Default' AS domain
FROM (
    SELECT seq // 10 AS server, seq % 10 AS nth, (seq * 31) % 200000 AS length,
        1735689600 + (seq // 10 * 7919) % 31536000 + seq % 10 * 200000 AS since
    FROM range($sessions) AS made (seq)
)
"""


def best(work: Callable[[], object]) -> float:
    """The seconds of the fastest of some tries."""
    seconds = []
    for _ in range(_TRIES):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def compare(url: str, socket: str) -> None:
    """Print how long a month by project takes, and how long the bare query does."""
    period = Period.month(MONTH)
    first, limit = period.seconds
    with pymysql.connect(unix_socket=socket, user="root") as connection, connection.cursor() as cursor:

        def bare() -> None:
            cursor.execute(_BARE.format(first=first, limit=limit))
            cursor.fetchall()

        query = best(bare)
    with Warehouse.open(url) as warehouse:
        (one,) = resources(warehouse, Estate(None), [RESOURCE])
        report = best(lambda: _report(warehouse, one, period))
    print(f"  by project {report:8.2f} s; bare query {query:8.2f} s: {report / query:.2f} times as long")


def _report(warehouse: Warehouse, one: Resource, period: Period) -> None:
    with Engine(memory_limit="256MB") as engine:
        usage_report(XdmodSessions(warehouse, engine, one.id, owned=True), period, by=("project", "research project"))


def embedded(sessions: int) -> None:
    """Print how long a month takes in the embedded engine, and the peak of memory."""
    with Engine(threads=2) as engine:
        engine.connection.execute(_EMBEDDED, {"sessions": sessions})
        engine.connection.execute("CHECKPOINT")
        seconds = best(lambda: usage_report(engine, Period.month(MONTH)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"  embedded   {seconds:8.2f} s, {peak:.0f} MB with the making of the sessions")


def _best_command(*words: str, url: str) -> Measured:
    environment = {"XDMOD_CLOUD_XDMOD": url, "PATH": "/usr/bin"}
    return min((measured([_COMMAND, *words], environment) for _ in range(_TRIES)), key=lambda done: done.seconds)


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Print everything."""
    for sessions in sizes:
        print(f"{sessions:,} sessions", flush=True)
        with mariadb() as ledger, TemporaryDirectory() as folder:
            if ledger is None:
                print("  MariaDB is not installed")
            else:
                socket = ledger.partition("unix_socket=")[2]
                url = f"mysql+pymysql://root@localhost/?unix_socket={socket}"
                with pymysql.connect(unix_socket=socket, user="root") as connection:
                    fill(connection, sessions)
                _itself("compare", url, socket)
                done = _best_command(
                    *("report", "usage", "--month", MONTH, "--by", "project", "--output", folder), url=url
                )
                print(f"  command    {done.seconds:8.2f} s, {done.peak_mb:.0f} MB, with CSV and PDF", flush=True)
                year = ("--from", "2025-01-01", "--to", "2026-12-31")
                done = _best_command("report", "sessions", *year, "--output", f"{folder}/sessions.csv", url=url)
                rate = sessions / done.seconds
                print(f"  list       {done.seconds:8.2f} s, {rate:,.0f} rows/s, {done.peak_mb:.0f} MB", flush=True)
        _itself("embedded", str(sessions))


def _itself(*words: str) -> None:
    """Measure in a process of its own, so that its peak of memory is its own."""
    subprocess.run([sys.executable, "-m", "benchmarks.reports", *words], check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["compare", url, socket]:
            compare(url, socket)
        case ["embedded", sessions]:
            embedded(int(sessions))
        case sizes:
            main(tuple(map(int, sizes)) or SIZES)
