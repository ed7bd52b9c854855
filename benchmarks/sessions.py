"""How fast and in how much memory sessions are rebuilt: `python -m benchmarks.sessions`.

Event files are written as the exporter writes them, for more and more days of the same cloud; each size is read by a
process of its own, so that its peak of memory is its own. Writing the files is not measured.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from usage import Engine
from usage.files import event_files
from usage.reading import load
from usage.rebuild import rebuild

SIZES = (500_000, 2_000_000, 8_000_000)
INSTANCES = 2_000
THREADS = 2

_FLAVORS = (("cpu-a.1", 1, 4096, 20), ("cpu-a.4", 4, 16384, 20), ("gpu-a100.1", 24, 98304, 80))
_BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001 - event files have no offset


def _instance(number: int) -> str:
    """Return what an instance's events have after their time, type and state."""
    flavor, vcpus, memory, disk = _FLAVORS[number % len(_FLAVORS)]
    project, user = number % 97, number % 311
    identity = f"{number:08x}-0000-4000-8000-{number * 7919:012x}"
    return (
        f'"instance_id":"{identity}","host":"node{number % 40:03d}","instance_type":"{flavor}",'
        f'"instance_type_id":{vcpus},"vcpus":{vcpus},"memory_mb":{memory},"root_gb":{disk},"disk_gb":"{disk}",'
        f'"ephemeral_gb":"0","project_id":"{project:032x}","project_name":"project-{project}",'
        f'"tenant_id":"{project:032x}","user_id":"{user:032x}","user_name":"user{user}@example.org","domain":"Default",'
        f'"request_id":"","resource_id":"{identity}","service":"compute","launched_at":"2026-01-01T00:00:00"}}'
    )


def _event(moment: datetime, kind: str, state: str, rest: str) -> str:
    time_utc = moment.isoformat(timespec="microseconds")
    return f'{{"generated":"{time_utc}","event_type":"compute.instance.{kind}","state":"{state}",{rest}'


def _day(day: datetime, instances: list[str]) -> Iterator[str]:
    """Yield a day's events: a heartbeat an hour, and one instance in twenty stopped from half past three to six."""
    number = (day - _BEGIN).days
    for hour in range(24):
        moment = day + timedelta(hours=hour)
        begin = _event(moment, "exists", "active", "")
        resting = number % 20 if hour in (4, 5) else None
        yield from (begin + rest for place, rest in enumerate(instances) if place % 20 != resting)
    for rest in instances[number % 20 :: 20]:
        stop, start = day + timedelta(hours=3, minutes=30), day + timedelta(hours=6)
        yield _event(stop, "power_off.start", "active", rest)
        yield _event(stop + timedelta(seconds=9), "power_off.end", "stopped", rest)
        yield _event(start - timedelta(seconds=3), "power_on.start", "stopped", rest)
        yield _event(start - timedelta(seconds=1), "power_on.end", "active", rest)


def generate(folder: Path, events: int) -> int:
    """Write day files until they hold that many events, and return for how many days."""
    instances = [_instance(number) for number in range(INSTANCES)]
    written, day = 0, _BEGIN
    while written < events:
        lines = list(_day(day, instances))[: events - written]
        name = f"{day.isoformat()}_{(day + timedelta(seconds=86399)).isoformat()}.json"
        (folder / name).write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
        written += len(lines)
        day += timedelta(days=1)
    return (day - _BEGIN).days


def measure(folder: Path) -> dict[str, float]:
    """Rebuild the sessions of a folder; returns events, sessions, seconds of either step, peak of memory in MB."""
    with Engine(threads=THREADS) as engine:
        begun = time.perf_counter()
        events = load(engine.connection, event_files([folder]))
        read = time.perf_counter()
        sessions = rebuild(engine.connection, datetime.now(UTC).date())
        rebuilt = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    seconds = {"reading": read - begun, "rebuilding": rebuilt - read}
    return {"events": events, "sessions": sessions, **seconds, "peak": peak}


def main() -> None:
    """Generate, measure and print a table, one size after the other."""
    print("Sessions: reading event files, checking each record as XDMoD does, then rebuilding the sessions")
    print(
        f"{'events':>10} {'days':>5} {'MB':>6} {'sessions':>9} {'read s':>7} {'rebuild s':>9} {'rebuilt/s':>10}"
        f" {'both/s':>9} {'peak MB':>8}"
    )
    for events in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            days = generate(Path(folder), events)
            megabytes = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
            command = [sys.executable, "-m", "benchmarks.sessions", folder]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        reading, rebuilding = found["reading"], found["rebuilding"]
        print(
            f"{found['events']:>10,} {days:>5} {megabytes:>6,.0f} {found['sessions']:>9,} {reading:>7.1f}"
            f" {rebuilding:>9.2f} {found['events'] / rebuilding:>10,.0f}"
            f" {found['events'] / (reading + rebuilding):>9,.0f} {found['peak']:>8.0f}"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]))))
    else:
        main()
