"""Small histories of servers, as event files, and as sessions where events would be in the way."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from usage import Engine, Session

__all__ = ["Event", "event", "put", "read"]

Event = dict[str, Any]

_NAME = "2026-01-01T00:00:00_2027-01-01T00:00:00.json"


def event(
    at: str,
    what: str,
    instance: str = "i-1",
    *,
    project: str | None = "physics",
    user: str | None = "ada",
    flavor: str = "m1.small",
    cores: int = 2,
) -> Event:
    """One event: `at` as `2026-10-01 08:00:00` in UTC, `what` as `create.end`."""
    record = {
        "generated": f"{at.replace(' ', 'T')}.000000",
        "event_type": f"compute.instance.{what}",
        "state": "active",
        "instance_id": instance,
        "instance_type": flavor,
        "vcpus": cores,
        "memory_mb": 2048 * cores,
        "disk_gb": "20",
        "host": "node-1",
        "domain": "Default",
    }
    if project is not None:
        record |= {"project_id": f"id-of-{project}", "project_name": project}
    if user is not None:
        record["user_name"] = user
    return record


def read(engine: Engine, folder: Path, *events: Event) -> None:
    """Let the engine rebuild the sessions of the events, and of no others."""
    (folder / _NAME).write_text(json.dumps(events), encoding="utf-8")
    engine.read(folder, today=date(2027, 1, 1))


def put(engine: Engine, sessions: Iterable[Session]) -> None:
    """Give the engine sessions as if it had rebuilt them."""
    kinds = {"str": "VARCHAR", "str | None": "VARCHAR", "int": "BIGINT"}
    columns = [f"{name} {kinds[_written(kind)]}" for name, kind in Session.__annotations__.items()]
    engine.connection.execute(f"CREATE OR REPLACE TABLE sessions ({', '.join(columns)})")
    rows = [msgspec.structs.astuple(session) for session in sessions]
    if rows:
        places = ", ".join("?" * len(columns))
        engine.connection.executemany(f"INSERT INTO sessions VALUES ({places})", rows)


def _written(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
