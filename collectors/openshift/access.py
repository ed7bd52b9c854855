"""As whom a Prometheus is asked: with a token that may rotate at any time."""

from pathlib import Path

import requests
from requests.auth import AuthBase

from ledger import ConfigurationError

__all__ = ["RIGHTS", "Bearer", "Nobody"]

#: What an account needs.
RIGHTS = "Its service account needs the cluster role cluster-monitoring-view; write a valid token into token_file."


class Nobody(AuthBase):
    """No account. Without this, requests would add what ~/.netrc has for the host."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class Bearer(AuthBase):
    """The token of a file, read for each request. Raises ConfigurationError where the file holds none."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        return request

    def _token(self) -> str:
        try:
            token = self._file.read_text(encoding="ascii").strip()
        except OSError as error:
            raise ConfigurationError(
                f"openshift.token_file {self._file} cannot be read ({error.strerror}). Correct its path or its"
                " permissions."
            ) from error
        except UnicodeDecodeError:
            token = ""
        if not token or not (token.isprintable() and token.split() == [token]):
            # What stands there is not shown: part of it may be a token.
            raise ConfigurationError(
                f"openshift.token_file {self._file} holds no token. Write a bearer token into it, and nothing else."
            )
        return token
