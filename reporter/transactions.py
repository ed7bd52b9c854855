"""The transaction log: what was done to servers, when and by whom, in plain words."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from reporter.csvs import cell
from reporter.records import UNKNOWN

__all__ = ["HEADING", "VANISHED", "WORDS", "Outcome", "Transaction", "Words", "log_lines", "log_rows", "told"]

#: What stands for an action where a server vanished: that nobody recorded.
VANISHED = "vanished"


class Outcome(StrEnum):
    """How an action ended, as far as is known."""

    DONE = "done"
    FAILED = "failed"
    OPEN = "open"


class Transaction(Struct, frozen=True, kw_only=True):
    """One action on one server. `at` is when it began, in UTC; for a server that vanished, when that was noticed.

    `project` is the one that owns the server and `user` is who acted, both by the names of that time; `acting_project`
    is the one on whose behalf it was, by its id. `before` and `after` are the flavors of a resize. `repeated` is a
    creation that succeeded on another host than the first. None is unknown; what the cloud did itself has no user.
    """

    at: datetime
    resource: str
    action: str
    outcome: Outcome
    server: str
    instance: str
    project: str | None
    project_id: str
    user: str | None = None
    user_id: str | None = None
    acting_project: str | None = None
    request: str | None = None
    before: str | None = None
    after: str | None = None
    repeated: bool = False


class Words(NamedTuple):
    """What is said of an action that was done, and, behind `failed to`, of one that was not."""

    done: str
    tried: str


#: Nova instance action -> words. Source: nova/compute/instance_actions.py and what a real Nova recorded.
WORDS: dict[str, Words] = {
    "addFixedIp": Words("added a fixed IP address", "add a fixed IP address"),
    "addFloatingIp": Words("added a floating IP address", "add a floating IP address"),
    "attach_interface": Words("attached a network interface", "attach a network interface"),
    "attach_share": Words("attached a share", "attach a share"),
    "attach_volume": Words("attached a volume", "attach a volume"),
    "changePassword": Words("changed the administrator's password", "change the administrator's password"),
    "confirmResize": Words("confirmed the new size or host", "confirm the new size or host"),
    "create": Words("created the server", "create the server"),
    "createBackup": Words("made a backup", "make a backup"),
    "createImage": Words("made an image of the server", "make an image of the server"),
    "delete": Words("deleted the server", "delete the server"),
    "detach_interface": Words("detached a network interface", "detach a network interface"),
    "detach_share": Words("detached a share", "detach a share"),
    "detach_volume": Words("detached a volume", "detach a volume"),
    "evacuate": Words("evacuated the server from a dead host", "evacuate the server from a dead host"),
    "extend_volume": Words("extended a volume", "extend a volume"),
    "forceDelete": Words("deleted the server by force", "delete the server by force"),
    "injectNetworkInfo": Words("injected network settings", "inject network settings"),
    "live-migration": Words("moved the running server to another host", "move the running server to another host"),
    "live_migration_abort": Words("aborted a live migration", "abort a live migration"),
    "live_migration_force_complete": Words("forced a live migration to its end", "force a live migration to its end"),
    "lock": Words("locked the server", "lock the server"),
    "migrate": Words("moved the server to another host", "move the server to another host"),
    "pause": Words("paused the server", "pause the server"),
    "reboot": Words("rebooted the server", "reboot the server"),
    "rebuild": Words("rebuilt the server from an image", "rebuild the server from an image"),
    "removeFixedIp": Words("removed a fixed IP address", "remove a fixed IP address"),
    "removeFloatingIp": Words("removed a floating IP address", "remove a floating IP address"),
    "rescue": Words("booted the server from a rescue image", "boot the server from a rescue image"),
    "resetNetwork": Words("reset the network", "reset the network"),
    "resetState": Words("overwrote the recorded state of the server", "overwrite the recorded state of the server"),
    "resize": Words("resized the server", "resize the server"),
    "restore": Words("restored the deleted server", "restore the deleted server"),
    "resume": Words("resumed the suspended server", "resume the suspended server"),
    "revertResize": Words("went back to the old size or host", "go back to the old size or host"),
    "shelve": Words("shelved the server", "shelve the server"),
    "shelveOffload": Words("took the shelved server off its host", "take the shelved server off its host"),
    "softDelete": Words("deleted the server, restorably", "delete the server, restorably"),
    "start": Words("started the server", "start the server"),
    "stop": Words("stopped the server", "stop the server"),
    "suspend": Words("suspended the server to disk", "suspend the server to disk"),
    "swap_volume": Words("replaced a volume by another", "replace a volume by another"),
    "trigger_crash_dump": Words("triggered a crash dump", "trigger a crash dump"),
    "unlock": Words("unlocked the server", "unlock the server"),
    "unpause": Words("let the paused server go on", "let the paused server go on"),
    "unrescue": Words("ended the rescue of the server", "end the rescue of the server"),
    "unshelve": Words("brought the shelved server back", "bring the shelved server back"),
    "updateMetadata": Words("changed the metadata", "change the metadata"),
    VANISHED: Words("the server vanished: it is listed no more, and no deletion was recorded", "vanish"),
}  # fmt: skip

HEADING = "time | user | project | action | server | ids"


def told(one: Transaction) -> str:
    """Say what was done, or not."""
    words = WORDS.get(one.action) or Words(f"did {one.action}", f"do {one.action}")
    sizes = (f" from {one.before}" if one.before else "") + (f" to {one.after}" if one.after else "")
    again = " at a second try" if one.repeated else ""
    match one.outcome:
        case Outcome.DONE:
            return f"{words.done}{sizes}{again}"
        case Outcome.FAILED:
            return f"failed to {words.tried}{sizes}"
        case Outcome.OPEN:
            return f"began to {words.tried}{sizes}; how it ended is not known"


def log_rows(transactions: Iterable[Transaction], zone: tzinfo) -> Iterator[dict[str, str]]:
    """Yield each as a row of `log-csv`; `local_time` is in the zone, with its offset."""
    for one in transactions:
        yield {
            "time": one.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "local_time": one.at.astimezone(zone).isoformat(timespec="seconds"),
            "user": cell(one.user or one.user_id),
            "project": cell(one.project or one.project_id),
            "action": cell(told(one)),
            "outcome": one.outcome,
            "server": cell(one.server),
            "instance": cell(one.instance),
            "resource": cell(one.resource),
            "nova_action": cell(one.action),
            "request_id": cell(one.request),
            "user_id": cell(one.user_id),
            "project_id": cell(one.project_id),
            "acting_project_id": cell(one.acting_project),
        }


def log_lines(transactions: Iterable[Transaction], zone: tzinfo) -> Iterator[str]:
    """Yield each as a line to read, without its end; the time is in the zone, with its offset."""
    for one in transactions:
        ids = {"instance": one.instance, "user": one.user_id or UNKNOWN, "project": one.project_id}
        if one.request is not None:
            ids["request"] = one.request
        if one.acting_project is not None and one.acting_project != one.project_id:
            ids["for project"] = one.acting_project
        yield " | ".join(
            (
                one.at.astimezone(zone).isoformat(" ", "seconds"),
                _visible(one.user or one.user_id or UNKNOWN),
                _visible(one.project or one.project_id),
                _visible(told(one)),
                _visible(one.server),
                ", ".join(f"{name} {_visible(id)}" for name, id in ids.items()),
            )
        )


def _visible(text: str) -> str:
    """A text that neither steers a terminal nor passes for two columns."""
    if text.isprintable() and "|" not in text:
        return text
    plain = (char if char.isprintable() and char != "|" else f"\\x{{{ord(char):x}}}" for char in text)
    return "".join(plain)
