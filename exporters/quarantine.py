"""Keeps what its schema refuses, with the reason, where XDMoD does not look."""

from collections.abc import Sequence
from pathlib import Path

import jsonschema_rs
import msgspec

from exporters.outbox import write_array
from ledger.files import written_safely

__all__ = ["Unfit", "fault", "set_aside"]


class Unfit(msgspec.Struct, frozen=True):
    """A record that its schema refuses, and why."""

    reason: str
    record: dict[str, object]


def fault(schema: jsonschema_rs.Validator, record: object) -> str | None:
    """Why a schema refuses a record; none where it does not."""
    if schema.is_valid(record):
        return None
    first = next(schema.iter_errors(record))
    where = "/".join(map(str, first.instance_path)) or "the record"
    return f"{where}: {first.message}"


def set_aside(path: Path, unfit: Sequence[Unfit], *, dry_run: bool) -> Path | None:
    """Write what is unfit, with the reasons; returns the path, or none where nothing was written."""
    if not unfit or dry_run:
        return None
    with written_safely(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_array(path, map(msgspec.json.encode, unfit))
    return path
