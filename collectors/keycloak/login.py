"""The token of a service account: fetched with the client's secret, renewed before it expires or when refused."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import requests
from msgspec import Meta, Struct
from requests.auth import AuthBase

from collectors.http import Service, said
from collectors.keycloak.settings import KeycloakSource
from ledger import ConfigurationError, SourceUnavailable, XdmodCloudError

__all__ = ["Login"]

#: Seconds before its end at which a token is renewed; short lives are renewed after nine tenths.
_MARGIN = 30.0
_NOTHING = "Nothing was recorded; run again later."
_REFUSALS = (requests.codes.bad_request, requests.codes.unauthorized, requests.codes.forbidden)


class _Token(Struct):
    # What else a token might hold could not be sent in a header, and the complaint about it would show the token.
    access_token: Annotated[str, Meta(pattern="^[!-~]+$")]
    expires_in: float = 60.0


class Login(AuthBase):
    """Signs requests with the token of one client of a realm; may sign those to several services, from several threads.

    Its first request to sign asks for the first token. Signing raises ConfigurationError where the secret's file, the
    address, the realm or the client is wrong, and SourceUnavailable where Keycloak fails; neither shows the secret.
    `clock` tells seconds.
    """

    def __init__(self, settings: KeycloakSource, clock: Callable[[], float] = monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._service = Service(f'Keycloak "{settings.name}"', settings.url, _Unsigned(), rights="")
        self._path = f"/realms/{quote(settings.realm, safe='')}/protocol/openid-connect/token"
        self._lock = Lock()
        self._header: str | None = None
        self._renewal = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._current()
        request.register_hook("response", self._answered)  # type: ignore[no-untyped-call]
        return request

    def _answered(self, response: requests.Response, **how: Any) -> requests.Response:
        """Ask once more with a new token where the old one was refused: a Keycloak that restarts forgets its tokens."""
        refused = response.request.headers.get("Authorization")
        if response.status_code != requests.codes.unauthorized or refused is None:
            # Without the header it is another host, to which a redirect led; the token is not for it.
            return response
        again = response.request.copy()
        again.headers["Authorization"] = self._current(refused)
        response.close()
        answer: requests.Response = response.connection.send(again, **how)
        answer.request = again
        return answer

    def _current(self, refused: str | None = None) -> str:
        with self._lock:
            now = self._clock()
            if self._header is None or self._header == refused or now >= self._renewal:
                token = self._ask()
                self._header = f"Bearer {token.access_token}"
                self._renewal = now + token.expires_in - min(_MARGIN, token.expires_in / 10)
            return self._header

    def _ask(self) -> _Token:
        form = {
            "grant_type": "client_credentials",
            "scope": "openid",
            "client_id": self._settings.client,
            "client_secret": self._secret(),
        }
        response = self._service.send("POST", self._path, form=form)
        if response.status_code != requests.codes.ok:
            raise self._refused(response)
        try:
            return msgspec.json.decode(response.content, type=_Token)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            what = "a web page" if response.content.lstrip()[:1] == b"<" else f"no token ({error})"
            raise SourceUnavailable(
                f"{self._service.name} answered POST {self._service.base}{self._path} with {what}."
                " Nothing was recorded; check its url, or run again later."
            ) from error

    def _secret(self) -> str:
        file = self._settings.secret_file
        try:
            secret = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigurationError(
                f"The secret of client {self._settings.client} cannot be read from {file} ({why})."
                " Correct the file or secret_file."
            ) from None
        if not secret:
            raise ConfigurationError(f"{file} is empty; write the secret of client {self._settings.client} into it.")
        return secret

    def _refused(self, response: requests.Response) -> XdmodCloudError:
        code, realm, client = response.status_code, self._settings.realm, self._settings.client
        of, where = self._service.name, f"POST {self._service.base}{self._path}"
        if code == requests.codes.not_found:
            return ConfigurationError(
                f'{of} has no realm "{realm}" at {self._service.base} (404: {said(response)}). Correct url or realm;'
                " the url of a Keycloak up to version 16, and of sites that kept its paths, ends in /auth."
            )
        if response.is_redirect:
            there = response.headers["Location"].partition("?")[0]
            return ConfigurationError(f"{of} sends whoever asks {where} to {there}. Correct its url.")
        if code in _REFUSALS:
            return ConfigurationError(
                f'{of} refuses client "{client}" at {where} ({code}: {said(response)}). Correct client or the secret in'
                f" {self._settings.secret_file}, or let the client have a service account."
            )
        return SourceUnavailable(f"{of} answered {where} with {code}: {said(response)}. {_NOTHING}")


class _Unsigned(AuthBase):
    """No account: the form has the secret, and without this requests would add what ~/.netrc has for the host."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request
