"""What the hierarchy is to become against what it is: the new states, and the guard against losing too much of it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from hierarchy.records import Item, ItemId, Key, Level
from hierarchy.settings import HierarchySettings
from ledger import DataError
from ledger.counts import counted

__all__ = ["changes", "estrangements", "guard", "removals"]

_BOTTOM_UP = {level: -depth for depth, level in enumerate(Level)}


def changes(current: Mapping[Key, Item], in_force: Iterable[Item]) -> list[Item]:
    """The new states: what appears or changes, parents first; then what is no longer in force, children first."""
    wanted = {item.id: item for item in in_force}
    known = {item.id: item for item in current.values()}
    told = [item for item in wanted.values() if known.get(item.id) != item]
    ended = [item._replace(active=False) for item in known.values() if item.active and item.id not in wanted]
    return [*told, *sorted(ended, key=lambda item: (_BOTTOM_UP[item.level], -item.id))]


def removals(current: Mapping[Key, Item], changed: Iterable[Item]) -> dict[str, tuple[int, int]]:
    """How many active items of each level are about to become inactive, and of how many."""
    losing = Counter(item.level for item in changed if not item.active)
    active = Counter(item.level for item in current.values() if item.active)
    return {level: (losing[level], active[level]) for level in Level}


def estrangements(current: Mapping[Key, Item], in_force: Iterable[Item]) -> dict[str, tuple[int, int]]:
    """How many PIs are about to lose their institution to the unknown one, and of how many."""
    before = {item.id: item for item in current.values()}
    after = {item.id: item for item in in_force}
    pis = [item for item in before.values() if item.level is Level.PI and item.active and not _stranger(item, before)]
    lost = [item for item in pis if item.id in after and _stranger(after[item.id], after)]
    return {"pi with an institution": (len(lost), len(pis))}


def _stranger(pi: Item, items: Mapping[ItemId, Item]) -> bool:
    field = items.get(pi.parent) if pi.parent else None
    institution = items.get(field.parent) if field and field.parent else None
    return institution is None or institution.permanent


def guard(
    losses: Mapping[str, tuple[int, int]],
    settings: HierarchySettings,
    accepted: int | None,
    noticed: Sequence[str] = (),
) -> None:
    """Raise DataError where more is about to be lost than is credible, unless so many were `accepted`.

    What was `noticed` besides may be the reason, and is said first.
    """
    for what, (lost, of) in losses.items():
        credible = max(settings.accepted_removals, int(of * settings.accepted_removals_percent / 100))
        if lost > max(credible, accepted or 0):
            reasons = "".join(f" It was noticed that: {one}" for one in noticed[:3])
            believed = counted(credible, "are believed")
            raise DataError(
                f"{lost} of {of} active items of the level {what} would be lost, and {believed} without asking. That"
                f" looks like a wrong or partial answer. Nothing was recorded.{reasons} If they are"
                f" really gone, run once with --accept-removals {max(lost for lost, _ in losses.values())}."
            )
