"""What Nova's words mean to XDMoD: instance actions to event types, vm states to what counts as running."""

from enum import StrEnum
from typing import NamedTuple

from ledger import Server

__all__ = ["CREATE_ERROR", "EVENTS", "HEARTBEAT", "INFERRED", "WITHOUT_EFFECT", "State", "Translated", "state_of"]


class State(StrEnum):
    """The vm states that events carry, in Nova's words."""

    BUILDING = "building"
    ACTIVE = "active"
    STOPPED = "stopped"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    SHELVED = "shelved_offloaded"
    SOFT_DELETED = "soft-delete"
    ERROR = "error"
    DELETED = "deleted"

    @property
    def session_state(self) -> int:
        """XDMoD's instance state of a session in this state: 1 active, 2 inactive, 3 shelved, -1 none."""
        if self is State.ACTIVE:
            return 1
        if self is State.SHELVED:
            return 3
        return -1 if self in (State.BUILDING, State.DELETED) else 2


class Translated(NamedTuple):
    """The event types of an action's start and finish, and the state that it leaves, if it changes one."""

    start: str | None
    end: str | None
    leaves: State | None = None


def _pair(name: str, leaves: State | None = None) -> Translated:
    return Translated(f"compute.instance.{name}.start", f"compute.instance.{name}.end", leaves)


#: Nova instance action -> XDMoD event types for its start and finish.
#: Source: XDMoD's openstack event map; Nova's instance actions as measured. Only succeeded actions are translated,
#: but for `create`, whose failure has a type of its own.
EVENTS: dict[str, Translated] = {
    "create": _pair("create", State.ACTIVE),
    "delete": _pair("delete", State.DELETED),
    "forceDelete": _pair("delete", State.DELETED),
    "softDelete": _pair("power_off", State.SOFT_DELETED),
    "restore": _pair("power_on", State.ACTIVE),
    "stop": _pair("power_off", State.STOPPED),
    "start": _pair("power_on", State.ACTIVE),
    "suspend": _pair("suspend", State.SUSPENDED),
    "resume": _pair("resume", State.ACTIVE),
    "pause": _pair("pause", State.PAUSED),
    "unpause": _pair("unpause", State.ACTIVE),
    "shelve": _pair("shelve_offload", State.SHELVED),
    "shelveOffload": _pair("shelve_offload", State.SHELVED),
    "unshelve": _pair("unshelve", State.ACTIVE),
    "resize": Translated("compute.instance.resize.prep.start", "compute.instance.finish_resize.end"),
    "migrate": Translated("compute.instance.resize.prep.start", "compute.instance.finish_resize.end"),
    "confirmResize": _pair("resize.confirm"),
    "rebuild": _pair("rebuild"),
    "evacuate": _pair("power_off", State.STOPPED),
    "reboot": _pair("power_on", State.ACTIVE),
    "attach_volume": Translated(None, "compute.instance.volume.attach"),
    "detach_volume": Translated(None, "compute.instance.volume.detach"),
}

#: Actions that Nova is known to record and that change no session, and host changes that XDMoD has no type for.
WITHOUT_EFFECT = frozenset(
    {
        "addFixedIp", "addFloatingIp", "attach_interface", "changePassword", "createBackup", "createImage",
        "detach_interface", "extend_volume", "injectNetworkInfo", "live-migration", "live_migration_abort",
        "live_migration_force_complete", "lock", "removeFixedIp", "rescue", "resetNetwork", "resetState",
        "revertResize", "swap_volume", "trigger_crash_dump", "unlock", "unrescue", "updateMetadata",
    }
)  # fmt: skip

HEARTBEAT = "compute.instance.exists"
CREATE_ERROR = "compute.instance.create.error"

#: How a change of state that no action tells of is told to XDMoD: as the action that would have made it.
INFERRED: dict[State, str] = {
    State.ACTIVE: "start",
    State.STOPPED: "stop",
    State.ERROR: "stop",
    State.SOFT_DELETED: "softDelete",
    State.PAUSED: "pause",
    State.SUSPENDED: "suspend",
    State.SHELVED: "shelve",
    State.DELETED: "delete",
}

_VM_STATES: dict[str, State] = {
    "building": State.BUILDING,
    "active": State.ACTIVE,
    "rescued": State.ACTIVE,
    "resized": State.ACTIVE,
    "stopped": State.STOPPED,
    "paused": State.PAUSED,
    "suspended": State.SUSPENDED,
    "shelved": State.SHELVED,
    "shelved_offloaded": State.SHELVED,
    "soft-delete": State.SOFT_DELETED,
    "deleted": State.DELETED,
}
_POWER_RUNNING = 1


def state_of(server: Server) -> State:
    """The state that an observation tells. A server in error runs as long as its guest does."""
    if server.ended:
        return State.DELETED
    if server.vm_state == "resized" and server.power_state not in (0, _POWER_RUNNING):
        return State.STOPPED
    if server.vm_state in _VM_STATES:
        return _VM_STATES[server.vm_state]
    return State.ACTIVE if server.power_state == _POWER_RUNNING else State.ERROR
