"""A ColdFront of the tests' own with the allocation list of OpenStack and OpenShift sites, by its contract."""

import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec

from tests.real.keycloak import Fault, Keycloak

__all__ = ["NOT_FOUND", "PAGE", "Listing"]

Body = dict[str, Any]

PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>"
NOT_FOUND = {"detail": "Not found."}
#: What the list calls the attributes that matter, unless a site has other names.
ID, NAME = "Allocated Project ID", "Allocated Project Name"


@dataclass
class Listing:
    """Serves the list to whoever has a token of `trusted` for the scope openid. All may be changed while it runs.

    `at` is what the header `Date` says. A fault answers instead of the list, for as long as it is there.
    """

    trusted: Keycloak
    at: datetime | None = None
    projects: dict[int, Body] = field(default_factory=dict)
    allocations: dict[int, Body] = field(default_factory=dict)
    fault: Fault | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    id_attribute: str = ID
    name_attribute: str = NAME

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def project(self, id: int, title: str, pi: str | None, field_of_science: str | None = None, **more: Any) -> None:
        """Add a project, or replace one."""
        said = {"id": id, "title": title, "pi": pi, "field_of_science": field_of_science, "status": "Active"}
        self.projects[id] = {"description": "", **said, **more}

    def allocation(
        self, id: int, project: int, resource: str | None, cloud_project: str | None, name: str = "", **more: Any
    ) -> None:
        """Add an allocation, or replace one."""
        values = {self.id_attribute: cloud_project, self.name_attribute: name or cloud_project}
        self.allocations[id] = {
            "id": id,
            "project": project,
            "resource": resource and {"name": resource, "resource_type": "Cloud"},
            "status": "Active",
            "attributes": values if cloud_project else {},
            **more,
        }

    def answer(self, target: str, authorization: str | None) -> tuple[int, bytes]:
        """Answer one request."""
        self.asked.append((target, authorization))
        url = urlsplit(target)
        if self.fault:
            return self.fault.status, self.fault.body
        if url.path != "/api/allocations":
            return 404, msgspec.json.encode(NOT_FOUND)
        if not self.trusted.knows(authorization):
            return 401, msgspec.json.encode({"detail": "Invalid token."})
        if not self.trusted.knows(authorization, "openid"):
            return 500, PAGE
        return 200, msgspec.json.encode(self._list(everything=dict(parse_qsl(url.query)).get("all") == "true"))

    def _list(self, *, everything: bool) -> list[Body]:
        return [
            {**row, "project": self.projects[row["project"]]}
            for row in self.allocations.values()
            if everything or row["status"] == "Active"
        ]

    def __enter__(self) -> Self:
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="listing", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        status, body = self.server.listing.answer(self.path, self.headers.get("Authorization"))
        self.send_response(status, HTTPStatus(status).phrase)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        at = self.server.listing.at
        return super().date_time_string(timestamp) if at is None else format_datetime(at.astimezone(UTC), usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the log is `Listing.asked`."""
