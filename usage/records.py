"""What is rebuilt, as typed records: sessions, days, and the account of a reading."""

from pathlib import Path

from msgspec import Struct

from ledger import DataError

__all__ = ["DAY_COLUMNS", "SESSION_COLUMNS", "Day", "Reading", "Session", "Skipped", "UnreadableEvents"]


class UnreadableEvents(DataError):
    """Event files that XDMoD would stop at; nothing was rebuilt, so that no session is missing unnoticed."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


class Session(Struct, frozen=True):
    """One uninterrupted state of one instance, as XDMoD's `session_records` has it.

    Times are whole seconds since 1970 in UTC, `[start, end)`; `wallduration` is in seconds, memory in MiB, disk in GB.
    A day id is `year * 100000 + day of year`. The state is 1 active, 2 inactive, 3 shelved, -1 none of them.
    None is XDMoD's Unknown.
    """

    instance: str
    start_time_ts: int
    end_time_ts: int
    start_event_type_id: int
    end_event_type_id: int
    wallduration: int
    instance_type: str
    num_cores: int
    memory_mb: int
    disk_gb: int
    processorbucket_id: int
    memorybucket_id: int
    start_day_id: int
    end_day_id: int
    instance_state_id: int
    host: str | None
    project: str | None
    username: str | None
    domain: str | None


class Day(Struct, frozen=True):
    """What the sessions of one flavor and state add up to on one day, as XDMoD's `cloudfact_by_day` has it.

    `wall_s` and `core_s` are in seconds, `mem_s` and `rv_s` (root volume) in byte-seconds.
    """

    day_id: int
    instance_type: str
    instance_state_id: int
    started: int
    ended: int
    running: int
    wall_s: int
    core_s: int
    mem_s: int
    rv_s: int


SESSION_COLUMNS: tuple[str, ...] = Session.__struct_fields__
DAY_COLUMNS: tuple[str, ...] = Day.__struct_fields__


class Skipped(Struct, frozen=True):
    """Records of one file that XDMoD passes over, with the field and the reason in XDMoD's own words."""

    path: Path
    field: str
    reason: str
    records: int


class Reading(Struct, frozen=True):
    """The account of one reading: `events` counts all records read, the skipped ones among them."""

    files: int
    events: int
    sessions: int
    skipped: tuple[Skipped, ...]
