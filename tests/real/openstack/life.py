"""What servers go through in a real cloud, and the truth about it: what was asked for when, and when it was seen."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from tests.real.openstack.cloud import Cloud, Member


class Plan(Struct, frozen=True):
    """A server's life to be: booted by a member in a flavor, then these operations in their order."""

    member: Member
    flavor: str
    operations: tuple[str, ...]


class Step(Struct, frozen=True):
    """An operation that was done: `asked` for, its effect `seen` by polling, and the server's status and flavor then.

    The flavor of a server that waits for its resize to be confirmed is already the new one, as Nova shows it.
    """

    operation: str
    asked: datetime
    seen: datetime
    status: str
    flavor: str


class Life(Struct, frozen=True):
    """A server's life as it was."""

    server: str
    member: Member
    steps: tuple[Step, ...]


ADA, EVE = Member("ada", "astro", "Default"), Member("eve", "astro", "Default")
CARL, DORA = Member("carl", "climate", "partners"), Member("dora", "dynamics", "partners")

#: Operation -> the body that asks for it and the status it ends in (None: as it was). `resize` has a flavor after it.
OPERATIONS: dict[str, tuple[dict[str, Any], str | None]] = {
    "stop": ({"os-stop": None}, "SHUTOFF"),
    "start": ({"os-start": None}, "ACTIVE"),
    "pause": ({"pause": None}, "PAUSED"),
    "unpause": ({"unpause": None}, "ACTIVE"),
    "suspend": ({"suspend": None}, "SUSPENDED"),
    "resume": ({"resume": None}, "ACTIVE"),
    "shelve": ({"shelve": None}, "SHELVED_OFFLOADED"),
    "unshelve": ({"unshelve": None}, "ACTIVE"),
    "resize": ({"resize": {}}, "VERIFY_RESIZE"),
    "confirm": ({"confirmResize": None}, "ACTIVE"),
    "revert": ({"revertResize": None}, "ACTIVE"),
    "rebuild": ({"rebuild": {}}, None),
    "reboot": ({"reboot": {"type": "SOFT"}}, None),
    "migrate": ({"migrate": None}, "VERIFY_RESIZE"),
    "live-migrate": ({"os-migrateLive": {"host": None, "block_migration": "auto"}}, None),
    "force-delete": ({"forceDelete": None}, "DELETED"),
}

#: Every operation at least once, in the orders that have misled exporters.
LIVES = {
    "everything": Plan(
        ADA,
        "m1.small",
        (
            *("stop", "start", "pause", "unpause", "suspend", "resume", "shelve", "unshelve"),
            *("resize m1.medium", "confirm", "resize m1.large", "revert", "rebuild", "reboot"),
            *("migrate", "confirm", "live-migrate", "delete"),
        ),
    ),
    "stays": Plan(CARL, "m1.small", ()),
    "stays-stopped": Plan(ADA, "m1.tiny", ("stop",)),
    "stays-paused": Plan(CARL, "m1.small", ("pause",)),
    "stays-suspended": Plan(CARL, "m1.small", ("suspend",)),
    "stays-shelved": Plan(CARL, "m1.medium", ("shelve",)),
    "stays-unconfirmed": Plan(ADA, "m1.small", ("resize m1.large",)),
    "grows-while-stopped": Plan(ADA, "m1.small", ("stop", "resize m1.medium", "confirm stopped", "start")),
    "deleted-while-stopped": Plan(CARL, "m1.medium", ("stop", "delete")),
    "deleted-while-shelved": Plan(CARL, "m1.small", ("shelve", "delete")),
    "force-deleted": Plan(ADA, "m1.small", ("force-delete",)),
    "never-placed": Plan(ADA, "x.huge", ()),
    "never-placed-deleted": Plan(CARL, "x.huge", ("delete",)),
    "flavor-deleted": Plan(ADA, "m1.gone", ("delete-flavor", "stop", "start")),
    "user-deleted": Plan(EVE, "m1.small", ("delete-user", "stop", "delete")),
    "project-renamed": Plan(DORA, "m1.small", ("rename-project turbulence", "stop", "start")),
}


