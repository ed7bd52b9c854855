"""How fast events are translated, validated and written: `python -m benchmarks.export`.

A ledger is filled with servers that rest every third day; their events of more and more days are exported, with a
heartbeat an hour. Filling the ledger is not measured.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.measure import measured
from ledger import Action, Kind, Ledger, Mode, Named, Record, Server, Size
from ledger.database import connect, upgrade
from ledger.records import DomainId, InstanceId, ProjectId, UserId

SERVERS, DAYS = 1_000, (5, 20, 80)
_COMMAND = Path(sys.executable).with_name("xdmod-cloud")
_SITE = '[[openstack]]\nname = "big"\ncloud = "big"\nresource = "big"\n'
_START = datetime(2026, 1, 1, tzinfo=UTC)
_SIZES = (Size("cpu-a.1", 1, 4096, 20), Size("cpu-a.4", 4, 16384, 20), Size("gpu-a100.1", 24, 98304, 80))


def records(days: int) -> Iterator[Record]:
    """Servers and what they did, and who owns them."""
    yield Named(Kind.DOMAIN, "default", "Default")
    for number in range(50):
        yield Named(Kind.PROJECT, f"{number:032x}", f"project-{number}", DomainId("default"))
        yield Named(Kind.USER, f"{number:032x}", f"user-{number}@example.org", DomainId("default"))
    for number in range(SERVERS):
        id = InstanceId(f"{number:08x}-0000-4000-8000-{number * 7919:012x}")
        owner = f"{number % 50:032x}"
        yield Server(
            id=id,
            name=f"server-{number}",
            project=ProjectId(owner),
            user=UserId(owner),
            status="ACTIVE",
            vm_state="active",
            power_state=1,
            created=_START,
            updated=_START,
            size=_SIZES[number % 3],
            launched=_START,
            host=f"node{number % 40:03d}",
        )
        yield _action(id, "create", _START)
        for day in range(1 + number % 3, days, 3):
            yield _action(id, "stop", _START + timedelta(days=day, minutes=number % 60))
            yield _action(id, "start", _START + timedelta(days=day, hours=2, minutes=number % 60))


def _action(server: InstanceId, action: str, start: datetime) -> Action:
    request = f"req-{server[:8]}-0000-4000-8000-{int(start.timestamp()):012x}"
    return Action(server, action, request, start, start + timedelta(seconds=3))


def run(days: int) -> tuple[int, int, float, float]:
    """Export so many days: events, bytes, seconds, peak MB."""
    with TemporaryDirectory() as folder:
        site = Path(folder)
        (site / "xdmod-cloud.toml").write_text(_SITE)
        url = f"sqlite:///{site / 'ledger.sqlite'}"
        upgrade(connect(url))
        end = _START + timedelta(days=days, minutes=5)
        with Ledger.open(url).writer("big") as writer:
            writer.finish(writer.begin(Mode.SWEEP, None), end, end, records(days))
        words = ["export", "openstack", "--heartbeats", "hourly", "--json"]
        done = measured([_COMMAND, *words], {"XDMOD_CLOUD_CONFIG": str(site / "xdmod-cloud.toml")})
        (told,) = msgspec.json.decode(done.output)
        size = sum(file.stat().st_size for file in (site / "outbox").rglob("*.json"))
        return told["events"], size, done.seconds, done.peak_mb


def main() -> None:
    """Print one line for each number of days."""
    print(f"Export: {SERVERS:,} servers, a heartbeat an hour")
    print(f"{'days':>6} {'events':>10} {'MB':>7} {'seconds':>8} {'events/s':>9} {'peak MB':>8}")
    for days in DAYS:
        events, size, seconds, peak = run(days)
        rate = events / seconds
        print(f"{days:>6} {events:>10,} {size / 1e6:>7,.0f} {seconds:>8.1f} {rate:>9,.0f} {peak:>8.0f}")


if __name__ == "__main__":
    main()
