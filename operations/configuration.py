"""The one configuration file: found, validated, typed."""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import jsonschema_rs
import msgspec
from msgspec import Struct

import schemas
from collectors.coldfront import ColdFrontSource
from collectors.keycloak import KeycloakSource
from collectors.openshift import OpenShiftSource
from collectors.openstack import OpenStackSource
from hierarchy import SOURCE, Cloud, CloudKind, HierarchySettings, clouds_of
from ledger import ConfigurationError
from ledger.ownership import ROOT
from operations.backup.settings import BackupSettings
from operations.monitoring.settings import MetricsSettings
from operations.xdmod.settings import XdmodSettings

__all__ = ["Configuration", "load", "load_if_there"]

DEFAULT = "xdmod-cloud.toml"
VARIABLE = "XDMOD_CLOUD_CONFIG"
_LONGEST_SWEEP = 1_000_000
#: So many steps may a query of Prometheus span.
_MOST_POINTS = 11_000
#: So many characters of a resource's name are in XDMoD's key of a job.
_JOB_KEY = 20
#: Where a URL may stand, and a password in it.
_SECRET = ("ledger", "ledger.url", "ledger.url_file", "xdmod", "xdmod.url", "xdmod.url_file", "backup", "backup.url")
#: The keys of [backup] that name files.
_BACKUP_FILES = ("url_file", "restore_url_file", "key_file", "files")
T = TypeVar("T")


class Configuration(Struct, frozen=True):
    """What the file says. Paths are absolute."""

    file: Path
    ledger_url: str
    ledger_archive: Path
    outbox: Path
    openstack: tuple[OpenStackSource, ...]
    openshift: tuple[OpenShiftSource, ...]
    coldfront: ColdFrontSource | None
    keycloak: KeycloakSource | None
    hierarchy: HierarchySettings
    rates: tuple[Path, ...]
    published: Path
    xdmod: XdmodSettings
    backup: BackupSettings
    metrics: MetricsSettings

    @property
    def clouds(self) -> tuple[Cloud, ...]:
        """All clouds, as the hierarchy sees them."""
        return clouds_of(self.openstack, self.openshift)

    def chosen(self, names: tuple[str, ...]) -> tuple[OpenStackSource, ...]:
        """The clouds of those names, each once; all, if none is named. Raises ConfigurationError for any other."""
        known = {source.name: source for source in self.openstack}
        if not known:
            raise ConfigurationError(f"{self.file} names no cloud. Add a table [[openstack]].")
        for name in names:
            if name not in known:
                raise ConfigurationError(f'{self.file} has no [[openstack]] "{name}" (it has: {", ".join(known)}).')
        return tuple(known[name] for name in dict.fromkeys(names)) or self.openstack

    def chosen_clusters(self, names: tuple[str, ...]) -> tuple[OpenShiftSource, ...]:
        """The OpenShift clusters of those names; all that are read, if none is named. Raises ConfigurationError."""
        known = {source.name: source for source in self.openshift}
        readable = tuple(source for source in self.openshift if source.url)
        if not names and not readable:
            raise ConfigurationError(
                f"{self.file} names no OpenShift cluster to read. Add url to a table [[openshift]]."
            )
        for name in names:
            if name not in known:
                has = ", ".join(known) or "none"
                raise ConfigurationError(f'{self.file} has no [[openshift]] "{name}" (it has: {has}).')
        return tuple(known[name] for name in dict.fromkeys(names)) or readable


def load_if_there(file: Path | None) -> Configuration | None:
    """Read the configuration as `load` does; None where none is named, and there is none in the current folder."""
    if file is None and VARIABLE not in os.environ and not Path(DEFAULT).exists():
        return None
    return load(file)


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
        if where in _SECRET and fault.kind.name != "additionalProperties":
            said_there = "write url or url_file, not both, as a text (what stands there is not repeated: a secret?)"
        raise ConfigurationError(f"{path}: {where}: {said_there}")
    found = Configuration(
        file=path,
        ledger_url=_ledger_url(path, said.get("ledger", {})),
        ledger_archive=path.parent / said.get("ledger", {}).get("archive", "ledger-archive"),
        outbox=path.parent / said.get("outbox", {}).get("directory", "outbox"),
        openstack=tuple(_openstack(path, number, table) for number, table in enumerate(said.get("openstack", []))),
        openshift=tuple(_openshift(path, number, table) for number, table in enumerate(said.get("openshift", []))),
        coldfront=_table(path, said, "coldfront", ColdFrontSource, ("token_file",)),
        keycloak=_table(path, said, "keycloak", KeycloakSource, ("secret_file",)),
        hierarchy=_table(path, said, "hierarchy", HierarchySettings, ("ownership", "resources")) or HierarchySettings(),
        rates=tuple(path.parent / one for one in said.get("reports", {}).get("rates", ())),
        published=path.parent / said.get("reports", {}).get("published", "published"),
        xdmod=_xdmod(path, said),
        backup=_table(path, said, "backup", BackupSettings, _BACKUP_FILES) or BackupSettings(),
        metrics=_table(path, said, "metrics", MetricsSettings, ("textfile",)) or MetricsSettings(),
    )
    _check_names(found)
    return found


