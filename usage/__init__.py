"""Events to quantities: the sessions and days that XDMoD makes of them."""

from usage.engine import Engine
from usage.records import DAY_COLUMNS, SESSION_COLUMNS, Day, Reading, Session, Skipped, UnreadableEvents

__all__ = ["DAY_COLUMNS", "SESSION_COLUMNS", "Day", "Engine", "Reading", "Session", "Skipped", "UnreadableEvents"]
