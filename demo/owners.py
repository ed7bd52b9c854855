"""ColdFront and Keycloak beside the demo's cloud: their recorded answers, served below two paths of the same server."""

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from demo.replay import Answer, Body, Request
from demo.replay.store import instant

__all__ = ["CLIENT", "REALM", "RECORDING", "Owners"]

RECORDING = Path(__file__).with_name("owners.json")
REALM, CLIENT = "demo", "xdmod-cloud"
_USERS = f"/keycloak/admin/realms/{REALM}/users"


class Owners:
    """Answers as ColdFront and Keycloak do, by the newest snapshot that is not later than a clock.

    Both want the token that Keycloak gives for the secret, which is another one each time.
    """

    def __init__(self, clock: Callable[[], datetime], recording: Path = RECORDING) -> None:
        self.secret = token_urlsafe()
        self._clock, self._token = clock, token_urlsafe()
        self._snapshots: list[Body] = msgspec.json.decode(recording.read_bytes())["snapshots"]

    @property
    def mounts(self) -> Mapping[str, Callable[[Request], Answer]]:
        """What answers below /coldfront and /keycloak."""
        return {"coldfront": self._answer, "keycloak": self._answer}

    def write_secret(self, file: Path) -> None:
        """Write the secret to a file that nobody else can read."""
        file.touch(mode=0o600)
        file.write_text(f"{self.secret}\n")

    def _answer(self, request: Request) -> Answer:
        status, body = self._told(request)
        date = format_datetime(self._clock(), usegmt=True)
        return Answer(status, msgspec.json.encode(body), (("Date", date),))

    def _told(self, request: Request) -> tuple[int, Any]:
        if request.path == f"/keycloak/realms/{REALM}/protocol/openid-connect/token":
            return self._login(dict(parse_qsl(request.body.decode())))
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return 401, {"error": "HTTP 401 Unauthorized"}
        query, shown = dict(parse_qsl(request.query)), self._shown()
        if request.path == "/coldfront/api/allocations":
            everything = query.get("all") == "true"
            return 200, [one for one in shown["allocations"] if everything or one["status"] == "Active"]
        if request.path == f"{_USERS}/count":
            return 200, len(shown["users"])
        if request.path == _USERS:
            first = int(query.get("first", 0))
            return 200, shown["users"][first : first + int(query.get("max", 100))]
        return 404, {"error": "HTTP 404 Not Found"}

    def _login(self, form: Mapping[str, str]) -> tuple[int, Body]:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, self.secret):
            wrong = "Invalid client or Invalid client credentials"
            return 401, {"error": "unauthorized_client", "error_description": wrong}
        return 200, {"access_token": self._token, "expires_in": 300, "token_type": "Bearer", "scope": form.get("scope")}

    def _shown(self) -> Body:
        past = [one for one in self._snapshots if instant(one["at"]) <= self._clock()]
        return past[-1] if past else self._snapshots[0]