def live(
    cloud: Cloud, plans: Mapping[str, Plan] = LIVES, *, rest: float = 1.1, looked: Callable[[], None] = lambda: None
) -> dict[str, Life]:
    """Lead the planned lives, side by side, and tell each; `rest` seconds lie between the operations of a server.

    Before what changes its surroundings, `looked` is called, to return when whoever watches has seen them as they are.
    """
    for flavor in {plan.flavor for plan in plans.values()} - cloud.flavors().keys():
        cloud.create_flavor(flavor, vcpus=3, ram=3000, disk=3)
    for plan in plans.values():
        cloud.member(plan.member)

    def lead(name: str) -> Life:
        plan = plans[name]
        server, boot = booted(cloud, name, plan.flavor, plan.member)
        steps = [boot]
        for operation in plan.operations:
            time.sleep(rest)
            if operation.partition(" ")[0] in _AROUND:
                looked()
            steps.append(operate(cloud, server, operation, steps[-1], plan.member))
        return Life(server, plan.member, tuple(steps))

    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(plans, pool.map(lead, plans), strict=True))


def booted(cloud: Cloud, name: str, flavor: str, member: Member) -> tuple[str, Step]:
    """Boot a server and wait until it runs, or has failed to."""
    asked = datetime.now(UTC)
    server = cloud.boot(name, flavor, member)
    body = _settled(cloud, server, ("ACTIVE", "ERROR"))
    return server, Step("boot", asked, datetime.now(UTC), body["status"], flavor)


def operate(cloud: Cloud, server: str, operation: str, before: Step, member: Member) -> Step:
    """Do one operation, which need not be on the server itself but around it, and wait for its effect."""
    verb, _, word = operation.partition(" ")
    asked = datetime.now(UTC)
    if verb in _AROUND:
        _AROUND[verb](cloud, before, member, word)
        return Step(operation, asked, datetime.now(UTC), before.status, before.flavor)
    if verb == "delete":
        cloud.delete(server)
        status: str | None = "DELETED"
    else:
        body, status = OPERATIONS[verb]
        if verb == "resize":
            body = {"resize": {"flavorRef": cloud.flavors()[word]}}
        elif verb == "rebuild":
            body = {"rebuild": {"imageRef": cloud.image}}
        elif operation == "confirm stopped":
            status = "SHUTOFF"
        cloud.act(server, body)
    after = _settled(cloud, server, (status or before.status,))
    flavor = after["flavor"]["original_name"] if "flavor" in after else before.flavor
    return Step(operation, asked, datetime.now(UTC), after["status"], flavor)


def _settled(cloud: Cloud, server: str, statuses: Iterable[str], patience: float = 90.0) -> dict[str, Any]:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        body = cloud.server(server) or {"status": "DELETED", "OS-EXT-STS:task_state": None}
        if body["status"] in statuses and body["OS-EXT-STS:task_state"] is None:
            return body
        time.sleep(0.25)
    raise TimeoutError(
        f"{body.get('name', server)} is {body['status']} after {patience} s, not {' or '.join(statuses)}"
    )


def _delete_flavor(cloud: Cloud, before: Step, *_: object) -> None:
    cloud.admin.compute.delete(f"/flavors/{cloud.flavors()[before.flavor]}").raise_for_status()


def _delete_user(cloud: Cloud, _: Step, member: Member, *__: object) -> None:
    user = cloud.identified("user", member.user, cloud.identified("domain", member.domain))
    cloud.admin.identity.delete(f"/users/{user}").raise_for_status()


def _rename_project(cloud: Cloud, _: Step, member: Member, name: str) -> None:
    project = cloud.identified("project", member.project, cloud.identified("domain", member.domain))
    cloud.admin.identity.patch(f"/projects/{project}", json={"project": {"name": name}}).raise_for_status()


_AROUND: dict[str, Callable[[Cloud, Step, Member, str], None]] = {
    "delete-flavor": _delete_flavor,
    "delete-user": _delete_user,
    "rename-project": _rename_project,
}
