"""Asks a Prometheus or a Thanos, and hands its series on while they arrive: no answer is ever held as a whole."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

import msgspec
import requests
from msgspec import Raw, Struct

from collectors.http import Service, time_of
from collectors.openshift.access import RIGHTS, Bearer, Nobody
from collectors.openshift.grid import Grid, UnusableSeries
from collectors.openshift.settings import OpenShiftSource
from ledger import ConfigurationError, SourceUnavailable, XdmodCloudError
from ledger.times import iso_seconds

__all__ = ["Labels", "PodLabels", "Prometheus", "Series"]

Labels = dict[str, str]
L = TypeVar("L")
R = TypeVar("R")

_RANGE, _NOW = "/api/v1/query_range", "/api/v1/query"
#: Prometheus and Thanos write no blanks; inside a text, the quotation mark could not stand without a backslash.
_FIRST, _NEXT = b'{"metric":', b']]},{"metric":'
#: So often is a query asked again whose answer breaks off, after so many seconds each time.
_PAUSES = (1.0, 5.0)
#: The server is given so many seconds more than a query may take: it gives up first, and says why.
_GRACE = 30.0
_TOO_MUCH = (requests.codes.bad_request, requests.codes.unprocessable_entity)


class PodLabels(Struct, gc=False):
    """The labels that tell of a pod; one that is absent is the same as one that is empty."""

    namespace: str = ""
    pod: str = ""
    uid: str = ""
    node: str = ""
    resource: str = ""
    unit: str = ""
    phase: str = ""
    created_by_kind: str = ""
    created_by_name: str = ""


class Series(Struct, Generic[L], gc=False):
    """One series of an answer; its values as they were sent."""

    metric: L
    values: Raw


class _Data(Struct, Generic[L], rename="camel"):
    result_type: str
    result: list[Series[L]]


class _Answer(Struct, Generic[L], rename="camel"):
    status: str
    data: _Data[L] | None = None
    warnings: list[str] | None = None
    is_partial: bool = False
    error: str = ""


class _Said(Struct):
    status: str
    error: str = ""


class _BrokenOff(SourceUnavailable):
    """An answer whose end did not come."""


class Prometheus:
    """One server. `at` is its time (UTC) when it was first asked."""

    def __init__(self, settings: OpenShiftSource) -> None:
        """Raises ConfigurationError where the settings name no server, or a file that is not there."""
        self.name = f'Prometheus of "{settings.name}"'
        if settings.url is None:
            raise ConfigurationError(
                f'[[openshift]] "{settings.name}" names no server to read. Set url to that of its Prometheus or Thanos.'
            )
        if settings.ca_file and not settings.ca_file.is_file():
            raise ConfigurationError(f"openshift.ca_file {settings.ca_file} is no file. Correct its path.")
        auth = Bearer(settings.token_file) if settings.token_file else Nobody()
        self._timeout = settings.timeout_seconds
        patience = self._timeout + _GRACE
        self._service = Service(self.name, settings.url, auth, RIGHTS, patience=patience, authority=settings.ca_file)

    def now(self) -> datetime:
        """The server's time (UTC). Raises what `read` raises."""
        response = self._ask(_NOW, {"query": "time()"})
        body = b"".join(self._service.pieces(_NOW, response))
        answer = self._service.read(_NOW, body, _Said, "POST")
        self._check("time()", answer.status, answer.error, None, partial=False)
        return time_of(response.headers.get("Date"))

    def read(self, query: str, grid: Grid, labels: type[L], take: Callable[[Iterable[Series[L]]], R]) -> R:
        """Ask for the samples of a query at the points of a grid, and give what `take` makes of them.

        `take` is called again, from the beginning, where an answer breaks off. Raises SourceUnavailable where the
        server fails, tells less than it has, or answers what cannot be used, and ConfigurationError where the account
        or the address is wrong: nothing of the answer may then be believed.
        """
        for pause in (*_PAUSES, None):
            try:
                return take(self._series(query, grid, labels))
            except _BrokenOff:
                if pause is None:
                    raise
                time.sleep(pause)
            except UnusableSeries as error:
                raise SourceUnavailable(
                    f"{self.name} answers {query} with {error}. Nothing was recorded; if this stays so, look at what"
                    " stands between it and here."
                ) from error
        raise AssertionError

    def _series(self, query: str, grid: Grid, labels: type[L]) -> Iterator[Series[L]]:
        form = {
            "query": query,
            "start": iso_seconds(grid.since),
            "end": iso_seconds(grid.until),
            "step": str(grid.seconds),
            "timeout": f"{self._timeout}s",
            # Thanos: replicas count once, and an answer without some of its stores is none.
            "dedup": "true",
            "partial_response": "false",
        }
        response = self._ask(_RANGE, form)
        several = msgspec.json.Decoder(list[Series[labels]])  # type: ignore[valid-type]
        whole = msgspec.json.Decoder(_Answer[labels])  # type: ignore[valid-type]
        rest, head = bytearray(), b""
        for piece in self._pieces(response):
            rest += piece
            if not head and (begins := rest.find(_FIRST)) >= 0:
                head = bytes(rest[:begins])
                del rest[:begins]
            if head and (ends := rest.rfind(_NEXT)) >= 0:
                yield from self._decoded(several, b"[%b]" % bytes(rest[: ends + 3]), query)
                del rest[: ends + 4]
        answer = self._decoded(whole, head + rest, query)
        self._check(query, answer.status, answer.error, answer.warnings, partial=answer.is_partial)
        if answer.data is None or answer.data.result_type != "matrix":
            raise SourceUnavailable(f"{self.name} answers {query} with no matrix of samples. Nothing was recorded.")
        yield from answer.data.result

    def _pieces(self, response: requests.Response) -> Iterator[bytes]:
        try:
            yield from self._service.pieces(_RANGE, response)
        except SourceUnavailable as error:
            raise _BrokenOff(str(error)) from error

    def _decoded(self, decoder: msgspec.json.Decoder[R], text: bytes | bytearray, query: str) -> R:
        try:
            return decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            page = text.lstrip()[:1] == b"<"
            what = "a web page instead of JSON" if page else f"what cannot be read ({error})"
            final = page or isinstance(error, msgspec.ValidationError)
            raise (SourceUnavailable if final else _BrokenOff)(
                f"{self.name} answers {query} with {what}; it begins {bytes(text[:60])!r}. Nothing was recorded; check"
                f" that {self._service.base} is its address, or run again later."
            ) from error

    def _ask(self, path: str, form: dict[str, str]) -> requests.Response:
        response = self._service.send("POST", path, form=form, stream=True)
        if response.status_code == requests.codes.unauthorized:
            # The token may have been renewed since it was read.
            response.close()
            response = self._service.send("POST", path, form=form, stream=True)
        if response.status_code != requests.codes.ok:
            raise self._refused(path, form["query"], response)
        return response

    def _refused(self, path: str, query: str, response: requests.Response) -> XdmodCloudError:
        if response.is_redirect:
            there = response.headers["Location"].partition("?")[0]
            return ConfigurationError(f"{self.name} sends whoever asks POST {path} to {there}. Correct url. {RIGHTS}")
        refused = self._service.refused(path, response)
        if response.status_code in _TOO_MUCH:
            return SourceUnavailable(f"{refused} The query was {query}; with a lower window_hours, less is asked for.")
        return refused

    def _check(self, query: str, status: str, error: str, warnings: list[str] | None, *, partial: bool) -> None:
        if status != "success":
            raise SourceUnavailable(f"{self.name} answers {query} with an error: {error}. Nothing was recorded.")
        if warnings or partial:
            said = "; ".join(" ".join(warning.split()) for warning in warnings or ["it is partial"])
            raise SourceUnavailable(
                f"{self.name} warns that its answer to {query} is incomplete: {said}. Nothing was recorded; run again"
                " later."
            )
