"""The statistics: what XDMoD makes of the sums. In whole numbers up to the last division."""

from collections.abc import Callable
from operator import add
from typing import Generic, Self, TypeVar

from msgspec import Struct
from msgspec.structs import astuple, replace

__all__ = ["JOB_STATISTICS", "STATISTICS", "STORAGE_STATISTICS", "Added", "Statistic", "Sums", "Usage"]

_HOUR = 3600
_MIB = 1024**2
_GIB = 1024**3


class Added(Struct, frozen=True):
    """Numbers that are added up, each with its like."""

    def __add__(self, other: Self) -> Self:
        return type(self)(*map(add, astuple(self), astuple(other)))

    def later(self) -> Self:
        """Return what of a period is added to the periods before it."""
        return self


class Sums(Added, frozen=True):
    """What some sessions or jobs add up to: seconds, core, MiB, GB and GPU seconds, active seconds, and their numbers.

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
    gpu: int = 0

    def later(self) -> Self:
        """Count what runs where it starts, for otherwise it is counted in the period before."""
        return replace(self, running=self.started)


class Usage(Added, frozen=True):
    """What storage is in use: files, bytes, and bytes that quotas allow; of each the sum of the averages of periods.

    `periods` is how many of them have any.
    """

    files: int = 0
    logical: int = 0
    physical: int = 0
    soft: int = 0
    hard: int = 0
    periods: int = 0


_Added = TypeVar("_Added", bound=Added)


class Statistic(Struct, Generic[_Added], frozen=True):
    """A statistic by XDMoD's name, title and unit; `of` reckons its unrounded value, 0 where it would divide by 0.

    `needs_available` says that it takes what the resources had to give.
    """

    title: str
    unit: str
    of: Callable[[_Added], int | float]
    needs_available: bool = False


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


#: Source: XDMoD's Cloud-statistics.json (11.0). Where it has two formulas, `running` is what tells them apart.
STATISTICS: dict[str, Statistic[Sums]] = {
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

#: Source: XDMoD's Jobs-statistics.json (11.0), of which these are a part.
JOB_STATISTICS: dict[str, Statistic[Sums]] = {
    "avg_cpu_hours": Statistic("CPU Hours: Per Job", "CPU Hour", lambda s: _ratio(s.core, s.running * _HOUR)),
    "avg_gpu_hours": Statistic("GPU Hours: Per Job", "GPU Hour", lambda s: _ratio(s.gpu, s.running * _HOUR)),
    "avg_wallduration_hours": Statistic("Wall Hours: Per Job", "Hour", lambda s: _ratio(s.wall, s.running * _HOUR)),
    "job_count": Statistic("Number of Jobs Ended", "Number of Jobs", lambda s: s.ended),
    "running_job_count": Statistic("Number of Jobs Running", "Number of Jobs", lambda s: s.running),
    "started_job_count": Statistic("Number of Jobs Started", "Number of Jobs", lambda s: s.started),
    "total_cpu_hours": Statistic("CPU Hours: Total", "CPU Hour", lambda s: s.core / _HOUR),
    "total_gpu_hours": Statistic("GPU Hours: Total", "GPU Hour", lambda s: s.gpu / _HOUR),
    "total_wallduration_hours": Statistic("Wall Hours: Total", "Hour", lambda s: s.wall / _HOUR),
}

#: Source: XDMoD's Storage-statistics.json (11.0), of which these are a part. It divides by the periods over all of
#: them, and not in a series, where there is one.
STORAGE_STATISTICS: dict[str, Statistic[Usage]] = {
    "avg_file_count": Statistic("File Count", "Number of files", lambda s: _ratio(s.files, s.periods)),
    "avg_hard_threshold": Statistic("Quota: Hard Threshold", "Bytes", lambda s: _ratio(s.hard, s.periods)),
    "avg_logical_usage": Statistic("Logical Usage", "Bytes", lambda s: _ratio(s.logical, s.periods)),
    "avg_physical_usage": Statistic("Physical Usage", "Bytes", lambda s: _ratio(s.physical, s.periods)),
    "avg_soft_threshold": Statistic("Quota: Soft Threshold", "Bytes", lambda s: _ratio(s.soft, s.periods)),
}
