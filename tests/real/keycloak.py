"""A Keycloak of the tests' own: a small server in a thread that keeps the contract of its token and admin API.

With what surprises about the real one: lists end after 100 rows (groups within groups: 10) unless more are asked for,
tokens are short-lived, groups come without those within them, and attributes may be hidden.
"""

import re
import socket
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_urlsafe
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit
from uuid import NAMESPACE_URL, uuid5

import msgspec

from collectors.keycloak import KeycloakSource

__all__ = ["Fault", "Keycloak", "Seen", "person"]

Body = dict[str, Any]

VIEW_USERS, QUERY_GROUPS = "view-users", "query-groups"
INSTITUTION, FIELD = "cilogon_idp_name", "mss_research_domain"
_NO_TOKEN = {"error": "HTTP 401 Unauthorized"}
_NOT_FOUND = {"error": "HTTP 404 Not Found"}


class Seen(NamedTuple):
    """One request and the status of its answer; the path with its query, and no credentials."""

    method: str
    path: str
    status: int


@dataclass
class Fault:
    """Answers requests in whose path `part` is found, instead of Keycloak; so many `times`, or for ever."""

    part: str
    status: int = 503
    body: bytes = b""
    times: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


class _Token(NamedTuple):
    end: float
    scopes: tuple[str, ...]


def person(number: int, **changes: Any) -> Body:
    """A user as Keycloak shows one. A change to None leaves the key out."""
    name = f"user-{number:05}"
    body = {
        "id": str(uuid5(NAMESPACE_URL, name)),
        "username": name,
        "firstName": f"First {number}",
        "lastName": f"Last {number}",
        "email": f"{name}@university.example",
        "emailVerified": True,
        "enabled": True,
        "createdTimestamp": 1_600_000_000_000 + number,
        "attributes": {INSTITUTION: [f"University {number % 7}"], FIELD: [f"field {number % 3}"]},
        **changes,
    }
    return {key: value for key, value in body.items() if value is not None}


