"""Serve HTTP/1.1 with keep-alive: requests in, answers out, each after its own delay."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

from msgspec import Struct

#: How an answer leaves: whole, with half of its body, or not at all.
Delivery = Literal["whole", "cut", "dropped"]


class Request(Struct, frozen=True):
    """One request; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def target(self) -> str:
        """The path with its query, as it was asked for."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Answer(Struct, frozen=True):
    """One answer; the delay is in seconds."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    delivery: Delivery = "whole"
    delay: float = 0.0

    def encoded(self) -> tuple[bytes, bytes]:
        """The head, which promises the whole body, and as much of the body as is delivered."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        body = self.body[: len(self.body) // 2] if self.delivery == "cut" else self.body
        return "\r\n".join([*lines, "", ""]).encode("latin-1"), body


class Connection(asyncio.Protocol):
    """One client's connection: answers its requests in order, and waits without holding up the others."""

    def __init__(self, respond: Callable[[Request], Answer], connections: "set[Connection]") -> None:
        self._respond = respond
        self._connections = connections
        self._buffer = bytearray()
        self._answering = False
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._answer_next()

    def _answer_next(self) -> None:
        while not self._answering and not self.transport.is_closing():
            try:
                request = _taken(self._buffer)
            except ValueError:
                self.transport.abort()
                return
            if request is None:
                return
            answer = self._answer_to(request)
            closes = request.headers.get("connection", "").lower() == "close"
            if answer.delay:
                self._answering = True
                self._loop.call_later(answer.delay, self._send_late, answer, closes)
            else:
                self._send(answer, closes)

    def _answer_to(self, request: Request) -> Answer:
        try:
            return self._respond(request)
        except Exception as error:
            self._loop.call_exception_handler({"message": f"no answer to {request.target}", "exception": error})
            return Answer(500, b"", content_type="text/plain")

    def _send_late(self, answer: Answer, closes: bool) -> None:
        self._answering = False
        if not self.transport.is_closing():
            self._send(answer, closes)
            self._answer_next()

    def _send(self, answer: Answer, closes: bool) -> None:
        if answer.delivery == "dropped":
            self.transport.abort()
            return
        self.transport.writelines(answer.encoded())
        if closes or answer.delivery == "cut":
            self.transport.close()


def _taken(buffer: bytearray) -> Request | None:
    """Take the first whole request out of the buffer."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = buffer[:end].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    start = end + 4
    stop = start + int(headers.get("content-length", 0))
    if len(buffer) < stop:
        return None
    body = bytes(buffer[start:stop])
    del buffer[:stop]
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, body)
