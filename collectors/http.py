"""A JSON service over HTTP: asked with patience, answered in types, its faults said in words that help an operator."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util import Retry

from ledger import ConfigurationError, SourceUnavailable, XdmodCloudError
from ledger.times import EPOCH

__all__ = ["Answer", "Missing", "Service", "said", "time_of"]

T = TypeVar("T")

#: Seconds to wait for a connection, and for the next bytes of an answer.
_PATIENCE = (10.0, 120.0)
_LONGEST_WAIT = 60.0
_RETRIED = (429, 500, 502, 503, 504)
_NOTHING = "Nothing was recorded; run again later."
#: Bytes of an answer that are handed on at once.
_PIECE = 1 << 22


class Answer(NamedTuple):
    """The body of an answer, and when it was given by the clock of whoever gave it (UTC; this machine's if unsaid)."""

    body: bytes
    at: datetime


class Missing(ConfigurationError):
    """What was asked for is not there (404): a wrong address, or something that has just been deleted."""


class Service:
    """Asks one service.

    `name` is what messages call it; `rights` says what an account lacks that is refused, and `broken` what to look at
    where the service answers 500. `patience` is how many seconds to wait for the next bytes of an answer; `authority`
    is the file of whoever vouches for the service.
    """

    def __init__(
        self,
        name: str,
        base: str,
        auth: AuthBase,
        rights: str,
        broken: str = "",
        patience: float = _PATIENCE[1],
        authority: Path | None = None,
    ) -> None:
        self.name, self.base, self._rights, self._broken = name, base.rstrip("/"), rights, broken
        self._patience = (_PATIENCE[0], patience)
        self._verify = str(authority) if authority else None
        self._session = _Session()
        self._session.auth = auth
        retries = _Patient(
            total=4, backoff_factor=0.5, status_forcelist=_RETRIED, allowed_methods=None, raise_on_status=False
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retries))

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Ask one thing.

        Raises ConfigurationError where the account or the address is wrong, and SourceUnavailable where the service
        fails in spite of retries.
        """
        response = self.send("GET", path, query=query)
        if response.status_code != requests.codes.ok:
            raise self.refused(path, response)
        return Answer(response.content, time_of(response.headers.get("Date")))

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """Ask, and return the answer whatever its status; with `stream`, before its body is read.

        What a form holds is told to no other address.

        Raises ConfigurationError where the address is wrong, and SourceUnavailable where nobody answers there.
        """
        asked = f"{method} {self.base}{path}"
        try:
            return self._session.request(
                method,
                f"{self.base}{path}",
                params=query,
                data=form,
                timeout=self._patience,
                allow_redirects=form is None,
                stream=stream,
                verify=self._verify,
            )
        except requests.RequestException as error:
            raise self._unreachable(asked, error) from error

    def pieces(self, path: str, response: requests.Response) -> Iterator[bytes]:
        """The body of an answer that is streamed. Raises SourceUnavailable where it breaks off."""
        try:
            yield from response.iter_content(_PIECE)
        except requests.RequestException as error:
            raise self._unreachable(f"{response.request.method} {self.base}{path} to the end", error) from error
        finally:
            response.close()

    def decoded(self, path: str, kind: type[T], query: Mapping[str, str] | None = None) -> tuple[T, datetime]:
        """Ask one thing, and read the answer as a JSON document of that shape.

        Raises what `get` raises, and SourceUnavailable for an answer of another shape.
        """
        body, at = self.get(path, query)
        return self.read(path, body, kind), at

    def read(self, path: str, body: bytes, kind: type[T], method: str = "GET") -> T:
        """Read an answer as a JSON document of that shape. Raises SourceUnavailable where it is none."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            what = "a web page instead of JSON" if body.lstrip()[:1] == b"<" else f"what cannot be read ({error})"
            raise SourceUnavailable(
                f"{self.name} answered {method} {path} with {what}; it begins {body[:60]!r}. Nothing was recorded;"
                f" check that {self.base} is its address, or run again later."
            ) from error

    def _unreachable(self, asked: str, error: requests.RequestException) -> XdmodCloudError:
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
            return ConfigurationError(f"{self.name}: {self.base} is no address that can be asked. Correct its url.")
        if isinstance(error, requests.exceptions.SSLError):
            return ConfigurationError(
                f"{self.name}: the certificate of {self.base} cannot be verified ({_first_line(error)})."
                f" Correct url, or name the authority's file in {'ca_file' if self._verify else 'REQUESTS_CA_BUNDLE'}."
            )
        return SourceUnavailable(f"{self.name} does not answer {asked} ({_first_line(error)}). {_NOTHING}")

    def refused(self, path: str, response: requests.Response) -> XdmodCloudError:
        """What an answer means that is not what was asked for."""
        code, why, asked = response.status_code, said(response), f"{response.request.method} {path}"
        if code == requests.codes.unauthorized:
            return ConfigurationError(f"{self.name} refuses the account at {asked} (401: {why}). {self._rights}")
        if code == requests.codes.forbidden:
            return ConfigurationError(f"{self.name} forbids {asked} to this account (403: {why}). {self._rights}")
        if code == requests.codes.not_found:
            return Missing(f"{self.name} does not know {asked} (404: {why}). Correct its url.")
        cause = f" {self._broken}" if self._broken and code == requests.codes.internal_server_error else ""
        return SourceUnavailable(f"{self.name} answered {asked} with {code}: {why}.{cause} {_NOTHING}")


class _Session(requests.Session):
    """Keeps the account when it is led elsewhere on a host, where requests would prefer one of ~/.netrc."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        if self.should_strip_auth(response.request.url, prepared_request.url):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)


class _Patient(Retry):
    """Waits as long as it is asked to, but not for hours: the lock is held meanwhile."""

    def get_retry_after(self, response: Any) -> float | None:
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, _LONGEST_WAIT)


def time_of(said: str | None) -> datetime:
    """What a `Date` header says, in UTC; this machine's time where it says none that can be one."""
    try:
        at = parsedate_to_datetime(said or "")
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return datetime.now(UTC)
    return at if at >= EPOCH else datetime.now(UTC)


def said(response: requests.Response) -> str:
    """What an error answer says in short: OAuth's and Django's fields, else how it begins."""
    try:
        fields = msgspec.json.decode(response.content, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        kind = "a web page" if response.content.lstrip()[:1] == b"<" else repr(response.content[:60])
        return f"{response.reason}, {kind}"
    for name in ("error_description", "detail", "error"):
        if text := fields.get(name):
            return " ".join(str(text).split()).rstrip(".")
    return response.reason


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
