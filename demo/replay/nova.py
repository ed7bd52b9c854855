"""Answer as Nova does: servers and their actions, page by page, and hypervisors."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec.structs import replace

from demo.replay import shapes
from demo.replay.keystone import Token, json
from demo.replay.shapes import Microversion
from demo.replay.store import Body, Cloud, Server, instant
from demo.replay.wire import Answer, Request

Item = TypeVar("Item")

TRUE = frozenset({"", "1", "t", "true", "on", "y", "yes"})
NEWEST: Microversion = (2, 104)


class Refused(Exception):
    """Nova answers with an error: its status, the name of its body, its message."""

    def __init__(self, status: int, name: str, message: str) -> None:
        self.answer = json(status, {name: {"code": status, "message": message}})


def not_found(message: str = "The resource could not be found.") -> Refused:
    """Nova's form of 404."""
    return Refused(404, "itemNotFound", message)


def forbidden(rule: str) -> Refused:
    """Nova's form of 403."""
    return Refused(403, "forbidden", f"Policy doesn't allow os_compute_api:{rule} to be performed.")


class Asked:
    """A request, with what Nova reads out of it."""

    def __init__(self, request: Request, token: Token | None, newest: Microversion) -> None:
        self.request = request
        self._token = token
        self.version = self._version(newest)

    @property
    def token(self) -> Token:
        """What the request's token allows."""
        assert self._token is not None
        return self._token

    @cached_property
    def query(self) -> dict[str, str]:
        """The parameters; of a repeated one the last."""
        return dict(parse_qsl(self.request.query, keep_blank_values=True))

    def says(self, name: str) -> bool:
        """Whether a parameter is given and true."""
        return name in self.query and self.query[name].lower() in TRUE

    def time(self, name: str) -> datetime | None:
        """A parameter that is a time."""
        if name not in self.query:
            return None
        try:
            return instant(self.query[name].replace(" ", "+"))
        except ValueError:
            raise Refused(
                400,
                "badRequest",
                f"Invalid input for query parameters {name}. Value: {self.query[name]}. "
                f"'{self.query[name]}' is not a 'date-time'",
            ) from None

    def limit(self, most: int) -> int:
        """How many items a page has, never more than the site allows."""
        asked = self.query.get("limit", str(most))
        if not asked.isdecimal():
            raise Refused(400, "badRequest", f"Invalid input for query parameters limit. Value: {asked}.")
        return min(int(asked), most)

    def _version(self, newest: Microversion) -> Microversion:
        headers = self.request.headers
        asked = headers.get("x-openstack-nova-api-version", "2.1")
        service, _, number = headers.get("openstack-api-version", "").partition(" ")
        if service == "compute":
            asked = number
        if asked == "latest":
            return newest
        major, _, minor = asked.partition(".")
        version = int(major), int(minor)
        if not (2, 1) <= version <= newest:
            raise Refused(
                406,
                "computeFault",
                f"Version {asked} is not supported by the API. Minimum is 2.1 and maximum is {_written(newest)}.",
            )
        return version


def _written(version: Microversion) -> str:
    return f"{version[0]}.{version[1]}"


