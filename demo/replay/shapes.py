"""What Nova's bodies look like at other microversions, and to those who may see less."""

from msgspec import json

from demo.replay.store import Action, Body

Microversion = tuple[int, int]

#: The microversion at which recorded servers are taken; they are served as they are until the next change of shape.
RECORDED: Microversion = (2, 96)
NEXT_SHAPE: Microversion = (2, 98)

#: From which microversion a server has a key. Source: Nova's API version history; the recorded answers.
SINCE: dict[Microversion, tuple[str, ...]] = {
    (2, 3): tuple(
        f"OS-EXT-SRV-ATTR:{name}"
        for name in (
            "hostname",
            "kernel_id",
            "launch_index",
            "ramdisk_id",
            "reservation_id",
            "root_device_name",
            "user_data",
        )
    ),
    (2, 9): ("locked",),
    (2, 16): ("host_status",),
    (2, 19): ("description",),
    (2, 26): ("tags",),
    (2, 63): ("trusted_image_certificates",),
    (2, 73): ("locked_reason",),
    (2, 96): ("pinned_availability_zone",),
}

#: What only an admin or a system reader sees of a server, and of an action's event.
PRIVILEGED = frozenset(
    {"host_status"}
    | {
        f"OS-EXT-SRV-ATTR:{name}"
        for name in (
            "host",
            "hypervisor_hostname",
            "instance_name",
            "kernel_id",
            "launch_index",
            "ramdisk_id",
            "reservation_id",
            "root_device_name",
            "user_data",
        )
    }
)
PRIVILEGED_IN_EVENTS = frozenset({"traceback", "host", "details"})

#: What a hypervisor has only before 2.88, when Nova stopped counting for itself.
COUNTED_BY_NOVA = frozenset(
    {
        "vcpus",
        "memory_mb",
        "local_gb",
        "vcpus_used",
        "memory_mb_used",
        "local_gb_used",
        "free_ram_mb",
        "free_disk_gb",
        "current_workload",
        "running_vms",
        "disk_available_least",
        "cpu_info",
    }
)


def server(body: bytes, version: Microversion, *, sees_all: bool) -> bytes:
    """A server recorded at 2.96, as it looks at another microversion."""
    if sees_all and RECORDED <= version < NEXT_SHAPE:
        return body
    shown: Body = json.decode(body)
    for since, names in SINCE.items():
        if version < since:
            for name in names:
                shown.pop(name, None)
    if version < (2, 47):
        shown["flavor"] = {"id": shown["flavor"]["original_name"], "links": []}
    if version >= (2, 98) and shown["image"]:
        shown["image"].setdefault("properties", {})
    if version >= (2, 100):
        shown.setdefault("scheduler_hints", {})
    if not sees_all:
        for name in PRIVILEGED:
            shown.pop(name, None)
    return json.encode(shown)


def listed(action: Action, version: Microversion) -> bytes:
    """An action as the list shows it."""
    if version >= (2, 58):
        return action.listed
    shown: Body = json.decode(action.listed)
    shown.pop("updated_at", None)
    return json.encode(shown)


def whole(action: Action, version: Microversion, *, sees_all: bool) -> bytes:
    """An action with its events."""
    if version >= (2, 84) and sees_all:
        return action.whole()
    hidden = set() if sees_all else set(PRIVILEGED_IN_EVENTS)
    if version < (2, 62):
        hidden |= {"host", "hostId"}
    if version < (2, 84):
        hidden |= {"details"}
    shown: Body = json.decode(listed(action, version))
    if sees_all or version >= (2, 51):
        events: list[Body] = json.decode(action.events)
        shown["events"] = [{name: value for name, value in event.items() if name not in hidden} for event in events]
    return json.encode(shown)


def hypervisor(body: Body, version: Microversion, number: int) -> Body:
    """A hypervisor recorded at 2.87, as it looks at another microversion."""
    if version >= (2, 88):
        return {name: value for name, value in body.items() if name not in COUNTED_BY_NOVA} | {"uptime": None}
    if version < (2, 53):
        return body | {"id": number, "service": body["service"] | {"id": number}}
    return body
