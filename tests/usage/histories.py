"""Event files for tests: histories written as they are read aloud."""

import json
from pathlib import Path
from typing import Any

from usage import Engine, Session

__all__ = ["FILE", "Event", "event", "rebuilt", "spans", "write"]

FILE = "2026-03-01T00:00:00_2026-03-31T23:59:59.json"


Event = dict[str, Any]


def event(time: str, kind: str, **changed: object) -> Event:
    """Return an event on 2026-03-01 at a time of day, or at a whole timestamp; a field given as None is left out."""
    fields: Event = {
        "generated": time if "T" in time else f"2026-03-01T{time}",
        "event_type": f"compute.instance.{kind}",
        "instance_id": "vm",
        "state": "active",
        "host": "node1",
        "instance_type": "c1.m4",
        "vcpus": "1",
        "memory_mb": "4096",
        "disk_gb": "20",
        "project_id": "p-1",
        "project_name": "projone",
        "user_name": "alice",
        "domain": "Default",
    } | changed
    return {name: value for name, value in fields.items() if value is not None}


def write(folder: Path, *events: object, name: str = FILE) -> Path:
    """Write one event file and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(events), encoding="utf-8")
    return folder


def rebuilt(engine: Engine, folder: Path, *events: object) -> list[Session]:
    """Return the sessions of a history."""
    engine.read(write(folder, *events))
    return list(engine.sessions())


def spans(sessions: list[Session]) -> list[tuple[int, int, int, int, int]]:
    """Return start event, start, end, end event and state of each; times in seconds since 2026-03-01 10:00."""
    base = 1772359200
    return [
        (s.start_event_type_id, s.start_time_ts - base, s.end_time_ts - base, s.end_event_type_id, s.instance_state_id)
        for s in sessions
    ]
