"""XDMoD's database, read and never written: how many sessions its resources have."""

import os
from collections.abc import Iterable

from ledger import ConfigurationError
from operations.xdmod.settings import XdmodSettings
from reporter.xdmod.warehouse import Warehouse

__all__ = ["needed_url", "sessions", "url_of"]

VARIABLE = "XDMOD_CLOUD_XDMOD"
_COUNT = "SELECT resource_id, COUNT(*) FROM modw_cloud.session_records GROUP BY resource_id"


def url_of(settings: XdmodSettings) -> str | None:
    """The URL of XDMoD's database, from the configuration or the environment; none where nobody says it.

    Raises ConfigurationError where the file that holds it cannot be read.
    """
    if settings.url_file is not None:
        try:
            return settings.url_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"xdmod.url_file {settings.url_file} cannot be read: {error}") from error
    return settings.url or os.environ.get(VARIABLE) or None


def needed_url(settings: XdmodSettings) -> str:
    """The same, for whoever cannot do without. Raises ConfigurationError where nobody says it, too."""
    url = url_of(settings)
    if url is None:
        raise ConfigurationError(f"XDMoD's database is not named. Set [xdmod] url, or {VARIABLE}, or pass --xdmod.")
    return url


def sessions(settings: XdmodSettings, resources: Iterable[str]) -> dict[str, int]:
    """The number of sessions that XDMoD has of each resource; nothing where no database is configured.

    Raises ConfigurationError and SourceUnavailable as the warehouse does.
    """
    url = url_of(settings)
    if url is None:
        return {}
    with Warehouse.open(url) as warehouse:
        known = warehouse.resources()
        counted = {int(key): int(number) for key, number in warehouse.ask(_COUNT)}
        return {name: counted.get(known[name], 0) for name in resources if name in known}
