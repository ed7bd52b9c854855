"""The server of one cloud: in a thread beside a test, or as a process."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from msgspec.structs import replace

from demo.replay import placement
from demo.replay.faults import FaultHook
from demo.replay.keystone import Account, Keystone
from demo.replay.nova import NEWEST, Nova
from demo.replay.shapes import Microversion
from demo.replay.store import Body, Cloud, Recording
from demo.replay.wire import Answer, Connection, Request


class Seen(NamedTuple):
    """One request as the server saw it; the path with its query."""

    method: str
    path: str


class Replay:
    """Serve a recording, or any cloud, as Keystone, Nova and Placement would.

    `delay` is seconds for each answer; Nova lists no more than `max_limit` at once, and Keystone `max_db_limit`.
    """

    def __init__(
        self,
        cloud: Cloud | Recording | Body | Path,
        *,
        delay: float = 0.0,
        port: int = 0,
        accounts: Sequence[Account] = (Account(),),
        regions: Sequence[str] = ("RegionOne",),
        max_limit: int = 1000,
        max_db_limit: int = 1000,
        newest: Microversion = NEWEST,
        mounts: Mapping[str, Callable[[Request], Answer]] | None = None,
    ) -> None:
        if isinstance(cloud, Path):
            cloud = Recording.read(cloud)
        self.cloud: Cloud = Recording(cloud) if isinstance(cloud, dict) else cloud
        self.delay = delay
        self.requests: list[Seen] = []
        self._port = port
        self._accounts = accounts
        self._regions = regions
        self._max_limit = max_limit
        self._max_db_limit = max_db_limit
        self._newest = newest
        self._mounts = mounts or {}
        self._fault: FaultHook | None = None
        self._asked: Counter[str] = Counter()
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    @property
    def at(self) -> datetime:
        """The cloud's clock."""
        return self.cloud.now

    @at.setter
    def at(self, moment: datetime) -> None:
        self.cloud.now = moment

    @property
    def fault(self) -> FaultHook | None:
        """What goes wrong; setting it starts counting how often a path is asked anew."""
        return self._fault

    @fault.setter
    def fault(self, hook: FaultHook | None) -> None:
        self._asked.clear()
        self._fault = hook

    def revoke_tokens(self) -> None:
        """Make all tokens that were handed out invalid."""
        self._keystone.revoke()

    def clouds_yaml(self, path: Path, *, name: str = "demo") -> Path:
        """Write a clouds.yaml for the first account: system scope, or its project scope if it is a member."""
        account = self._accounts[0]
        if account.role == "member":
            project = account.project or next(iter(self.cloud.identities("projects").values()))["name"]
            scope = f"project_name: {project}, project_domain_name: {account.domain}"
        else:
            scope = "system_scope: all"
        path.write_text(
            f"clouds:\n  {name}:\n    auth: {{auth_url: '{self.url}/identity/v3', username: {account.user}, "
            f"password: {account.password}, user_domain_name: {account.domain}, {scope}}}\n"
            f"    region_name: {self._regions[0]}\n    identity_api_version: 3\n"
        )
        return path

    def start(self) -> Self:
        """Listen, and answer in a background thread."""
        listening = self._loop.create_server(self._connection, "127.0.0.1", self._port, backlog=1024)
        server = self._loop.run_until_complete(listening)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._keystone = Keystone(self.cloud, self._accounts, self._regions, self.url, self._max_db_limit)
        self._nova = Nova(self.cloud, self.url, max_limit=self._max_limit, newest=self._newest)
        self._server = server
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._loop.call_soon_threadsafe(self._close)
        self._thread.join()

    def wait(self) -> None:
        """Serve until interrupted."""
        with suppress(KeyboardInterrupt):
            while self._thread.is_alive():
                self._thread.join(1)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def _close(self) -> None:
        self._server.close()
        for connection in list(self._connections):
            connection.transport.abort()
        # One more turn of the loop lets the aborted transports close their sockets.
        self._loop.call_soon(self._loop.stop)

    def _connection(self) -> Connection:
        return Connection(self._respond, self._connections)

    def _respond(self, request: Request) -> Answer:
        service = request.path.split("/", 2)[1]
        if service in self._mounts:
            return self._mounts[service](request)
        self.requests.append(Seen(request.method, request.target))
        answer = self._answer(service, request)
        date = format_datetime(self.cloud.now, usegmt=True)
        answer = replace(answer, headers=(("Date", date), *answer.headers), delay=self.delay)
        if self._fault is None:
            return answer
        self._asked[request.path] += 1
        fault = self._fault(request.method, request.path, request.query, self._asked[request.path])
        return fault.spoil(answer) if fault else answer

    def _answer(self, service: str, request: Request) -> Answer:
        if service == "identity":
            return self._keystone.answer(request)
        token = self._keystone.token(request)
        if service == "compute":
            return self._nova.answer(request, token, self._keystone.unauthorized)
        if service == "placement":
            if request.path.strip("/") == "placement":
                return placement.versions()
            return placement.answer(self.cloud, request) if token else self._keystone.unauthorized()
        return Answer(404, b"", content_type="text/html")