def _check_names(found: Configuration) -> None:
    """Raise ConfigurationError where two clouds share a name, or one is named that is not there."""
    kinds = {cloud.name: cloud.kind for cloud in found.clouds}
    for key in ("name", "resource", "coldfront_resource"):
        values = [value for cloud in found.clouds if (value := getattr(cloud, key))]
        if twice := {value for value in values if values.count(value) > 1}:
            tables = " or ".join(sorted({f"[[{cloud.kind}]]" for cloud in found.clouds}))
            raise ConfigurationError(f'{found.file}: two {tables} have the {key} "{twice.pop()}"; each needs its own.')
    starts = [cluster.resource[:_JOB_KEY] for cluster in found.openshift]
    if alike := {start for start in starts if starts.count(start) > 1}:
        raise ConfigurationError(
            f'{found.file}: two [[openshift]] have a resource that begins with "{alike.pop()}": XDMoD tells jobs apart'
            f" by the first {_JOB_KEY} characters of it. Choose another for one of them."
        )
    names = [*kinds, SOURCE, ROOT, *(source.name for source in (found.coldfront, found.keycloak) if source)]
    if clash := {name for name in names if names.count(name) > 1}:
        raise ConfigurationError(f'{found.file}: the name "{clash.pop()}" is taken; choose another.')
    for name in found.hierarchy.keystone:
        if kinds.get(name) is not CloudKind.OPENSTACK:
            raise ConfigurationError(f'{found.file}: hierarchy.keystone: there is no [[openstack]] "{name}".')


def _faults(path: Path, said: dict[str, Any]) -> list[jsonschema_rs.ValidationError]:
    try:
        return list(schemas.validator("configuration").iter_errors(said))
    except (TypeError, ValueError) as error:  # TOML has values that JSON has not: dates, times
        raise ConfigurationError(
            f"{path}: a value is of a kind that no key takes: {error}. Write it in quotes."
        ) from error


def _openstack(path: Path, number: int, table: dict[str, Any]) -> OpenStackSource:
    source = _converted(path, f"openstack.{number}", table, OpenStackSource)
    if not 0 < source.sweep_hours <= _LONGEST_SWEEP:
        raise ConfigurationError(f"{path}: openstack.{number}.sweep_hours: write a number up to {_LONGEST_SWEEP:,}")
    return source


def _openshift(path: Path, number: int, table: dict[str, Any]) -> OpenShiftSource:
    files = {key: str(path.parent / table[key]) for key in ("token_file", "ca_file") if key in table}
    source = _converted(path, f"openshift.{number}", table | files, OpenShiftSource)
    for key, whole in (("window_hours", 24), ("step_seconds", source.window_hours * 3600)):
        if whole % getattr(source, key):
            raise ConfigurationError(f"{path}: openshift.{number}.{key}: {whole} is no multiple of it")
    if source.window_hours * 3600 > _MOST_POINTS * source.step_seconds:
        raise ConfigurationError(
            f"{path}: openshift.{number}.step_seconds: a window has more than the {_MOST_POINTS:,} points that a"
            " Prometheus gives at once; write a larger one, or a smaller window_hours"
        )
    _check_places(f"{path}: openshift.{number}", source)
    return source


def _check_places(where: str, source: OpenShiftSource) -> None:
    """Raise ConfigurationError where an annotation or label counts that is not kept."""
    kept = {"hierarchy", "namespace", *source.annotations, *source.namespace_labels}
    for key in ("pi", "account", "user"):
        if missing := [place for place in getattr(source, key) if place not in kept]:
            raise ConfigurationError(f'{where}.{key}: add "{missing[0]}" to annotations or namespace_labels, too')
    if source.class_label and source.class_label not in source.pod_labels:
        raise ConfigurationError(f'{where}.class_label: add "{source.class_label}" to pod_labels, too')


def _table(path: Path, said: dict[str, Any], name: str, kind: type[T], files: Sequence[str]) -> T | None:
    """A table of the file, if it is there; the paths in its keys `files` are relative to the file."""
    if name not in said:
        return None
    table = dict(said[name])
    for key in files:
        if isinstance(table.get(key), list):
            table[key] = [str(path.parent / one) for one in table[key]]
        elif key in table:
            table[key] = str(path.parent / table[key])
    return _converted(path, name, table, kind)


def _xdmod(path: Path, said: dict[str, Any]) -> XdmodSettings:
    table = {"xdmod": {"archive": "archive", **said.get("xdmod", {})}}
    found = _table(path, table, "xdmod", XdmodSettings, ("archive", "bin", "configuration", "url_file"))
    assert found is not None
    return found


def _converted(path: Path, where: str, table: dict[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(table, kind, dec_hook=lambda wanted, value: wanted(value))
    except msgspec.ValidationError as error:
        fault, _, key = str(error).partition(" - at `$.")
        raise ConfigurationError(f"{path}: {where}.{key.rstrip('`')}: {fault}") from error


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
