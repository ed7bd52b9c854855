"""The rules of XDMoD's sessions that are data: event types, states, buckets and widths."""

from typing import NamedTuple

__all__ = [
    "ACTIVE",
    "CLOSED_BY_HEARTBEAT",
    "EVENT_TYPES",
    "HEARTBEAT",
    "INTEGERS",
    "MEMORY_BUCKETS",
    "PROCESSOR_BUCKETS",
    "RESIZED",
    "STOPPED",
    "STRINGS",
    "STRING_OR_NULL",
    "TERMINATED",
    "UNKNOWN_STATE",
    "Bucket",
    "EventType",
]


class EventType(NamedTuple):
    """An event type by XDMoD's id, the name OpenStack gives it, and the state that a session it opens is in."""

    id: int
    name: str
    state: int


class Bucket(NamedTuple):
    """A bucket by its id and the smallest value in it; it ends where the next begins."""

    id: int
    least: int


ACTIVE, INACTIVE, SHELVED, UNKNOWN_STATE = 1, 2, 3, -1

#: The event types that take part in sessions; any other leaves them as they are.
#: Source: XDMoD's openstack_event_map.json and event_type.json; CloudStateReconstructorTransformIngestor's list.
EVENT_TYPES = (
    EventType(1, "compute.instance.create.start", UNKNOWN_STATE),
    EventType(2, "compute.instance.create.end", ACTIVE),
    EventType(3, "compute.instance.shutdown.start", UNKNOWN_STATE),
    EventType(4, "compute.instance.shutdown.end", INACTIVE),
    EventType(5, "compute.instance.delete.start", UNKNOWN_STATE),
    EventType(6, "compute.instance.delete.end", INACTIVE),
    EventType(7, "compute.instance.resume.start", UNKNOWN_STATE),
    EventType(8, "compute.instance.resume.end", ACTIVE),
    EventType(16, "compute.instance.exists", ACTIVE),
    EventType(17, "compute.instance.suspend.end", INACTIVE),
    EventType(19, "compute.instance.shelve_offload.end", SHELVED),
    EventType(20, "compute.instance.unshelve.end", ACTIVE),
    EventType(44, "compute.instance.power_off.start", INACTIVE),
    EventType(45, "compute.instance.power_off.end", INACTIVE),
    EventType(49, "compute.instance.resize.confirm.end", UNKNOWN_STATE),
    EventType(54, "compute.instance.pause.start", INACTIVE),
    EventType(55, "compute.instance.pause.end", INACTIVE),
    EventType(56, "compute.instance.unpause.start", UNKNOWN_STATE),
    EventType(57, "compute.instance.unpause.end", ACTIVE),
    EventType(58, "compute.instance.power_on.start", UNKNOWN_STATE),
    EventType(59, "compute.instance.power_on.end", ACTIVE),
    EventType(60, "compute.instance.unsuspend.start", UNKNOWN_STATE),
    EventType(61, "compute.instance.unsuspend.end", ACTIVE),
    EventType(62, "compute.instance.suspend.start", INACTIVE),
    EventType(63, "compute.instance.unshelve.start", INACTIVE),
    EventType(64, "compute.instance.shelve_offload.start", SHELVED),
)

#: The type that ends a session of which nothing more was heard.
STOPPED = 4
#: The type that closes a session and opens none.
TERMINATED = 6
#: The type that says an instance is still there.
HEARTBEAT = 16
#: The type whose session has the state of the session before it.
RESIZED = 49
#: The types whose session a heartbeat closes; after the others it only prolongs it.
CLOSED_BY_HEARTBEAT = (4, 17, 19, 45, 55)

#: By number of vcpus. Source: XDMoD's processor_buckets.json. Fewer than the least is bucket 0.
PROCESSOR_BUCKETS = (
    Bucket(1, 1),
    Bucket(2, 2),
    Bucket(3, 4),
    Bucket(4, 8),
    Bucket(5, 12),
    Bucket(6, 16),
    Bucket(7, 33),
)

#: By MiB of memory. Source: XDMoD's memory_buckets.json. Less than the least is bucket 0.
MEMORY_BUCKETS = (
    Bucket(1, 1),
    Bucket(2, 2048),
    Bucket(3, 4097),
    Bucket(4, 8193),
    Bucket(5, 16385),
    Bucket(6, 32769),
    Bucket(7, 65536),
    Bucket(8, 131073),
)

#: What a field must be, where it is present. Source: XDMoD's schema cloud_openstack/event.schema.json; it lets a
#: string pass for an integer that it holds.
STRINGS = (
    "disk_gb",
    "ephemeral_gb",
    "event_type",
    "generated",
    "host",
    "instance_id",
    "instance_type",
    "launched_at",
    "message_id",
    "project_id",
    "project_name",
    "request_id",
    "resource_id",
    "service",
    "state",
    "tenant_id",
    "user_id",
    "volume_id",
    "domain",
)
STRING_OR_NULL = ("user_name",)
INTEGERS = ("instance_type_id", "memory_mb", "root_gb", "vcpus")
