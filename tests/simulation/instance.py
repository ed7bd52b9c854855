"""One simulated server: its states and actions over time, and their JSON bodies at a moment."""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache

from msgspec import UNSET, Struct
from msgspec.structs import replace

from demo.replay import Action, Body, action_of

CONDUCTOR = "controller"
IMAGE = "2e68e8ae-e6de-417e-a540-50add4d19cb8"
ENDPOINT = "http://controller/compute"


class Conflict(Exception):
    """Nova would refuse this operation, or the script's clock is not where it has to be."""


class Flavor(Struct, frozen=True):
    """A size: memory in MiB, disks in GB, swap in MiB."""

    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    extra_specs: tuple[tuple[str, str], ...] = ()


FLAVORS = {
    flavor.name: flavor
    for flavor in (
        Flavor("m1.tiny", 1, 512, 1),
        Flavor("m1.small", 1, 2048, 20),
        Flavor("m1.medium", 2, 4096, 40),
        Flavor("m1.large", 4, 8192, 80),
        Flavor("gpu.a100", 8, 65536, 100, extra_specs=(("pci_passthrough:alias", "a100:1"),)),
        Flavor("x.huge", 9999, 9999999, 1),
    )
}


class State(Struct, frozen=True, kw_only=True):
    """A server from `at` on; the API shows it from `seen` on. `before` is what a revert goes back to."""

    at: datetime
    seen: datetime
    updated: datetime
    name: str
    vm_state: str
    task_state: str | None
    power_state: int
    flavor: Flavor
    host: str | None
    launched: datetime | None = None
    terminated: datetime | None = None
    volumes: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    locked: bool = False
    fault: str | None = None
    before: tuple[Flavor, str | None] | None = None


class Event(Struct, frozen=True):
    """One step of an action; without a finish it never ends."""

    name: str
    host: str
    start: datetime
    finish: datetime | None
    success: bool = True


class Act(Struct, frozen=True):
    """One action, its events oldest first; the API shows it from `seen` on."""

    name: str
    request: str
    user: str | None
    project: str | None
    start: datetime
    events: tuple[Event, ...]
    seen: datetime


class Instance:
    """A server's whole life as it was scripted."""

    def __init__(self, id_: str, number: int, project: str, user: str, first: State) -> None:
        self.id = id_
        self.number = number
        self.project = project
        self.user = user
        self.created = first.at
        self.states = [first]
        self.acts: list[Act] = []
        self.gone: datetime | None = None
        self.hide()

    def hide(self, until: datetime | None = None, *, bump: bool = True, record: bool = True) -> None:
        """Show what happens from here on only at a later time."""
        self._hidden_until = until
        self._bump = bump
        self._hide_record = record

    def change(self, at: datetime, *, touches: bool = True, **changes: object) -> None:
        """Enter a new state; without `touches` the row's time of change stays."""
        last = self.states[-1]
        seen = max(at, self._hidden_until) if self._hidden_until and self._hide_record else at
        updated = (seen if self._bump else at) if touches else last.updated
        self.states.append(replace(last, **({"at": at, "seen": seen, "updated": updated} | changes)))

    def act(self, act: Act) -> None:
        """Record an action."""
        self.acts.append(replace(act, seen=max(act.start, self._hidden_until or act.start)))

    def interrupt(self, at: datetime) -> None:
        """Forget what was still to come: running events never finish."""
        if at < self.created:
            raise Conflict(f"{self.states[0].name} is booted at {self.created}, and the clock shows {at}; set it on")
        self.states = [state for state in self.states if state.at <= at]
        self.acts = [
            replace(
                act,
                events=tuple(
                    event if event.finish and event.finish <= at else replace(event, finish=None)
                    for event in act.events
                    if event.start <= at
                ),
            )
            for act in self.acts
        ]

    def deleted_by(self, now: datetime) -> bool:
        """Whether the server's deletion is done."""
        last = self.states[-1]
        return last.vm_state == "deleted" and last.at <= now

    def shown(self, now: datetime) -> State | None:
        """The state that the API shows."""
        if self.gone is not None and self.gone <= now:
            return None
        return next((state for state in reversed(self.states) if state.seen <= now), None)

    def actions(self, now: datetime) -> list[Action]:
        """The actions that the API shows, newest first."""
        return [action_of(_act_body(self, act, now)) for act in reversed(self.acts) if act.seen <= now]


def zulu(moment: datetime) -> str:
    """A time as `created` and `updated` have it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(moment: datetime | None) -> str | None:
    """A time as everything else has it; whole seconds all the same."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000") if moment else None


@lru_cache(maxsize=65536)
def host_id(project: str, host: str | None) -> str:
    """Nova's hash of a host, which differs from project to project."""
    return hashlib.sha224((project + host).encode()).hexdigest() if host else ""


#: vm_state -> status, and the task states that show as a status of their own. Source: Nova's view of a server.
STATUS = {
    "active": "ACTIVE",
    "building": "BUILD",
    "deleted": "DELETED",
    "error": "ERROR",
    "paused": "PAUSED",
    "rescued": "RESCUE",
    "resized": "VERIFY_RESIZE",
    "shelved": "SHELVED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
    "soft-delete": "SOFT_DELETED",
    "stopped": "SHUTOFF",
    "suspended": "SUSPENDED",
}
STATUS_DURING = {
    ("active", "migrating"): "MIGRATING",
    ("active", "rebooting"): "REBOOT",
    ("active", "rebuilding"): "REBUILD",
    ("active", "resize_prep"): "RESIZE",
    ("error", "rebuilding"): "REBUILD",
    ("paused", "migrating"): "MIGRATING",
    ("resized", "resize_reverting"): "REVERT_RESIZE",
    ("stopped", "rebuilding"): "REBUILD",
    ("stopped", "resize_prep"): "RESIZE",
}
WITH_PROGRESS = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})


