"""Servers' records for tests, as the ledger gives them back: histories written as they are read aloud."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from msgspec.structs import replace

from exporters.openstack.life import Life, life
from ledger import Action, Entry, Kind, Record, Seq, Server, Size
from ledger.records import DomainId, InstanceId, Named, ProjectId, UserId, VolumeId

__all__ = [
    "DAY",
    "LARGE",
    "LOOKS",
    "SERVER",
    "SMALL",
    "XLARGE",
    "Step",
    "at",
    "clock",
    "did",
    "entries",
    "lived",
    "named",
    "seen",
    "spans",
    "told",
]

Step = tuple[datetime, Record]

DAY = datetime(2026, 10, 1, tzinfo=UTC)
#: The cloud is read every twenty minutes.
LOOKS = [DAY + number * timedelta(minutes=20) for number in range(72)]
SMALL, LARGE, XLARGE = (Size(name, vcpus, vcpus * 2048, 20) for name, vcpus in [("s", 1), ("l", 4), ("xl", 8)])
SERVER = Server(
    id=InstanceId("5e1f8d0c-0000-4000-8000-000000000001"),
    name="web",
    project=ProjectId("p-1"),
    user=UserId("u-1"),
    status="ACTIVE",
    vm_state="active",
    power_state=1,
    created=DAY + timedelta(hours=8),
    updated=DAY + timedelta(hours=8),
    launched=DAY + timedelta(hours=8, seconds=4),
    size=SMALL,
    host="node1",
)
#: What else is so of a server in one of Nova's vm states, unless it is said otherwise.
_LOOKS: dict[str, dict[str, Any]] = {
    "building": {"status": "BUILD", "power_state": 0, "launched": None, "task_state": "spawning"},
    "stopped": {"status": "SHUTOFF", "power_state": 4},
    "paused": {"status": "PAUSED", "power_state": 3},
    "suspended": {"status": "SUSPENDED", "power_state": 4},
    "shelved_offloaded": {"status": "SHELVED_OFFLOADED", "power_state": 4, "host": None},
    "soft-delete": {"status": "SOFT_DELETED", "power_state": 4},
    "resized": {"status": "VERIFY_RESIZE"},
    "error": {"status": "ERROR", "power_state": 0},
    "deleted": {"status": "DELETED", "power_state": 0},
}


def at(said: str) -> datetime:
    """A time of that day (UTC)."""
    return datetime.combine(DAY, time.fromisoformat(said), UTC)


def did(
    action: str, start: str, finish: str | None = None, *, failed: bool = False, hosts: Mapping[str, str] | None = None
) -> Step:
    """An action with its times; without a finish it took no time. `hosts` has its events and where they ran."""
    begun, ended = at(start), at(finish or start)
    record = Action(
        SERVER.id, action, f"req-{action}-{start}", begun, ended, failed=failed, hosts=tuple((hosts or {}).items())
    )
    return ended, record


def seen(when: str, vm_state: str = "active", **other: Any) -> Step:
    """The server as it was seen; times may be said as times of the day."""
    fields: dict[str, Any] = {"vm_state": vm_state, "updated": at(when), **_LOOKS.get(vm_state, {}), **other}
    for name in ("created", "launched", "terminated"):
        if isinstance(fields.get(name), str):
            fields[name] = at(fields[name])
    fields["volumes"] = tuple(VolumeId(volume) for volume in fields.get("volumes", ()))
    return at(when), replace(SERVER, **fields)


def named(kind: Kind, id: str, name: str | None, when: str, *, domain: str | None = None, gone: bool = False) -> Step:
    """What a project, user or domain was called when it was asked for."""
    return at(when), Named(kind, id, name, DomainId(domain) if domain else None, gone)


def entries(*steps: Step) -> list[Entry]:
    """Those records in the ledger, in the order in which they were learned."""
    return [Entry(Seq(number), observed, record) for number, (observed, record) in enumerate(steps, 1)]


def lived(*steps: Step, hypervisors: Mapping[str, str] | None = None) -> Life:
    """What is to be told of the server with those records."""
    known = life(entries(*steps), LOOKS, hypervisors or {})
    assert known is not None
    return known


def clock(time: datetime | None) -> str:
    """`10:00:05`, and the microseconds where there are any; empty for what is still open."""
    return time.strftime("%H:%M:%S.%f").removesuffix(".000000") if time else ""


def told(life: Life, *, after: str = "00:00") -> list[tuple[str, str, str]]:
    """Time, event type and state of each transition, from a time of the day on."""
    return [
        (clock(event.at), event.event_type.removeprefix("compute.instance."), str(event.state))
        for event in life.transitions
        if event.at >= at(after)
    ]


def spans(life: Life) -> list[tuple[str, str, str, str | None]]:
    """When the server ran, to the second, of which size and where; spans that lasted no second are left out."""
    whole = [(clock(span.start)[:8], clock(span.end)[:8], span.size.name, span.host) for span in life.running]
    return [span for span in whole if span[0] != span[1]]
