"""The items of the hierarchy: what each is, and the states that it was in."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, NewType

__all__ = ["UNKNOWN", "Item", "ItemId", "Key", "Level", "State"]

ItemId = NewType("ItemId", int)

#: The institution, field of science or PI of what has none that is known.
UNKNOWN = "unknown"


class Level(StrEnum):
    """The levels, from the top down, by the names that they have in the history."""

    INSTITUTION = "institution"
    FIELD = "field-of-science"
    PI = "pi"
    PROJECT = "project"
    CLOUD_PROJECT = "cloud-project"


#: How an item is looked up: its level, and a name that is never shown.
Key = tuple[Level, str]


class Item(NamedTuple):
    """One item in one state. `display` is the name that is shown."""

    id: ItemId
    level: Level
    name: str
    active: bool
    display: str
    parent: ItemId | None

    @property
    def key(self) -> Key:
        return self.level, self.name

    @property
    def permanent(self) -> bool:
        """Whether it stands for the unknown, and so never becomes inactive."""
        if self.level is Level.PI:
            return self.name.startswith(f"{UNKNOWN}/")
        return self.level in (Level.INSTITUTION, Level.FIELD) and self.name == UNKNOWN


class State(NamedTuple):
    """The state of an item from a time (UTC) on."""

    since: datetime
    item: Item
