"""A session with one OpenStack cloud: credentials, endpoints, microversions, retries, and errors in plain words."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from keystoneauth1 import exceptions as failure
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import TCPKeepAliveAdapter
from openstack.config.cloud_region import CloudRegion

from collectors.http import Answer, time_of
from collectors.openstack.entry import region_of
from collectors.openstack.settings import OpenStackSource
from ledger import ConfigurationError, SourceUnavailable, XdmodCloudError

__all__ = ["Cloud", "Gone", "Microversion"]

Microversion = tuple[int, int]
T = TypeVar("T")

#: From 2.58 the list of actions says when each was last updated, and pages; older Novas need not be read any more.
LEAST: Microversion = (2, 58)
#: The newest whose answers were measured. 2.62 tells the hosts of an action's events.
BEST: Microversion = (2, 96)
#: From 2.88 Nova no longer says what a hypervisor holds.
LAST_WITH_HYPERVISOR_SIZES: Microversion = (2, 87)
#: Seconds to wait for a connection, and for the next bytes of an answer, where clouds.yaml has no `api_timeout`.
_PATIENCE = 60.0
_RETRIED = [429, 500, 502, 503, 504]
#: What an account that may not read lacks.
ROLE = "The account must be one that may read all projects; docs/openstack.md says how to make it."


class Gone(SourceUnavailable):
    """What was asked for is not there (404); an error only where it cannot have been deleted, as a list of servers."""


class Cloud:
    """Reads one cloud. Made by `Cloud.connect`; safe to use from several threads."""

    def __init__(self, name: str, region: CloudRegion, workers: int) -> None:
        self.name = name
        session = region.get_session()
        session.timeout = session.timeout or _PATIENCE
        for scheme in ("http://", "https://"):
            session.session.mount(scheme, TCPKeepAliveAdapter(pool_connections=4, pool_maxsize=workers))
        self._adapters = {service: self._adapter(region, service) for service in ("compute", "identity", "placement")}
        endpoint = self._endpoint()
        if endpoint is not None and endpoint.max_microversion is None:
            # The library takes a Nova that does not answer for one without microversions.
            self.get("compute", "/")
            endpoint = self._endpoint()
        if endpoint is None or endpoint.max_microversion is None:
            raise ConfigurationError(
                f'Cloud "{name}" has no Nova with microversions in region {region.region_name or "(any)"}.'
                " Set [[openstack]] region in the configuration."
            )
        self.range = _pair(endpoint.min_microversion or (2, 1)), _pair(endpoint.max_microversion)
        if self.range[1] < LEAST:
            raise ConfigurationError(
                f'Nova of cloud "{name}" knows microversions up to {_text(self.range[1])}; {_text(LEAST)} is needed.'
            )
        self.microversion = min(BEST, self.range[1])

    @classmethod
    def connect(cls, settings: OpenStackSource) -> Self:
        """Find the cloud in clouds.yaml or `OS_*` and log in.

        Raises ConfigurationError for a cloud, region or account that is not as the file says, SourceUnavailable where
        Keystone or Nova does not answer.
        """
        return cls(settings.cloud, region_of(settings), settings.workers)

    def get(self, service: str, path: str, microversion: Microversion | None = None) -> Answer:
        """Ask one thing of a service.

        Raises Gone for a 404, ConfigurationError where the account may not, and SourceUnavailable where the service
        fails in spite of retries.
        """
        headers = {"OpenStack-API-Version": f"{service} {_text(microversion)}"} if microversion else {}
        if service == "compute" and microversion:
            headers["X-OpenStack-Nova-API-Version"] = _text(microversion)
        with self._explained(service, path):
            response = self._adapters[service].get(path, headers=headers)
        return Answer(response.content, time_of(response.headers.get("Date")))

    def decoded(
        self, service: str, path: str, kind: type[T], microversion: Microversion | None = None
    ) -> tuple[T, datetime]:
        """Ask one thing, and read the answer as a JSON document of that shape.

        Raises what `get` raises, and SourceUnavailable for an answer of another shape.
        """
        body, at = self.get(service, path, microversion)
        try:
            return msgspec.json.decode(body, type=kind), at
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SourceUnavailable(
                f'{_SERVICES[service]} of cloud "{self.name}" answered GET {path} with something that cannot be read'
                f" ({error}; it begins {body[:60]!r}). Nothing was recorded; run again later."
            ) from error

    def paged(
        self, path: str, query: dict[str, str], kind: type[T], links: str, microversion: Microversion | None = None
    ) -> Iterator[tuple[T, datetime]]:
        """Ask Nova for a list, page by page, following the links that the pages carry in their field `links`."""
        asked, url = set[str](), f"{path}?{urlencode(query)}" if query else path
        while url not in asked:
            asked.add(url)
            page, at = self.decoded("compute", url, kind, microversion or self.microversion)
            yield page, at
            following = next((link for link in getattr(page, links) if link.get("rel") == "next"), None)
            if following is None:
                return
            if "href" not in following:
                raise SourceUnavailable(
                    f'Nova of cloud "{self.name}" answered GET {url} with a link to the next page that leads nowhere.'
                    " Nothing was recorded; run again later."
                )
            url = f"{path}?{urlsplit(following['href']).query}"
        raise SourceUnavailable(
            f'Nova of cloud "{self.name}" leads from page to page in a circle at {url}. Nothing was recorded.'
        )

    def _endpoint(self) -> Any:
        with self._explained("compute", "/"):
            return self._adapters["compute"].get_endpoint_data()

    def _adapter(self, region: CloudRegion, service: str) -> Adapter:
        return Adapter(
            region.get_session(),
            service_type=service,
            interface=region.get_interface(service),
            region_name=region.get_region_name(service),
            version=_VERSIONS[service],
            endpoint_override=region.get_endpoint(service),
            connect_retries=4,
            status_code_retries=4,
            retriable_status_codes=_RETRIED,
        )

    def _explained(self, service: str, what: str) -> "_Explained":
        return _Explained(self.name, service, what)


_VERSIONS = {"compute": "2.1", "identity": "3", "placement": "1"}
_SERVICES = {"compute": "Nova", "identity": "Keystone", "placement": "Placement"}


class _Explained:
    """Turns what keystoneauth raises into what an operator can act on."""

    def __init__(self, cloud: str, service: str, what: str) -> None:
        self.cloud, self.service, self.what = cloud, _SERVICES[service], what

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, failure.NotFound):
            raise Gone(
                f'{self.service} of cloud "{self.cloud}" does not know GET {self.what} ({_first_line(error)}). Nothing'
                " was recorded; if this stays so, correct the service's address in clouds.yaml or Keystone's catalog."
            ) from error
        if isinstance(error, failure.ClientException):
            raise self._explain(error) from error
        if type(error) is Exception:  # keystoneauth, where an entry lacks a user or a password
            raise ConfigurationError(
                f'Cloud "{self.cloud}" cannot log in: {error}. Write it in clouds.yaml, or in a secure.yaml in the same'
                " folders, or where OS_CLIENT_SECURE_FILE says."
            ) from error
        if isinstance(error, OSError):  # a file of certificates that is not there
            raise ConfigurationError(f'Cloud "{self.cloud}" in clouds.yaml cannot be used: {error}') from error

    def _explain(self, error: failure.ClientException) -> XdmodCloudError:
        of = f'{self.service} of cloud "{self.cloud}"'
        if isinstance(error, failure.Unauthorized):
            return ConfigurationError(
                f'Keystone of cloud "{self.cloud}" refuses the account: {_first_line(error)}'
                " Correct the password or application credential in clouds.yaml."
            )
        if isinstance(error, failure.DiscoveryFailure):
            return SourceUnavailable(
                f'Keystone of cloud "{self.cloud}" does not answer as one: {_first_line(error)} Nothing was recorded;'
                " correct auth_url in clouds.yaml, or run again later."
            )
        if isinstance(error, failure.Forbidden):
            return ConfigurationError(f"{of} forbids GET {self.what} to this account. {ROLE}")
        if isinstance(error, failure.EndpointNotFound | failure.catalog.CatalogException):
            return ConfigurationError(
                f'The catalog of cloud "{self.cloud}" has no {self.service} ({_first_line(error)}).'
                " Correct region or interface in clouds.yaml."
            )
        if isinstance(error, failure.HttpError) and error.http_status not in _RETRIED:
            return SourceUnavailable(
                f"{of} answered GET {self.what} with {error.http_status}: {_first_line(error)} Nothing was recorded."
            )
        return SourceUnavailable(
            f"{of} does not answer GET {self.what} ({_first_line(error)}). Nothing was recorded; run again later."
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _pair(version: tuple[int | float, ...]) -> Microversion:
    return int(version[0]), int(version[1])


def _text(microversion: Microversion | None) -> str:
    return ".".join(map(str, microversion or ()))
