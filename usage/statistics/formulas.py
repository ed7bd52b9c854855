"""The ten statistics: what XDMoD makes of the sums. In whole numbers up to the last division."""

from collections.abc import Callable
from operator import add

from msgspec import Struct
from msgspec.structs import astuple

__all__ = ["STATISTICS", "Statistic", "Sums"]

_HOUR = 3600
_MIB = 1024**2
_GIB = 1024**3


class Sums(Struct, frozen=True):
    """What some sessions add up to: seconds, core seconds, MiB and GB seconds, active seconds, numbers of sessions.

    `running` counts those of one period, or over several periods each session once. `available` is in core seconds,
    what the resources had to give in the same time.
    """

    wall: int = 0
    core: int = 0
    memory: int = 0
    disk: int = 0
    active_wall: int = 0
    started: int = 0
    ended: int = 0
    running: int = 0
    available: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*map(add, astuple(self), astuple(other)))


class Statistic(Struct, frozen=True):
    """A statistic by XDMoD's name, title and unit; `of` reckons its unrounded value, 0 where it would divide by 0.

    `needs_available` says that it takes what the resources had to give.
    """

    title: str
    unit: str
    of: Callable[[Sums], int | float]
    needs_available: bool = False


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


#: Source: XDMoD's Cloud-statistics.json (11.0). Where it has two formulas, `running` is what tells them apart.
STATISTICS = {
    "cloud_avg_cores_reserved": Statistic(
        "Average Cores Reserved Weighted By Wall Hours", "Cores", lambda s: _ratio(s.core, s.wall)
    ),
    "cloud_avg_memory_reserved": Statistic(
        "Average Memory Reserved Weighted By Wall Hours", "Bytes", lambda s: _ratio(s.memory * _MIB, s.wall)
    ),
    "cloud_avg_rv_storage_reserved": Statistic(
        "Average Root Volume Storage Reserved Weighted By Wall Hours", "Bytes", lambda s: _ratio(s.disk * _GIB, s.wall)
    ),
    "cloud_avg_wallduration_hours": Statistic(
        "Wall Hours: Per Session", "Hours", lambda s: _ratio(s.active_wall, s.running * _HOUR)
    ),
    "cloud_core_time": Statistic("CPU Hours: Total", "CPU Hour", lambda s: s.core / _HOUR),
    "cloud_core_utilization": Statistic(
        "Core Hour Utilization", "%", lambda s: _ratio(s.core * 100, s.available), needs_available=True
    ),
    "cloud_num_sessions_ended": Statistic("Number of Sessions Ended", "Number of Sessions", lambda s: s.ended),
    "cloud_num_sessions_running": Statistic("Number of Sessions Active", "Number of Sessions", lambda s: s.running),
    "cloud_num_sessions_started": Statistic("Number of Sessions Started", "Number of Sessions", lambda s: s.started),
    "cloud_wall_time": Statistic("Wall Hours: Total", "Hours", lambda s: s.wall / _HOUR),
}