def server_body(instance: Instance, state: State, *, host_up: bool = True) -> Body:
    """A server as GET /servers/detail has it at 2.96."""
    status = STATUS_DURING.get((state.vm_state, state.task_state or ""), STATUS[state.vm_state])
    alive = status != "DELETED"
    scheduled = state.launched is not None
    flavor = state.flavor
    body = {
        "accessIPv4": "",
        "accessIPv6": "",
        "addresses": _addresses(instance.number) if alive and scheduled else {},
        "created": zulu(instance.created),
        "flavor": {
            "vcpus": flavor.vcpus,
            "ram": flavor.ram,
            "disk": flavor.disk,
            "ephemeral": flavor.ephemeral,
            "swap": flavor.swap,
            "original_name": flavor.name,
            "extra_specs": dict(flavor.extra_specs),
        },
        "hostId": host_id(instance.project, state.host),
        "id": instance.id,
        "image": {"id": IMAGE, "links": [{"rel": "bookmark", "href": f"{ENDPOINT}/images/{IMAGE}"}]},
        "links": [
            {"rel": "self", "href": f"{ENDPOINT}/v2.1/servers/{instance.id}"},
            {"rel": "bookmark", "href": f"{ENDPOINT}/servers/{instance.id}"},
        ],
        "metadata": dict(state.metadata) if alive else {},
        "name": state.name,
        "status": status,
        "tenant_id": instance.project,
        "user_id": instance.user,
        "updated": zulu(state.updated),
        "fault": _fault(state) if status == "ERROR" and state.fault else UNSET,
        "OS-DCF:diskConfig": "MANUAL",
        "progress": 0 if status in WITH_PROGRESS else UNSET,
        "OS-EXT-AZ:availability_zone": "nova" if state.host else "",
        "config_drive": "",
        "key_name": None,
        "OS-SRV-USG:launched_at": plain(state.launched),
        "OS-SRV-USG:terminated_at": plain(state.terminated),
        "OS-EXT-SRV-ATTR:host": state.host,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{instance.number:08x}",
        "OS-EXT-SRV-ATTR:hypervisor_hostname": state.host,
        "OS-EXT-SRV-ATTR:hostname": instance.states[0].name,
        "OS-EXT-SRV-ATTR:kernel_id": "",
        "OS-EXT-SRV-ATTR:launch_index": 0,
        "OS-EXT-SRV-ATTR:ramdisk_id": "",
        "OS-EXT-SRV-ATTR:reservation_id": f"r-{instance.number:08x}",
        "OS-EXT-SRV-ATTR:root_device_name": "/dev/sda" if scheduled else None,
        "OS-EXT-SRV-ATTR:user_data": None,
        "OS-EXT-STS:task_state": state.task_state,
        "OS-EXT-STS:vm_state": state.vm_state,
        "OS-EXT-STS:power_state": state.power_state,
        "os-extended-volumes:volumes_attached": [
            {"id": volume, "delete_on_termination": False} for volume in state.volumes if alive
        ],
        "locked": state.locked,
        "description": None,
        "tags": [],
        "trusted_image_certificates": None,
        "locked_reason": None,
        "pinned_availability_zone": None,
        "host_status": ("UP" if host_up else "DOWN") if state.host else "",
        "security_groups": [{"name": "default"}] if alive and scheduled else UNSET,
    }
    return {name: value for name, value in body.items() if value is not UNSET}


def _fault(state: State) -> Body:
    return {"code": 500, "created": zulu(state.at), "message": state.fault, "details": "Traceback ...\n"}


def _addresses(number: int) -> Body:
    high, low = divmod(number, 250)
    address = {
        "version": 4,
        "addr": f"10.0.{high % 250}.{low + 2}",
        "OS-EXT-IPS:type": "fixed",
        "OS-EXT-IPS-MAC:mac_addr": f"fa:16:3e:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
    }
    return {"shared": [address]}


def _act_body(instance: Instance, act: Act, now: datetime) -> Body:
    """An action as GET /servers/{id}/os-instance-actions/{request} has it at 2.96."""
    events = [event for event in act.events if event.start <= now]
    finished = {event for event in events if event.finish and event.finish <= now}
    times = [event.start for event in events] + [event.finish for event in finished if event.finish]
    return {
        "action": act.name,
        "instance_uuid": instance.id,
        "request_id": act.request,
        "user_id": act.user,
        "project_id": act.project,
        "start_time": plain(act.start),
        "message": "Error" if any(not event.success for event in finished) else None,
        "updated_at": plain(max([act.start, *times])),
        "events": [
            {
                "event": event.name,
                "start_time": plain(event.start),
                "finish_time": plain(event.finish) if event in finished else None,
                "result": ("Success" if event.success else "Error") if event in finished else None,
                "traceback": None if event.success or event not in finished else "  File ...\n",
                "host": event.host,
                "hostId": host_id(instance.project, event.host),
                "details": None if event.success or event not in finished else "the simulated operation failed",
            }
            for event in reversed(events)
        ],
    }
