"""The script's side of a simulated cloud: its clock, how an operation unfolds, and what happens without one."""

import itertools
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tests.simulation.estate import Grant
from tests.simulation.instance import CONDUCTOR, Act, Conflict, Event, Instance, State
from tests.simulation.operations import OPERATIONS, OTHERS, How, Operation
from tests.simulation.view import CloudView

#: Nova's power states, as a hypervisor reports them.
NO_POWER, RUNNING, PAUSED, SHUT_DOWN = 0, 1, 3, 4

#: One step of an action: event, host (a step that needs a host does not happen without one), success.
Step = tuple[str, str | None, bool]


class Script(CloudView):
    """A clock that operations move on, and the servers they happen to."""

    def __init__(
        self,
        start: datetime,
        *,
        durations: Mapping[str, float] | None = None,
        hosts: Sequence[str] = ("compute1", "compute2"),
        seed: int = 0,
    ) -> None:
        super().__init__(start, seed)
        self.durations = dict(durations or {})
        self._hosts = itertools.cycle(hosts)
        for host in hosts:
            self.add_host(host)
        self._admin = self._estate.user("admin"), self._estate.project("admin")

    def at(self, moment: datetime) -> None:
        """Set the clock."""
        self.now = moment

    def advance(self, **units: float) -> None:
        """Move the clock on, by the units of a timedelta."""
        self.now += timedelta(**units)

    def history(self, server: str) -> Sequence[State]:
        """What is true of a server over time, whatever the API shows."""
        return tuple(self._instances[server].states)

    def possible(self, server: str) -> list[str]:
        """The operations that Nova would accept now; none while another runs."""
        state = self._instances[server].states[-1]
        if state.at > self.now or state.vm_state == "deleted":
            return []
        return [name for name, operation in OPERATIONS.items() if name != "boot" and _accepts(operation, state)]

    def late(self, server: str, until: datetime | None, *, bump: bool = True, record: bool = True) -> None:
        """Hide what happens to a server from now on from the API until a time.

        When it appears, `updated` says that time; without `bump` it says when it happened. Without `record` only the
        actions are late.
        """
        self._instances[server].hide(until, bump=bump, record=record)

    def stop_itself(self, server: str, *, recorded: bool = False) -> None:
        """The guest shuts down; Nova notices, with no action or with one of its own that names no user."""
        instance = self._idle(server)
        instance.change(self.now, vm_state="stopped", power_state=SHUT_DOWN)
        if recorded:
            steps: list[Step] = [("compute_stop_instance", instance.states[-1].host, True)]
            events = spread(steps, self.now, self.now)
            instance.act(Act("stop", f"req-{self._uuid()}", None, None, self.now, events, self.now))
        self._edits += 1

    def rename(self, server: str, name: str) -> None:
        """Rename a server, which leaves no action."""
        self._idle(server).change(self.now, name=name)
        self._edits += 1

    def set_metadata(self, server: str, **metadata: str) -> None:
        """Set a server's metadata, which leaves no action and no time of change."""
        self._idle(server).change(self.now, touches=False, metadata=tuple(metadata.items()))
        self._edits += 1

    def lose(self, server: str) -> None:
        """Let a server vanish from the database, with its actions and without a deletion."""
        self._instances[server].gone = self.now
        self._edits += 1

    def purge(self) -> int:
        """Archive the deleted servers, as archive_deleted_rows does; returns how many."""
        dead = [
            instance for instance in self._instances.values() if instance.gone is None and instance.deleted_by(self.now)
        ]
        for instance in dead:
            instance.gone = self.now
        self._edits += 1
        return len(dead)

    def project(
        self, name: str, domain: str = "Default", *, parent: str = "", tags: Sequence[str] = (), enabled: bool = True
    ) -> str:
        """The id of a project, made if it is new, inside another one where that is named."""
        return self._estate.project(name, domain, parent=parent, tags=tags, enabled=enabled)

    def group(self, name: str, *users: str) -> str:
        """The id of a group, made if it is new, that has these users from now on."""
        return self._estate.group(name, users, self.now)

    def grant(
        self,
        role: str,
        *,
        user: str = "",
        group: str = "",
        project: str = "",
        domain: str = "",
        inherited: bool = False,
        revoked: bool = False,
    ) -> None:
        """Give a role to a user or a group in a project or a domain, all by id, or take it back."""
        who, where = user or group, project or domain
        grant = Grant(role, "user" if user else "group", who, "project" if project else "domain", where, inherited)
        self._estate.grant(grant, self.now, revoked=revoked)

    def user(self, name: str, domain: str = "Default") -> str:
        """The id of a user, made if it is new."""
        return self._estate.user(name, domain)

    def rename_project(self, name: str, new: str) -> None:
        """Give a project another name."""
        self._estate.rename("projects", name, new, self.now)

    def rename_user(self, name: str, new: str) -> None:
        """Give a user another name."""
        self._estate.rename("users", name, new, self.now)

    def delete_project(self, name: str) -> None:
        """Take a project out of Keystone; its servers stay."""
        self._estate.delete("projects", name, self.now)

    def delete_user(self, name: str) -> None:
        """Take a user out of Keystone; their servers stay."""
        self._estate.delete("users", name, self.now)

    def add_host(
        self,
        name: str,
        *,
        vcpus: int = 64,
        memory: int = 524288,
        disk: int = 10000,
        kind: str = "QEMU",
        up: bool = True,
    ) -> None:
        """Add a host, or change it from now on."""
        self._estate.add_host(name, self.now, vcpus=vcpus, memory=memory, disk=disk, kind=kind, up=up)
        self._edits += 1

    def remove_host(self, name: str) -> None:
        """Take a host out of the cloud."""
        self._estate.remove_host(name, self.now)
        self._edits += 1

    def _do(
        self,
        server: str,
        name: str,
        how: How,
        target: str | None = None,
        *,
        relaunched: bool = False,
        **becomes: object,
    ) -> None:
        """Let an operation happen: its task while it lasts, what the server becomes at its end, and its action."""
        operation = OPERATIONS.get(name) or OTHERS[name]
        instance = self._idle(server)
        state = instance.states[-1]
        if not _accepts(operation, state):
            raise Conflict(f"Nova refuses to {name} {state.name}, which is {state.vm_state}")
        start, finish = self._span(name, operation, how)
        fails = how.get("fails", False)
        if operation.task:
            instance.change(start, task_state=operation.task)
        if relaunched:
            becomes["launched"] = finish
        instance.change(finish, touches=operation.touches, task_state=None, **({} if fails else becomes))
        places = {"host": state.host, "target": target or state.host, "conductor": CONDUCTOR}
        steps: list[Step] = [(event, places[where], True) for event, where in operation.events]
        if fails and steps:
            steps[-1] = (*steps[-1][:2], False)
        if operation.by_admin and "by" not in how:
            how = {**how, "by": "admin"}
        self._record(instance, operation.action, how, start, spread(steps, start, finish))
        self._settle(finish, how)

    def _idle(self, server: str) -> Instance:
        """A server that is not in the midst of something."""
        instance = self._instances[server]
        state = instance.states[-1]
        if state.at > self.now:
            raise Conflict(f"{state.name} is busy until {state.at}, and the clock shows {self.now}; set it on")
        return instance

    def _record(self, instance: Instance, action: str, how: How, start: datetime, events: tuple[Event, ...]) -> None:
        user, project = instance.user, instance.project
        if (by := how.get("by")) is not None:
            user, project = self._admin if by == "admin" else (self._estate.user(by), project)
        instance.act(Act(action, f"req-{self._uuid()}", user, project, start, events, start))

    def _span(self, name: str, operation: Operation, how: How) -> tuple[datetime, datetime]:
        seconds = how.get("seconds", self.durations.get(name, operation.seconds))
        return self.now, self.now + timedelta(seconds=int(seconds))

    def _settle(self, finish: datetime, how: How) -> None:
        self._edits += 1
        if how.get("wait", True):
            self.now = finish

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def _other_host(self, server: str) -> str:
        host = self._instances[server].states[-1].host
        others = [name for name in self._estate.hosts(self.now) if name != host]
        if not others:
            raise Conflict(f"there is no host but {host}; add one")
        return others[0]


def _accepts(operation: Operation, state: State) -> bool:
    return state.vm_state != "deleted" and (not operation.needs or state.vm_state in operation.needs)


def spread(steps: Sequence[Step], start: datetime, finish: datetime) -> tuple[Event, ...]:
    """Let the steps follow each other from start to finish, in whole seconds."""
    placed = [(name, host, success) for name, host, success in steps if host is not None]
    total = int((finish - start).total_seconds())
    edges = [start + timedelta(seconds=total * edge // max(len(placed), 1)) for edge in range(len(placed) + 1)]
    spans = itertools.pairwise(edges)
    return tuple(
        Event(name, host, begin, end, success)
        for (name, host, success), (begin, end) in zip(placed, spans, strict=True)
    )
