"""A cloud's entry in clouds.yaml: found, read, and what is wrong with it in plain words."""

import os
from pathlib import Path
from typing import Any

from keystoneauth1.exceptions import ClientException
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from openstack.config.loader import CONFIG_FILES
from openstack.exceptions import ConfigException

from collectors.openstack.settings import OpenStackSource
from ledger import ConfigurationError

__all__ = ["region_of"]

#: The library's entry for `OS_*`, and the one that it invents where it finds no other.
_ENVIRONMENT, _INVENTED = "envvars", "defaults"
#: What the library raises for a file of another shape than it expects.
_ODD = (ConfigException, ClientException, AttributeError, KeyError, TypeError, ValueError)
_LONGEST_TIMEOUT = 86400.0
_REGIONS = "An entry that serves several regions lists them under `regions`, and has no `region_name`."


def region_of(settings: OpenStackSource) -> CloudRegion:
    """The cloud and region that the settings name, from clouds.yaml or `OS_*`; nothing is asked of the cloud yet.

    Raises ConfigurationError, naming the file, for an entry that is not there or cannot be used.
    """
    try:
        config = OpenStackConfig()
    except _ODD as error:
        raise ConfigurationError(
            f"{_present() or 'The environment (OS_*)'} cannot be used: {_said(error)}."
            " What stands under `clouds` must be entries by name, as OpenStack's documentation of clouds.yaml shows."
        ) from error
    file, name = config.config_filename, settings.cloud
    clouds = config.cloud_config["clouds"]
    names = [known for known in clouds if known != _INVENTED or clouds[known] != config.defaults]
    if name not in names:
        raise _absent(settings, file, names)
    # What is in secure.yaml is there without a clouds.yaml, too.
    said_in = "the environment (OS_*)" if name == _ENVIRONMENT else file or "secure.yaml, without a clouds.yaml,"
    where = f'Cloud "{name}" in {said_in}'
    if not isinstance(clouds[name], dict):
        raise ConfigurationError(f"{where} cannot be used: its entry holds no settings. Write auth and what it needs.")
    try:
        region = config.get_one(name, region_name=settings.region)
        _check_timeout(region.config.get("api_timeout"))
        region.get_session()
    except _ODD as error:
        hint = f" {_REGIONS}" if "valid region name" in str(error) else " Correct this entry."
        raise ConfigurationError(f"{where} cannot be used: {_said(error)}.{hint}") from error
    return region


def _check_timeout(seconds: Any) -> None:
    """Raise ConfigException for an `api_timeout` that is not a number of seconds."""
    try:
        fits = seconds is None or 0 <= float(seconds) <= _LONGEST_TIMEOUT
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ConfigException(f"its api_timeout, {seconds!r}, is no number of seconds up to a day")


def _absent(settings: OpenStackSource, file: str | None, names: list[str]) -> ConfigurationError:
    wanted, way_out = settings.cloud, f'Set cloud of [[openstack]] "{settings.name}" in the configuration'
    if wanted == _ENVIRONMENT:
        return ConfigurationError(
            f"The environment names no cloud. Set OS_AUTH_URL and its like, or {_lower(way_out)}."
        )
    if file:
        return ConfigurationError(
            f'{file} has no cloud "{wanted}" (it has: {", ".join(sorted(names)) or "none"}). {way_out}.'
        )
    if unread := _present():
        return ConfigurationError(
            f'{unread} cannot be read as YAML, so there is no cloud "{wanted}". Correct it or its rights.'
        )
    places = list(dict.fromkeys(str(Path(place).parent) for place in CONFIG_FILES))
    looked = os.environ.get("OS_CLIENT_CONFIG_FILE")
    return ConfigurationError(
        f'There is no clouds.yaml, so there is no cloud "{wanted}" (looked for {f"{looked} and " if looked else ""}'
        f"clouds.yaml in {', '.join(places)}). Put it there, or name it in OS_CLIENT_CONFIG_FILE."
    )


def _present() -> str | None:
    """The first of the files that the library would read."""
    places = [os.environ.get("OS_CLIENT_CONFIG_FILE"), *CONFIG_FILES]
    return next((place for place in places if place and Path(place).exists()), None)


def _said(error: Exception) -> str:
    text = " ".join(str(error).split()).removesuffix(".")
    return text if isinstance(error, ConfigException | ClientException) else f"{type(error).__name__}: {text}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
