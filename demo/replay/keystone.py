"""Answer as Keystone v3 does: discovery, tokens by password, projects, users and domains, and roles in them."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Struct

from demo.replay.roles import effective, nameless
from demo.replay.store import Body, Cloud
from demo.replay.wire import Answer, Request

Role = Literal["admin", "reader", "member"]
Scope = Literal["system", "domain", "project", "none"]

#: Long after any run: clients compare it with their own clock, not with the cloud's.
EXPIRY = "2099-12-31T23:59:59.000000Z"
UNAUTHORIZED = "The request you have made requires authentication."


class Account(Struct, frozen=True):
    """Who may log in, with the role held on every scope; a member's role holds on projects only.

    The project is what a member's clouds.yaml names: the first one unless given.
    """

    user: str = "xdmod-reader"
    password: str = "secret"
    role: Role = "reader"
    domain: str = "Default"
    project: str | None = None


class Token(Struct, frozen=True):
    """What a token allows."""

    account: Account
    scope: Scope
    target: str | None

    @property
    def sees_all(self) -> bool:
        """Whether all tenants' servers are shown: to an admin, and to a reader of the system."""
        return self.account.role == "admin" or (self.account.role == "reader" and self.scope == "system")


def json(status: int, body: Any, *headers: tuple[str, str]) -> Answer:
    """An answer whose body is JSON."""
    return Answer(status, msgspec.json.encode(body), headers)


def error(status: int, message: str, *headers: tuple[str, str]) -> Answer:
    """Keystone's form of an error."""
    phrase = HTTPStatus(status).phrase
    return json(status, {"error": {"code": status, "message": message, "title": phrase}}, *headers)


