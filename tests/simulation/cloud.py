"""The simulated cloud: everything that can be done to a server, each as Nova does and records it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, Unpack

from tests.simulation.instance import CONDUCTOR, FLAVORS, Flavor, Instance, State
from tests.simulation.operations import OPERATIONS, How
from tests.simulation.script import NO_POWER, PAUSED, RUNNING, SHUT_DOWN, Script, Step, spread

#: How a boot ends: running; refused by the scheduler; failed on its host; failed on one host, then running on another.
Outcome = Literal["active", "no valid host", "failed", "rescheduled"]

FAULTS = {"no valid host": "No valid host was found. ", "failed": "Build of instance was aborted"}
BUILD = "compute__do_build_and_run_instance"


class SimulatedCloud(Script):
    """A cloud with a virtual clock: an operation begins at the clock's moment, and the clock waits for its end.

    The clock may be set back, to script servers one after another; each server's own life goes forward only.
    """

    def boot(
        self,
        name: str,
        *,
        flavor: str | Flavor = "m1.small",
        project: str = "astro",
        user: str = "alice",
        domain: str = "Default",
        host: str | None = None,
        outcome: Outcome = "active",
        metadata: Mapping[str, str] | None = None,
        **how: Unpack[How],
    ) -> str:
        """Create a server and return its id; its project, user and domain are made if they are new."""
        start, finish = self._span("boot", OPERATIONS["boot"], how)
        target = host or next(self._hosts)
        first = State(
            at=start,
            seen=start,
            updated=start,
            name=name,
            vm_state="building",
            task_state="scheduling",
            power_state=NO_POWER,
            flavor=_flavor(flavor),
            host=None,
            metadata=tuple((metadata or {}).items()),
        )
        id_ = self._uuid()
        owner = self._estate.project(project, domain), self._estate.user(user, domain)
        instance = self._instances[id_] = Instance(id_, len(self._instances) + 1, *owner, first)
        if how.get("fails"):
            outcome = "failed"
        scheduled = min(start + timedelta(seconds=1), finish)
        if outcome != "no valid host":
            instance.change(scheduled, task_state="spawning", host=target)
        if outcome in FAULTS:
            instance.change(finish, vm_state="error", task_state=None, fault=FAULTS[outcome])
        else:
            instance.change(finish, vm_state="active", task_state=None, power_state=RUNNING, launched=finish)
        self._record(instance, "create", how, start, spread(self._built(outcome, target), scheduled, finish))
        self._settle(finish, how)
        return id_

    def stop(self, server: str, **how: Unpack[How]) -> None:
        """Shut a server down."""
        self._do(server, "stop", how, vm_state="stopped", power_state=SHUT_DOWN)

    def start(self, server: str, **how: Unpack[How]) -> None:
        """Start a server that is shut down."""
        self._do(server, "start", how, vm_state="active", power_state=RUNNING)

    def suspend(self, server: str, **how: Unpack[How]) -> None:
        """Suspend a server to disk."""
        self._do(server, "suspend", how, vm_state="suspended", power_state=SHUT_DOWN)

    def resume(self, server: str, **how: Unpack[How]) -> None:
        """Resume a suspended server."""
        self._do(server, "resume", how, vm_state="active", power_state=RUNNING)

    def pause(self, server: str, **how: Unpack[How]) -> None:
        """Pause a server in memory."""
        self._do(server, "pause", how, vm_state="paused", power_state=PAUSED)

    def unpause(self, server: str, **how: Unpack[How]) -> None:
        """Let a paused server go on."""
        self._do(server, "unpause", how, vm_state="active", power_state=RUNNING)

    def shelve(self, server: str, *, offload: bool = True, **how: Unpack[How]) -> None:
        """Shelve a server; it is offloaded at once, which leaves no action, unless the site waits."""
        if offload:
            self._do(server, "shelve", how, vm_state="shelved_offloaded", power_state=SHUT_DOWN, host=None)
        else:
            self._do(server, "shelve", how, vm_state="shelved", power_state=SHUT_DOWN)

    def shelve_offload(self, server: str, **how: Unpack[How]) -> None:
        """Take a shelved server off its host."""
        self._do(server, "shelve_offload", how, vm_state="shelved_offloaded", host=None)

    def unshelve(self, server: str, *, host: str | None = None, **how: Unpack[How]) -> None:
        """Bring a shelved server back, on any host."""
        target = host or next(self._hosts)
        self._do(server, "unshelve", how, target, relaunched=True, vm_state="active", power_state=RUNNING, host=target)

    def resize(self, server: str, flavor: str | Flavor, *, host: str | None = None, **how: Unpack[How]) -> None:
        """Give a server another size, to be confirmed or reverted."""
        self._move(server, "resize", host, how, _flavor(flavor))

    def migrate(self, server: str, *, host: str | None = None, **how: Unpack[How]) -> None:
        """Move a server to another host with a break, to be confirmed or reverted."""
        self._move(server, "migrate", host, how, self._instances[server].states[-1].flavor)

    def confirm_resize(self, server: str, **how: Unpack[How]) -> None:
        """Keep the new size or host."""
        state = self._instances[server].states[-1]
        old = state.before[1] if state.before else None
        vm_state = "active" if state.power_state == RUNNING else "stopped"
        self._do(server, "confirm_resize", how, old, vm_state=vm_state, before=None)

    def revert_resize(self, server: str, **how: Unpack[How]) -> None:
        """Go back to the size and host from before."""
        state = self._instances[server].states[-1]
        flavor, host = state.before or (state.flavor, state.host)
        vm_state = "active" if state.power_state == RUNNING else "stopped"
        self._do(
            server,
            "revert_resize",
            how,
            host,
            relaunched=True,
            vm_state=vm_state,
            flavor=flavor,
            host=host,
            before=None,
        )

    def live_migrate(self, server: str, host: str | None = None, **how: Unpack[How]) -> None:
        """Move a server to another host without a break; it keeps its time of launch."""
        target = host or self._other_host(server)
        self._do(server, "live_migrate", how, target, host=target)

    def evacuate(self, server: str, host: str | None = None, **how: Unpack[How]) -> None:
        """Rebuild a server of a dead host on another one, where it is left stopped."""
        target = host or self._other_host(server)
        self._do(
            server,
            "evacuate",
            how,
            target,
            relaunched=True,
            vm_state="stopped",
            power_state=SHUT_DOWN,
            host=target,
        )

    def rebuild(self, server: str, **how: Unpack[How]) -> None:
        """Build a server anew from its image; a stopped one is left stopped."""
        stopped = self._instances[server].states[-1].vm_state == "stopped"
        vm_state, power = ("stopped", SHUT_DOWN) if stopped else ("active", RUNNING)
        self._do(server, "rebuild", how, relaunched=True, vm_state=vm_state, power_state=power)

    def rescue(self, server: str, **how: Unpack[How]) -> None:
        """Boot a server from a rescue image."""
        self._do(server, "rescue", how, vm_state="rescued", power_state=RUNNING)

    def unrescue(self, server: str, **how: Unpack[How]) -> None:
        """Boot a rescued server from its own disk."""
        self._do(server, "unrescue", how, vm_state="active", power_state=RUNNING)

    def reboot(self, server: str, *, hard: bool = False, **how: Unpack[How]) -> None:
        """Reboot a server; the hard kind starts one that is not running."""
        if hard:
            self._do(server, "reboot", how, vm_state="active", power_state=RUNNING)
        else:
            self._do(server, "reboot", how)

    def reset_state(self, server: str, vm_state: Literal["active", "error"] = "error", **how: Unpack[How]) -> None:
        """Write another state into a server's row; nothing happens to the guest."""
        self._do(server, "reset_state", how, vm_state=vm_state)

    def attach_volume(self, server: str, volume: str | None = None, **how: Unpack[How]) -> str:
        """Attach a volume and return its id; the server's `updated` stays."""
        added = volume or self._uuid()
        volumes = (*self._instances[server].states[-1].volumes, added)
        self._do(server, "attach_volume", how, volumes=volumes)
        return added

    def detach_volume(self, server: str, volume: str, **how: Unpack[How]) -> None:
        """Detach a volume."""
        kept = tuple(other for other in self._instances[server].states[-1].volumes if other != volume)
        self._do(server, "detach_volume", how, volumes=kept)

    def soft_delete(self, server: str, **how: Unpack[How]) -> None:
        """Delete a server in a way that can be taken back."""
        self._do(server, "soft_delete", how, vm_state="soft-delete", power_state=SHUT_DOWN)

    def restore(self, server: str, **how: Unpack[How]) -> None:
        """Take a soft deletion back."""
        self._do(server, "restore", how, vm_state="active", power_state=RUNNING)

    def delete(self, server: str, **how: Unpack[How]) -> None:
        """Delete a server for good, also in the midst of another operation, which then never finishes."""
        instance = self._instances[server]
        instance.interrupt(self.now)
        state = instance.states[-1]
        _, finish = self._span("delete", OPERATIONS["delete"], how)
        power = NO_POWER if state.host else state.power_state
        self._do(
            server, "delete", how, vm_state="deleted", power_state=power, terminated=finish, volumes=(), before=None
        )

    def force_delete(self, server: str, **how: Unpack[How]) -> None:
        """Delete without a way back where deletion is soft; Nova records the same action."""
        self.delete(server, **how)

    def other(self, server: str, action: str, **how: Unpack[How]) -> None:
        """Do what changes no session, by the name of its action."""
        locks = {"lock": True, "unlock": False}
        if action in locks:
            self._do(server, action, how, locked=locks[action])
        else:
            self._do(server, action, how)

    def _move(self, server: str, name: str, host: str | None, how: How, flavor: Flavor) -> None:
        state = self._instances[server].states[-1]
        target = host or self._other_host(server)
        before = state.flavor, state.host
        self._do(
            server, name, how, target, relaunched=True, vm_state="resized", flavor=flavor, host=target, before=before
        )

    def _built(self, outcome: Outcome, target: str) -> list[Step]:
        match outcome:
            case "no valid host":
                return [("conductor_schedule_and_build_instances", CONDUCTOR, False)]
            case "rescheduled":
                others = [name for name in self._estate.hosts(self.now) if name != target]
                return [(BUILD, others[0] if others else target, False), (BUILD, target, True)]
            case _:
                return [(BUILD, target, outcome == "active")]


def _flavor(flavor: str | Flavor) -> Flavor:
    return FLAVORS[flavor] if isinstance(flavor, str) else flavor
