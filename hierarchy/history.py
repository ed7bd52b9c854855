"""The history of the hierarchy in the ledger: read as it is now or was at any time, and only ever appended to."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

from hierarchy.records import Item, ItemId, Level, State
from ledger.tables import hierarchy_item, hierarchy_rec

__all__ = [
    "append",
    "as_of",
    "between",
    "current",
    "find",
    "first_seen",
    "first_states",
    "first_time",
    "life",
    "newest_time",
]

_ACTIVE, _INACTIVE = "Active", "Inactive"
_AT_ONCE = 5000


def current(connection: Connection) -> Iterator[Item]:
    """Every item as it is now, by id; no history is read."""
    columns = [column for column in hierarchy_item.c if column.name != "create_ts"]
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(select(*columns).order_by(hierarchy_item.c.id)):
        yield _item(*row)


def as_of(connection: Connection, moment: datetime) -> Iterator[State]:
    """The state that every item was in at a moment (UTC), by id."""
    rec = hierarchy_rec
    newest = (
        select(rec.c.id, func.max(rec.c.create_ts).label("create_ts"))
        .where(rec.c.create_ts <= moment)
        .group_by(rec.c.id)
        .subquery()
    )
    joined = rec.join(newest, and_(rec.c.id == newest.c.id, rec.c.create_ts == newest.c.create_ts))
    return _states(connection, select(rec).select_from(joined).order_by(rec.c.id))


def first_states(connection: Connection, *, after: datetime) -> Iterator[State]:
    """The first state of every item that appeared after a moment (UTC), by id."""
    rec = hierarchy_rec
    first = select(rec.c.id, func.min(rec.c.create_ts).label("create_ts")).group_by(rec.c.id).subquery()
    joined = rec.join(first, and_(rec.c.id == first.c.id, rec.c.create_ts == first.c.create_ts))
    return _states(connection, select(rec).select_from(joined).where(rec.c.create_ts > after).order_by(rec.c.id))


def between(connection: Connection, start: datetime, end: datetime) -> Iterator[State]:
    """Every state that began after one moment and before another (UTC), item by item, the oldest first."""
    rec = hierarchy_rec
    chosen = select(rec).where(rec.c.create_ts > start, rec.c.create_ts < end).order_by(rec.c.id, rec.c.create_ts)
    return _states(connection, chosen)


def life(connection: Connection, id: ItemId) -> list[State]:
    """Every state that one item was in, the oldest first."""
    chosen = select(hierarchy_rec).where(hierarchy_rec.c.id == id).order_by(hierarchy_rec.c.create_ts)
    return list(_states(connection, chosen))


def find(connection: Connection, wanted: str) -> list[Item]:
    """The items that are called so, by id, lookup name or shown name, in any case of letters; else those that were."""
    # Shown names are not left to the database: of letters outside ASCII, SQLite does not know the case.
    items = list(current(connection))
    found = [
        item for item in items if wanted in (item.name, str(item.id)) or item.display.casefold() == wanted.casefold()
    ]
    if found:
        return found
    rec = hierarchy_rec
    named = or_(rec.c.display_name == wanted, func.lower(rec.c.display_name) == wanted.lower())
    once = set(connection.scalars(select(rec.c.id).distinct().where(named)))
    return [item for item in items if item.id in once]


def newest_time(connection: Connection) -> datetime | None:
    """When the newest state began (UTC); none in an empty history."""
    time: datetime | None = connection.scalar(select(func.max(hierarchy_item.c.create_ts)))
    return time


def first_time(connection: Connection) -> datetime | None:
    """When the history begins (UTC); none in an empty one."""
    time: datetime | None = connection.scalar(select(func.min(hierarchy_rec.c.create_ts)))
    return time


def first_seen(connection: Connection, ids: Iterable[ItemId]) -> datetime | None:
    """When the first of some items appeared (UTC)."""
    wanted, found = list(ids), list[datetime]()
    for start in range(0, len(wanted), _AT_ONCE):
        chosen = hierarchy_rec.c.id.in_(wanted[start : start + _AT_ONCE])
        found.extend(filter(None, [connection.scalar(select(func.min(hierarchy_rec.c.create_ts)).where(chosen))]))
    return min(found, default=None)


def append(connection: Connection, at: datetime, items: Iterable[Item], known: set[ItemId]) -> None:
    """Write new states, all from one time (UTC) on. `known` are the items that are there already."""
    rows = [_row(item, at) for item in items]
    new = [row for row in rows if row["id"] not in known]
    old = [{f"_{name}": value for name, value in row.items()} for row in rows if row["id"] in known]
    for table, inserted in ((hierarchy_rec, rows), (hierarchy_item, new)):
        if inserted:
            connection.execute(insert(table), inserted)
    if old:
        connection.execute(_UPDATE, old)


_CHANGING = ("create_ts", "status", "display_name", "parent_id")
_UPDATE = (
    update(hierarchy_item)
    .where(hierarchy_item.c.id == bindparam("_id"))
    .values({name: bindparam(f"_{name}") for name in _CHANGING})
)


def _row(item: Item, at: datetime) -> dict[str, Any]:
    return {
        "id": item.id,
        "create_ts": at,
        "type": item.level.value,
        "name": item.name,
        "status": _ACTIVE if item.active else _INACTIVE,
        "display_name": item.display,
        "parent_id": item.parent,
    }


def _states(connection: Connection, chosen: Any) -> Iterator[State]:
    for id, since, *rest in connection.execution_options(yield_per=_AT_ONCE).execute(chosen):
        yield State(since, _item(id, *rest))


_LEVELS = {level.value: level for level in Level}


def _item(id: ItemId, level: str, name: str, status: str, display: str | None, parent: ItemId | None) -> Item:
    return Item(id, _LEVELS[level], name, status == _ACTIVE, display or "", parent)
