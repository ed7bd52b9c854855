"""One reading of a ColdFront, by whichever of the two APIs it has."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct
from requests.auth import AuthBase

from collectors.coldfront.account import RIGHTS, account
from collectors.coldfront.core import read_core
from collectors.coldfront.listed import told_by_list
from collectors.coldfront.settings import ColdFrontSource
from collectors.http import Service
from collectors.told import Told
from ledger import ConfigurationError, SourceUnavailable
from ledger.counts import counted

__all__ = ["read_coldfront"]

#: Without a slash at its end this is the list of OpenStack and OpenShift sites; the core API leads on to its own.
_PATH = "/api/allocations"
#: Sites with that list check the login at Keycloak, and fail in one way for all that can be wrong with it.
_LOGIN = (
    "The likely cause: the Keycloak token was requested without the scope openid, or ColdFront's identity provider does"
    " not answer."
)
_NO_MAIL = 'If it says "Login failed", the service account has no e-mail claim in its token: give it an e-mail address.'


def read_coldfront(
    settings: ColdFrontSource, login: AuthBase | None, progress: Callable[[str, int, int], None]
) -> Told:
    """Read all projects and allocations of a ColdFront, and with the core API the members of projects.

    Asks with the token of `settings.token_file`, else by `login`. `progress` is told what is being read, how many are
    done and of how many. Rows that cannot be read are `rejected`; `kinds` then lacks what is not whole without them.

    Raises ConfigurationError where the account or the address is wrong, and SourceUnavailable for an answer that cannot
    be right, or none.
    """
    file = settings.token_file
    rights = f"Check the token in {file}." if file else _NO_MAIL
    service = Service(
        name=f"ColdFront at {settings.url}",
        base=settings.url,
        auth=account(settings, login),
        rights=f"{rights} {RIGHTS}",
        broken="" if file else _LOGIN,
    )
    progress("allocations", 0, 0)
    body, at = service.get(_PATH, {"all": "true"})
    if _is_list_of_sites(service, body):
        told = told_by_list(service, _PATH, body, at, settings)
        progress("allocations", len(told.records), len(told.records))
    else:
        told = read_core(service, at, settings, progress)
    if not told.records:
        raise SourceUnavailable(
            f"{service.name}: none of {counted(len(told.rejected), 'rows')} can be read. Nothing was recorded. The"
            f" first: {told.rejected[0].reason}"
        )
    if told.rejected:
        told.warnings.append(
            f"{service.name}: {counted(len(told.rejected), 'rows')} cannot be read. Until all can, what ColdFront lists"
            " no more is kept."
        )
    return told


class _Row(Struct):
    project: Raw = Raw(b"null")


#: What a JSON value is, by its first byte.
_SHAPES = {b"{": "an object", b'"': "a string", b"[": "a list", b"n": "missing", b"t": "true", b"f": "false"}


def _is_list_of_sites(service: Service, body: bytes) -> bool:
    """Tell the allocation list of OpenStack and OpenShift sites from the core API, by what a row's project is.

    Raises SourceUnavailable for an answer of neither, and ConfigurationError for one without allocations.
    """
    try:
        rows = msgspec.json.decode(body, type=list[_Row])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _foreign(service, _described(service.read(_PATH, body, Any))) from None
    if not rows:
        raise ConfigurationError(
            f"{service.name} lists no allocation at all. ColdFront answers so, or with a part, to an account that may"
            f" not see all. {RIGHTS}"
        )
    shapes = {_SHAPES.get(bytes(row.project)[:1], "a number") for row in rows}
    if shapes - {"missing"} == {"an object"}:
        return True
    if shapes - {"missing"} == {"a string"}:
        return False
    raise _foreign(service, f"a list of objects whose project is {_or(shapes)}")


def _described(answer: object) -> str:
    if isinstance(answer, dict):
        said = answer.get("detail")
        return f'an object that says "{said}"' if said else f"an object with {', '.join(answer) or 'nothing in it'}"
    if isinstance(answer, list):
        return "a list of which not every element is an object"
    return f"the value {answer!r:.60}"


def _or(words: Iterable[str]) -> str:
    return " or ".join(sorted(words))


def _foreign(service: Service, found: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"{service.name} answered GET {_PATH} with {found}, which is neither ColdFront's core API nor the allocation"
        f" list of OpenStack and OpenShift sites. Nothing was recorded; check that {service.base} is its address."
    )
