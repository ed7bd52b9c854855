"""As whom a ColdFront is asked."""

from pathlib import Path

import requests
from requests.auth import AuthBase

from collectors.coldfront.settings import ColdFrontSource
from ledger import ConfigurationError

__all__ = ["RIGHTS", "account"]

#: What an account needs; one that lacks it is often not refused, but told less.
RIGHTS = (
    "The account must have can_view_all_allocations and can_view_all_projects in ColdFront; for the allocation list of"
    " OpenStack and OpenShift sites it must be staff."
)


def account(settings: ColdFrontSource, login: AuthBase | None) -> AuthBase:
    """The token of the configuration, else the login at Keycloak.

    Raises ConfigurationError where there is neither, or the file holds no token.
    """
    if settings.token_file is not None:
        return _Token(_read(settings.token_file))
    if login is None:
        raise ConfigurationError(
            f"Nothing says as whom {settings.name} at {settings.url} is to be asked. Set coldfront.token_file, or add a"
            " [keycloak] table, in the configuration."
        )
    return login


class _Token(AuthBase):
    def __init__(self, token: str) -> None:
        self._header = f"Token {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def _read(file: Path) -> str:
    try:
        token = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigurationError(
            f"coldfront.token_file {file} cannot be read ({error.strerror}). Correct its path or its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"coldfront.token_file {file} holds more than a token. {_WANTED}") from error
    if not token:
        raise ConfigurationError(f"coldfront.token_file {file} is empty. {_WANTED}")
    if not (token.isprintable() and token.split() == [token]):
        raise ConfigurationError(f"coldfront.token_file {file} holds blanks inside the token. {_WANTED}")
    return token


_WANTED = "Write the API token of ColdFront's account into it, and nothing else."
