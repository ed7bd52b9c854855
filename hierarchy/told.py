"""What XDMoD has been told of the hierarchy: what was written for it, and does not lie there any more."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from hierarchy.csvs import Row
from ledger.tables import hierarchy_told

__all__ = ["keep_in_mind", "told_before"]


class _Told(NamedTuple):
    """The line that was written last, and, while that waits to be imported, the one that XDMoD has."""

    line: str
    before: str | None
    waiting: bool


def told_before(connection: Connection, file: str, *, waits: bool) -> dict[str, Row]:
    """The lines that XDMoD has for certain, by key; `waits` says that what was written last has not been taken yet."""
    decode = msgspec.json.Decoder(Row).decode
    lines = {
        key: told.before if told.waiting and waits else told.line for key, told in _state(connection, file).items()
    }
    return {key: decode(line) for key, line in lines.items() if line is not None}


def keep_in_mind(connection: Connection, file: str, has: Mapping[str, Row], rows: Sequence[Row]) -> None:
    """Remember what was written into a file, beside what XDMoD `has` for certain."""
    state = {key: _Told(_encoded(row), None, False) for key, row in has.items()}
    for row in rows:
        before = state.get(row[0])
        state[row[0]] = _Told(_encoded(row), before.line if before else None, True)
    known = _state(connection, file)
    new = [{"file": file, "key": key, **told._asdict()} for key, told in state.items() if key not in known]
    if new:
        connection.execute(insert(hierarchy_told), new)
    changed = {key: told for key, told in state.items() if known.get(key, told) != told}
    again = [{"_file": file, "_key": key, **told._asdict()} for key, told in changed.items()]
    if again:
        connection.execute(update(hierarchy_told).where(*_ONE), again)
    lost = [{"_file": file, "_key": key} for key in known.keys() - state.keys()]
    if lost:
        connection.execute(delete(hierarchy_told).where(*_ONE), lost)


_ONE = (hierarchy_told.c.file == bindparam("_file"), hierarchy_told.c.key == bindparam("_key"))


def _state(connection: Connection, file: str) -> dict[str, _Told]:
    table = hierarchy_told
    chosen = select(table.c.key, table.c.line, table.c.before, table.c.waiting).where(table.c.file == file)
    return {key: _Told(line, before, bool(waiting)) for key, line, before, waiting in connection.execute(chosen)}


def _encoded(row: Row) -> str:
    return msgspec.json.encode(row).decode()