@dataclass
class Keycloak:
    """Serves one realm. Everything but the address may be changed while it runs.

    `users` are listed in their order. A group is `{"name": …, "members": [user ids], "groups": [groups within]}`; its
    id and path are made of the names. `prefix` is "/auth" where paths begin so. `token_life` is in seconds of `clock`.
    `most` rows are handed out at once, whatever is asked for, and `cut` rows of a list at all. `delay` is seconds for
    each answer of the admin API. `old_groups` answers as before version 23. `at` is what the header `Date` says.
    """

    users: list[Body] = field(default_factory=list)
    groups: list[Body] = field(default_factory=list)
    realm: str = "cloud"
    client: str = "xdmod-cloud"
    secret: str = field(default_factory=token_urlsafe, repr=False)
    prefix: str = ""
    roles: set[str] = field(default_factory=lambda: {VIEW_USERS, QUERY_GROUPS})
    token_life: float = 300
    clock: Callable[[], float] = time.monotonic
    hidden_attributes: bool = False
    old_groups: bool = False
    most: int | None = None
    cut: int | None = None
    delay: float = 0
    at: datetime | None = None
    faults: list[Fault] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    _tokens: dict[str, _Token] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def url(self) -> str:
        """What a site's configuration says."""
        return f"http://127.0.0.1:{self._server.server_port}{self.prefix}"

    def source(self, folder: Path, **settings: Any) -> KeycloakSource:
        """Settings for this server; the secret is written to a file in the folder."""
        file = folder / "keycloak.secret"
        file.write_text(f"{self.secret}\n")
        return KeycloakSource(**{
            "url": self.url, "realm": self.realm, "client": self.client, "secret_file": file, **settings
        })  # fmt: skip

    def asked(self, part: str) -> list[Seen]:
        """The requests so far in whose path that is found."""
        return [seen for seen in self.requests if part in seen.path]

    def revoke(self) -> None:
        """Make all tokens that were handed out invalid."""
        self._tokens.clear()

    def knows(self, authorization: str | None, scope: str = "") -> bool:
        """Whether a header has a token that is valid now, and for that scope: for services that trust this Keycloak."""
        kind, _, name = (authorization or "").partition(" ")
        token = self._tokens.get(name)
        if kind != "Bearer" or token is None or token.end <= self.clock():
            return False
        return not scope or scope in token.scopes

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="keycloak", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def answer(self, method: str, target: str, authorization: str | None, form: bytes) -> Answer:
        """Answer one request, and keep it in the log."""
        answer = self._fault(target) or self._answer(method, target, authorization, form)
        with self._lock:
            self.requests.append(Seen(method, target, answer.status))
        return answer

    def _fault(self, target: str) -> Answer | None:
        with self._lock:
            for fault in self.faults:
                if fault.part in target and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return Answer(fault.status, fault.body, fault.headers)
        return None

    def _answer(self, method: str, target: str, authorization: str | None, form: bytes) -> Answer:
        url = urlsplit(target)
        realm, admin = f"{self.prefix}/realms/{self.realm}", f"{self.prefix}/admin/realms/{self.realm}/"
        if url.path == f"{realm}/protocol/openid-connect/token":
            return self._token(authorization, dict(parse_qsl(form.decode()))) if method == "POST" else _json(405, {})
        if url.path.startswith(f"{self.prefix}/realms/"):
            return _json(404, {"error": "Realm does not exist"})
        if not url.path.startswith(admin):
            return _json(404, _NOT_FOUND)
        if not self.knows(authorization):
            refusal = f'Bearer realm="{self.realm}", error="invalid_token", error_description="Token is not active"'
            return _json(401, _NO_TOKEN, {"WWW-Authenticate": refusal})
        time.sleep(self.delay)
        return self._admin(url.path.removeprefix(admin), dict(parse_qsl(url.query)))

    def _token(self, authorization: str | None, form: dict[str, str]) -> Answer:
        client, secret = form.get("client_id"), form.get("client_secret")
        if authorization is not None and authorization.startswith("Basic "):
            client, _, secret = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if form.get("grant_type") != "client_credentials":
            return _json(400, {"error": "unsupported_grant_type", "error_description": "Unsupported grant_type"})
        if (client, secret) != (self.client, self.secret):
            wrong = "Invalid client or Invalid client credentials"
            return _json(401, {"error": "unauthorized_client", "error_description": wrong})
        name, scopes = token_urlsafe(), tuple(form.get("scope", "").split())
        self._tokens[name] = _Token(self.clock() + self.token_life, scopes)
        return _json(200, {
            "access_token": name, "expires_in": self.token_life, "refresh_expires_in": 0, "token_type": "Bearer",
            "not-before-policy": 0, "scope": " ".join(("profile", "email", *scopes)),
        })  # fmt: skip

    def _admin(self, path: str, query: dict[str, str]) -> Answer:
        if path == "users/count":
            return self._guarded(VIEW_USERS, lambda: len(self.users))
        if path == "users":
            return self._guarded(VIEW_USERS, lambda: self._shown(self._page(self.users, query, 100), query))
        if path == "groups":
            return self._guarded(QUERY_GROUPS, lambda: self._page(list(self._groups(self.groups, "")), query, 100))
        if inside := re.fullmatch("groups/([^/]+)/(children|members)", path):
            group = next((group for group in self._all(self.groups, "") if group["id"] == inside[1]), None)
            if group is None:
                return _json(404, {"error": "Could not find group by id"})
            if inside[2] == "children" and self.old_groups:
                return _json(405, {"error": "HTTP 405 Method Not Allowed"})
            if inside[2] == "children":
                inner = list(self._groups(group["groups"], group["path"]))
                return self._guarded(VIEW_USERS, lambda: self._page(inner, query, 10))
            members = [user for user in self.users if user.get("id") in group["members"]]
            return self._guarded(VIEW_USERS, lambda: self._shown(self._page(members, query, 100), query))
        return _json(404, _NOT_FOUND)

    def _guarded(self, role: str, answer: Callable[[], object]) -> Answer:
        return _json(200, answer()) if role in self.roles else _json(403, {"error": "HTTP 403 Forbidden"})

    def _page(self, rows: Sequence[Body], query: dict[str, str], default: int) -> Sequence[Body]:
        first, wanted = int(query.get("first", 0)), int(query.get("max", default))
        until = len(rows) if wanted < 0 else first + min(wanted, self.most or wanted)
        return rows[: self.cut][first:until]

    def _shown(self, users: Sequence[Body], query: dict[str, str]) -> Sequence[Body]:
        if self.hidden_attributes or query.get("briefRepresentation") == "true":
            return [{key: value for key, value in user.items() if key != "attributes"} for user in users]
        return users

    def _all(self, groups: Iterable[Body], above: str) -> Iterator[Body]:
        for group in groups:
            path = f"{above}/{group['name']}"
            inner = group.get("groups", [])
            identity = str(uuid5(NAMESPACE_URL, path))
            yield {"members": [], **group, "id": identity, "path": path, "groups": inner}
            yield from self._all(inner, path)

    def _groups(self, groups: Iterable[Body], above: str) -> Iterator[Body]:
        """Groups as a list has them: those within are counted, or before version 23 told with them."""
        for group in groups:
            path, inner = f"{above}/{group['name']}", group.get("groups", [])
            shown = {"id": str(uuid5(NAMESPACE_URL, path)), "name": group["name"], "path": path}
            if self.old_groups:
                yield {**shown, "subGroups": list(self._groups(inner, path))}
            else:
                yield {**shown, "subGroupCount": len(inner), "subGroups": []}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, keycloak: Keycloak) -> None:
        self.keycloak, self._connections = keycloak, set[socket.socket]()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End connections that clients keep open: who asks after the end must not be answered."""
        for connection in list(self._connections):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one packet; else each answer would wait for the client's delayed acknowledgement.
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        form = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.keycloak.answer(self.command, self.path, self.headers.get("Authorization"), form)
        self.send_response(answer.status, HTTPStatus(answer.status).phrase)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        at = self.server.keycloak.at
        return super().date_time_string(timestamp) if at is None else format_datetime(at.astimezone(UTC), usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the log is `Keycloak.requests`."""


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, msgspec.json.encode(body), {"Content-Type": "application/json", **(headers or {})})
