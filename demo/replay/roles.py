"""What follows from the roles that were given: who has which in what, as Keystone reckons."""

from collections.abc import Iterator
from uuid import NAMESPACE_OID, uuid5

from demo.replay.store import Body, Cloud

#: The role that each of Keystone's own roles implies. Source: `keystone-manage bootstrap`.
IMPLIED = {"admin": "manager", "manager": "member", "member": "reader"}
INHERITED = "OS-INHERIT:inherited_to"


def role_id(name: str) -> str:
    """An id for a role that no answer gives one."""
    return uuid5(NAMESPACE_OID, name).hex


def nameless(body: Body) -> Body:
    """A role as it is listed without names."""
    scope = {name: nameless_item(value) for name, value in body["scope"].items()}
    items = {name: nameless_item(body[name]) for name in ("user", "group", "role") if name in body}
    return body | {"scope": scope} | items


def nameless_item(item: Body | str) -> Body | str:
    """A project, user or role as its id only; what has no id, as the system, is as it is."""
    return {"id": item["id"]} if isinstance(item, dict) and "id" in item else item


def effective(cloud: Cloud, url: str) -> list[Body]:
    """The roles of users in projects and domains: groups, inheritance and implications resolved; none of the system."""
    given = [body for body in cloud.assignments() if "system" not in body["scope"]]
    roles = {body["role"]["name"]: body["role"]["id"] for body in given}
    held = [personal for body in given for placed in _placed(cloud, body) for personal in _personal(cloud, placed, url)]
    return [*held, *(implied for body in held for implied in _implied(body, roles, url))]


def _placed(cloud: Cloud, body: Body) -> Iterator[Body]:
    """A role where it holds: one that is inherited, in every project below, and not where it was given."""
    scope = body["scope"]
    if INHERITED not in scope:
        yield body
        return
    projects = cloud.identities("projects")
    for project in projects.values():
        above, at = {project["domain_id"]}, project
        while (at := projects.get(at["parent_id"], {})) and at["id"] not in above:
            above.add(at["id"])
        if scope.get("project", scope.get("domain"))["id"] in above:
            where = {"id": project["id"], "name": project["name"], "domain": _domain(cloud, project["domain_id"])}
            yield body | {"scope": {"project": where, INHERITED: scope[INHERITED]}}


def _personal(cloud: Cloud, body: Body, url: str) -> Iterator[Body]:
    """A role of a group as one of each of its users."""
    if "group" not in body:
        yield body
        return
    alone = {name: value for name, value in body.items() if name != "group"}
    group = body["group"]["id"]
    for id_ in cloud.identities("groups")[group]["users"]:
        links = body.get("links", {}) | {"membership": f"{url}/groups/{group}/users/{id_}"}
        yield alone | {"links": links, "user": _user(cloud, id_)}


def _implied(body: Body, roles: dict[str, str], url: str) -> Iterator[Body]:
    role = body["role"]
    while name := IMPLIED.get(role["name"]):
        implied = {"id": roles.get(name) or role_id(name), "name": name}
        # Keystone really says it this way round.
        links = body.get("links", {}) | {"prior_role": f"{url}/prior_role/{implied['id']}/implies/{role['id']}"}
        yield body | {"links": links, "role": implied}
        role = implied


def _user(cloud: Cloud, id_: str) -> Body:
    found = cloud.identities("users").get(id_)
    if found is None:
        return {"id": id_, "name": "", "domain": {"id": "", "name": ""}}
    return {"id": id_, "name": found["name"], "domain": _domain(cloud, found["domain_id"])}


def _domain(cloud: Cloud, id_: str) -> Body:
    return {"id": id_, "name": cloud.identities("domains").get(id_, {}).get("name", "")}
