"""The one configuration file: found, validated, typed."""

import os
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
from msgspec import Struct

import schemas
from collectors.openstack import OpenStackSource
from ledger import ConfigurationError

__all__ = ["Configuration", "load"]

DEFAULT = "xdmod-cloud.toml"
VARIABLE = "XDMOD_CLOUD_CONFIG"
_LONGEST_SWEEP = 1_000_000


class Configuration(Struct, frozen=True):
    """What the file says. Paths are absolute."""

    file: Path
    ledger_url: str
    outbox: Path
    openstack: tuple[OpenStackSource, ...]

    def chosen(self, names: tuple[str, ...]) -> tuple[OpenStackSource, ...]:
        """The clouds of those names; all, if none is named. Raises ConfigurationError for a name that is not there."""
        known = {source.name: source for source in self.openstack}
        if not known:
            raise ConfigurationError(f"{self.file} names no cloud. Add a table [[openstack]].")
        for name in names:
            if name not in known:
                raise ConfigurationError(f'{self.file} has no [[openstack]] "{name}" (it has: {", ".join(known)}).')
        return tuple(known[name] for name in names) or self.openstack


def load(file: Path | None) -> Configuration:
    """Read the file named, or that of `XDMOD_CLOUD_CONFIG`, or xdmod-cloud.toml in the current folder.

    Raises ConfigurationError, naming the file and the key, for whatever is missing or wrong.
    """
    path = (file or Path(os.environ.get(VARIABLE, DEFAULT))).absolute()
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"There is no configuration at {path}. Name one with --config or {VARIABLE},"
            " or begin with the example in docs/configuration.md."
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    for fault in _faults(path, said):
        where = ".".join(map(str, fault.instance_path)) or "the file"
        said_there = fault.message
        if where.startswith("ledger") and fault.kind.name != "additionalProperties":
            said_there = "write url or url_file, not both, as a text (what stands there is not repeated: a secret?)"
        raise ConfigurationError(f"{path}: {where}: {said_there}")
    sources = tuple(_source(path, number, table) for number, table in enumerate(said.get("openstack", [])))
    for key in ("name", "resource"):
        values = [getattr(source, key) for source in sources]
        if twice := {value for value in values if values.count(value) > 1}:
            raise ConfigurationError(f'{path}: two [[openstack]] have the {key} "{twice.pop()}"; each needs its own.')
    return Configuration(
        path,
        _ledger_url(path, said.get("ledger", {})),
        path.parent / said.get("outbox", {}).get("directory", "outbox"),
        sources,
    )


def _faults(path: Path, said: dict[str, Any]) -> list[jsonschema_rs.ValidationError]:
    try:
        return list(schemas.validator("configuration").iter_errors(said))
    except (TypeError, ValueError) as error:  # TOML has values that JSON has not: dates, times
        raise ConfigurationError(
            f"{path}: a value is of a kind that no key takes: {error}. Write it in quotes."
        ) from error


def _source(path: Path, number: int, table: dict[str, Any]) -> OpenStackSource:
    try:
        source = msgspec.convert(table, OpenStackSource)
    except msgspec.ValidationError as error:
        fault, _, key = str(error).partition(" - at `$.")
        raise ConfigurationError(f"{path}: openstack.{number}.{key.rstrip('`')}: {fault}") from error
    if not 0 < source.sweep_hours <= _LONGEST_SWEEP:
        raise ConfigurationError(f"{path}: openstack.{number}.sweep_hours: write a number up to {_LONGEST_SWEEP:,}")
    return source


def _ledger_url(path: Path, ledger: dict[str, Any]) -> str:
    if "url_file" in ledger:
        try:
            url = (path.parent / ledger["url_file"]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path}: ledger.url_file: {error}") from error
    else:
        url = ledger.get("url", "sqlite:///ledger.sqlite")
    file = url.removeprefix("sqlite:///")
    if file not in (url, "") and not file.startswith(("/", "file:", ":memory:")):
        return f"sqlite:///{path.parent / file}"
    return str(url)