class Keystone:
    """The identity service of one cloud."""

    def __init__(
        self, cloud: Cloud, accounts: Sequence[Account], regions: Sequence[str], url: str, max_db_limit: int
    ) -> None:
        self._cloud = cloud
        self._max_db_limit = max_db_limit
        self._accounts = {account.user: account for account in accounts}
        self._url = url
        self._regions = regions
        self._tokens: dict[str, Token] = {}
        self._issued = 0

    def token(self, request: Request) -> Token | None:
        """What the request's token allows; nothing if it is unknown."""
        return self._tokens.get(request.headers.get("x-auth-token", ""))

    def revoke(self) -> None:
        """Forget all tokens, as when a cloud rotates its keys."""
        self._tokens.clear()

    def unauthorized(self) -> Answer:
        """What every service answers without a valid token."""
        return error(401, UNAUTHORIZED, ("WWW-Authenticate", f'Keystone uri="{self._url}/identity"'))

    def answer(self, request: Request) -> Answer:
        """Answer a request under /identity."""
        match request.path.strip("/").split("/")[1:]:
            case []:
                return json(300, {"versions": {"values": [self._version()]}})
            case ["v3"]:
                return json(200, {"version": self._version()})
            case ["v3", "auth", "tokens"] if request.method == "POST":
                return self._log_in(msgspec.json.decode(request.body))
            case ["v3", ("projects" | "users" | "domains") as kind, *rest] if len(rest) < 2:
                return self._refusal(request, kind, listing=not rest) or (
                    self._one(kind, rest[0]) if rest else self._list(kind, request.query)
                )
            case ["v3", "role_assignments"]:
                return self._refusal(request, "role_assignments", listing=True) or self._roles(request.query)
            case _:
                return error(404, "The resource could not be found.")

    def _version(self) -> Body:
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self._url}/identity/v3/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
        }

    def _log_in(self, body: Body) -> Answer:
        identity = body["auth"]["identity"]
        user = identity.get("password", {}).get("user", {})
        known = self._cloud.identities("users").get(user.get("id", ""), {})
        account = self._accounts.get(user.get("name") or known.get("name", ""))
        if identity["methods"] != ["password"] or account is None or account.password != user.get("password"):
            return self.unauthorized()
        domain = user.get("domain", {})
        if account.domain != (domain.get("name") or self._domain(domain.get("id"))["name"]):
            return self.unauthorized()
        scoped = self._scope(body["auth"].get("scope", {}), account)
        if scoped is None:
            return self.unauthorized()
        scope, target = scoped
        self._issued += 1
        token = f"gAAAAA-{self._issued:08d}"
        self._tokens[token] = Token(account, scope, target)
        return json(201, {"token": self._token_body(account, scope, target)}, ("X-Subject-Token", token))

    def _scope(self, asked: Body, account: Account) -> tuple[Scope, str | None] | None:
        match asked:
            case {"system": _}:
                return None if account.role == "member" else ("system", None)
            case {"project": project}:
                found = self._find("projects", project)
                return ("project", found) if found else None
            case {"domain": domain}:
                found = self._find("domains", domain)
                return ("domain", found) if found and account.role != "member" else None
            case _:
                return "none", None

    def _find(self, kind: str, asked: Body) -> str | None:
        """The id of the project or domain that is asked for by id, or by name and domain."""
        wanted = asked.get("domain", {})
        for id_, body in self._cloud.identities(kind).items():
            domain = self._domain(body.get("domain_id"))
            in_domain = not wanted or domain["id"] == wanted.get("id") or domain["name"] == wanted.get("name")
            if id_ == asked.get("id") or (body["name"] == asked.get("name") and in_domain):
                return id_
        return None

    def _domain(self, id_: str | None) -> Body:
        known = self._cloud.identities("domains").get(id_ or "default", {})
        return {"id": id_ or "default", "name": known.get("name", "Default")}

    def _token_body(self, account: Account, scope: Scope, target: str | None) -> Body:
        body: Body = {
            "methods": ["password"],
            "user": {
                "id": self._find("users", {"name": account.user}) or "0" * 32,
                "name": account.user,
                "domain": {"id": "default", "name": account.domain},
                "password_expires_at": None,
            },
            "audit_ids": [f"audit-{self._issued:08d}"],
            "expires_at": EXPIRY,
            "issued_at": self._cloud.now.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        }
        if scope == "none":
            return body
        body |= {"roles": [{"id": "1" * 32, "name": account.role}], "catalog": self._catalog()}
        match scope:
            case "system":
                body["system"] = {"all": True}
            case "domain":
                body["domain"] = self._domain(target)
            case "project" if target:
                project = self._cloud.identities("projects")[target]
                body["project"] = {"id": target, "name": project["name"], "domain": self._domain(project["domain_id"])}
        return body

    def _catalog(self) -> list[Body]:
        services = (("identity", "keystone", "/identity"), ("compute", "nova", "/compute/v2.1"))
        return [
            {
                "id": name,
                "type": kind,
                "name": name,
                "endpoints": [
                    {
                        "id": f"{name}-{region}-{interface}",
                        "interface": interface,
                        "region": region,
                        "region_id": region,
                        "url": self._url + path,
                    }
                    for region in self._regions
                    for interface in ("public", "internal", "admin")
                ],
            }
            for kind, name, path in (*services, ("placement", "placement", "/placement"))
        ]

    def _refusal(self, request: Request, kind: str, *, listing: bool) -> Answer | None:
        token = self.token(request)
        if token is None:
            return self.unauthorized()
        if token.account.role != "member":
            return None
        rule = f"identity:list_{kind}" if listing else f"identity:get_{kind[:-1]}"
        return error(403, f"You are not authorized to perform the requested action: {rule}.")

    def _list(self, kind: str, query: str) -> Answer:
        """A list, by pages if a `limit` is asked for. Projects that are domains have their own."""
        asked = dict(parse_qsl(query, keep_blank_values=True))
        as_domains = _wanted(asked, "is_domain")
        bodies = [
            body
            for body in self._cloud.identities(kind).values()
            if all(body[name] == asked[name] for name in ("name", "domain_id") if name in asked)
            and body.get("is_domain", False) == as_domains
        ]
        ids = [body["id"] for body in bodies]
        if (marker := asked.get("marker")) is not None:
            if marker not in ids:
                return error(404, f"Marker {marker} could not be found.")
            bodies = bodies[ids.index(marker) + 1 :]
        limit = min(int(asked.get("limit", self._max_db_limit)), self._max_db_limit)
        page = bodies[:limit]
        if "limit" not in asked or len(page) < limit:
            # Who asks for no pages is not told of what is left out.
            return json(200, {kind: page, "links": self._links(kind, query)})
        following = urlencode(asked | {"marker": page[-1]["id"], "limit": str(limit)})
        return json(200, {kind: page, "links": self._links(kind, query, following), "truncated": True})

    def _roles(self, query: str) -> Answer:
        """The list of roles, which has no pages and knows no limit."""
        asked = dict(parse_qsl(query, keep_blank_values=True))
        bodies: Sequence[Body] = self._cloud.assignments()
        if _wanted(asked, "effective"):
            bodies = effective(self._cloud, f"{self._url}/identity/v3")
        if not _wanted(asked, "include_names"):
            bodies = [nameless(body) for body in bodies]
        return json(200, {"role_assignments": bodies, "links": self._links("role_assignments", query)})

    def _links(self, kind: str, query: str, following: str | None = None) -> Body:
        path = f"{self._url}/identity/v3/{kind}"
        return {
            "next": f"{path}?{following}" if following else None,
            "self": f"{path}?{query}" if query else path,
            "previous": None,
        }

    def _one(self, kind: str, id_: str) -> Answer:
        body = self._cloud.identities(kind).get(id_)
        if body is None:
            return error(404, f"Could not find {kind[:-1]}: {id_}.")
        return json(200, {kind[:-1]: body})


def _wanted(asked: dict[str, str], name: str) -> bool:
    """Keystone takes a filter without a value, and with any but 0, even `false`, for a yes."""
    return asked.get(name, "0") != "0"