class Nova:
    """The compute service of one cloud."""

    def __init__(self, cloud: Cloud, url: str, *, max_limit: int = 1000, newest: Microversion = NEWEST) -> None:
        self._cloud = cloud
        self._url = url
        self.max_limit = max_limit
        self.newest = newest

    def answer(self, request: Request, token: Token | None, unauthorized: Callable[[], Answer]) -> Answer:
        """Answer a request under /compute."""
        parts = request.path.strip("/").split("/")[1:]
        if parts == []:
            return json(200, {"versions": [self._version_body()]})
        if parts == ["v2.1"]:
            return json(200, {"version": self._version_body()})
        if token is None:
            return unauthorized()
        try:
            asked = Asked(request, token, self.newest)
            answer = self._routed(asked, parts[1:])
        except Refused as refused:
            return refused.answer
        number = _written(asked.version)
        versions = (("OpenStack-API-Version", f"compute {number}"), ("X-OpenStack-Nova-API-Version", number))
        return replace(answer, headers=answer.headers + versions)

    def _routed(self, asked: Asked, parts: list[str]) -> Answer:
        match parts:
            case ["servers", "detail"]:
                return self._servers(asked, lambda server: self._shown(server, asked))
            case ["servers"]:
                return self._servers(asked, _brief)
            case ["servers", server]:
                return self._server(asked, server)
            case ["servers", server, "os-instance-actions"]:
                return self._actions(asked, self._acted(asked, server))
            case ["servers", server, "os-instance-actions", request]:
                return self._action(asked, self._acted(asked, server), request)
            case ["os-hypervisors", "detail"]:
                return self._hypervisors(asked)
            case _:
                raise not_found()

    def _version_body(self) -> Body:
        return {
            "id": "v2.1",
            "status": "CURRENT",
            "version": _written(self.newest),
            "min_version": "2.1",
            "updated": "2013-07-23T11:33:21Z",
            "links": [
                {"rel": "self", "href": f"{self._url}/compute/v2.1/"},
                {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"},
            ],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}],
        }

    def _servers(self, asked: Asked, shown: Callable[[Server], bytes]) -> Answer:
        if asked.says("all_tenants") and not asked.token.sees_all:
            raise forbidden("servers:detail:get_all_tenants")
        servers = self._cloud.servers()
        start = 0
        if marker := asked.query.get("marker"):
            place = self._cloud.place(marker)
            if place is None:
                raise Refused(400, "badRequest", f"marker [{marker}] not found")
            start = place + 1
        limit = asked.limit(self.max_limit)
        rest = itertools.islice(servers, start, None)
        page = list(itertools.islice(_wanted(rest, asked), limit))
        return self._page(asked, "servers", [shown(server) for server in page], "servers_links", limit, page)

    def _page(
        self,
        asked: Asked,
        name: str,
        bodies: Sequence[bytes],
        links: str,
        limit: int,
        page: Sequence[Server] | Sequence[str],
    ) -> Answer:
        body = b'{"' + name.encode() + b'": [' + b", ".join(bodies) + b"]"
        if page and len(page) == limit:
            last = page[-1]
            query = asked.query | {"limit": str(limit), "marker": last if isinstance(last, str) else last.id}
            href = f"{self._url}{asked.request.path}?{urlencode(query)}"
            body += b', "' + links.encode() + b'": ' + msgspec.json.encode([{"rel": "next", "href": href}])
        return Answer(200, body + b"}")

    def _shown(self, server: Server, asked: Asked) -> bytes:
        return shapes.server(server.body, asked.version, sees_all=asked.token.sees_all)

    def _server(self, asked: Asked, id_: str) -> Answer:
        server = self._acted(asked, id_)
        if server.deleted:
            raise not_found(f"Instance {id_} could not be found.")
        return Answer(200, b'{"server": ' + self._shown(server, asked) + b"}")

    def _acted(self, asked: Asked, id_: str) -> Server:
        """The server whose actions are asked for; before 2.21 a deleted one had none."""
        place = self._cloud.place(id_)
        server = None if place is None else self._cloud.servers()[place]
        if server is None or (server.deleted and asked.version < (2, 21)):
            raise not_found(f"Instance {id_} could not be found.")
        if not asked.token.sees_all and server.project != asked.token.target:
            raise not_found(f"Instance {id_} could not be found.")
        return server

    def _actions(self, asked: Asked, server: Server) -> Answer:
        actions = self._cloud.actions(server.id)
        if asked.version < (2, 58):
            bodies = [shapes.listed(action, asked.version) for action in actions]
            return Answer(200, b'{"instanceActions": [' + b", ".join(bodies) + b"]}")
        if marker := asked.query.get("marker"):
            requests = [action.request for action in actions]
            if marker not in requests:
                raise Refused(400, "badRequest", f"marker [{marker}] not found")
            actions = actions[requests.index(marker) + 1 :]
        limit = asked.limit(self.max_limit)
        if since := asked.time("changes-since"):
            actions = [action for action in actions if _updated(action.listed) >= since]
        page = actions[:limit]
        bodies = [action.listed for action in page]
        return self._page(asked, "instanceActions", bodies, "links", limit, [action.request for action in page])

    def _action(self, asked: Asked, server: Server, request: str) -> Answer:
        for action in self._cloud.actions(server.id):
            if action.request == request:
                whole = shapes.whole(action, asked.version, sees_all=asked.token.sees_all)
                return Answer(200, b'{"instanceAction": ' + whole + b"}")
        raise not_found(f"Action for request_id {request} on instance {server.id} not found")

    def _hypervisors(self, asked: Asked) -> Answer:
        if not asked.token.sees_all:
            raise forbidden("os-hypervisors:list-detail")
        bodies = list(self._cloud.hypervisors())
        if marker := asked.query.get("marker"):
            names = [body["id"] for body in bodies]
            if marker not in names:
                raise Refused(400, "badRequest", f"marker [{marker}] not found")
            bodies = bodies[names.index(marker) + 1 :]
        limit = asked.limit(self.max_limit)
        page = bodies[:limit]
        shown = [shapes.hypervisor(body, asked.version, number) for number, body in enumerate(page, 1)]
        encoded = [msgspec.json.encode(body) for body in shown]
        return self._page(asked, "hypervisors", encoded, "hypervisors_links", limit, [body["id"] for body in page])


def _wanted(servers: Iterable[Server], asked: Asked) -> Iterable[Server]:
    """The servers that the request's filters let through, as Nova combines them."""
    since, before = asked.time("changes-since"), asked.time("changes-before")
    sees_all = asked.token.sees_all
    project = None if asked.says("all_tenants") else asked.token.target or ""
    if sees_all and "project_id" in asked.query:
        project = asked.query["project_id"]
    if sees_all and "deleted" in asked.query:
        fates = {asked.says("deleted")}
    else:
        fates = {False} if since is None and before is None else {False, True}
    for server in servers:
        if server.listed_as_deleted not in fates or (project is not None and server.project != project):
            continue
        # Nova keeps a server that is not yet scheduled in another table, which knows no times of change.
        if since is not None and (server.changed < since or server.scheduling):
            continue
        if before is not None and server.changed > before:
            continue
        yield server


def _brief(server: Server) -> bytes:
    body = msgspec.json.decode(server.body)
    return msgspec.json.encode({name: body[name] for name in ("id", "name", "links")})


def _updated(listed: bytes) -> datetime:
    return instant(msgspec.json.decode(listed)["updated_at"])
