"""The XDMoD that is installed: its folders, its version, and what types of resources it knows."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ledger import ConfigurationError
from operations.init.ini import Ini
from operations.init.site import Read

__all__ = ["COMMANDS", "SETTINGS", "Installation", "installed", "json_of"]

SETTINGS = "portal_settings.ini"
#: XDMoD's own commands that are run.
COMMANDS = ("acl-config", "xdmod-check-config")
#: Versions whose configuration is written here.
_VERSIONS = ("10.0", "10.5", "11.0")


class Installation(NamedTuple):
    """Where XDMoD is, and what it knows.

    `types` has the realms of each type of resource, `allocations` the types of allocation. `bin` is None where commands
    are looked for in PATH.
    """

    configuration: Path
    linker: Path
    bin: Path | None
    php: Path
    version: str
    types: Mapping[str, Sequence[str]]
    allocations: Sequence[str]

    @property
    def is_11(self) -> bool:
        """Whether resources are allocated by types, and have capacities of CPUs and GPUs."""
        return self.version.startswith("11.")

    def realms(self, kind: str) -> Sequence[str]:
        """The realms of a type of resource; none of one that XDMoD does not know."""
        return self.types.get(kind, ())

    def computes(self, kind: str) -> bool:
        """Whether a type of resource has processors that are used."""
        return bool({"Jobs", "Cloud"} & set(self.realms(kind)))


def installed(read: Read) -> Installation:
    """Find the XDMoD that a site's file tells of.

    Raises ConfigurationError where a part of it is not there, or it is of a version that is not known.
    """
    said, folder = read.site.xdmod, read.file.parent
    configuration, share = (folder / said.configuration).absolute(), (folder / said.share).absolute()
    settings, linker = configuration / SETTINGS, share / "configuration" / "linker.php"
    for path, key in ((settings, "configuration"), (linker, "share")):
        if not path.is_file():
            raise ConfigurationError(f"There is no {path}. Install XDMoD on this host, or correct xdmod.{key}.")
    own = (folder / said.bin).absolute() if said.bin else None
    for name in COMMANDS:
        if shutil.which(name, path=str(own) if own else None) is None:
            raise ConfigurationError(f"There is no {name} in {own or 'PATH'}. Install XDMoD, or correct xdmod.bin.")
    version = Ini.read(settings).get("general", "version") or "unknown"
    if not re.match(rf"({'|'.join(map(re.escape, _VERSIONS))})(\.|$)", version):
        raise ConfigurationError(f"{settings} is of XDMoD {version}; {_VERSIONS[0]} to {_VERSIONS[-1]} are supported.")
    kinds = json_of(configuration / "resource_types.json", dict).get("resource_types", {})
    allocations = json_of(configuration / "resource_allocation_types.json", dict, {})
    return Installation(
        configuration=configuration,
        linker=linker,
        bin=own,
        php=_php(own),
        version=version,
        types={name: kind.get("realms", ()) for name, kind in kinds.items() if name != "UNK"},
        allocations=[name for name in allocations.get("resource_allocation_types", {}) if name != "UNK"],
    )


def _php(own: Path | None) -> Path:
    for where in (str(own) if own else None, None):
        if found := shutil.which("php", path=where):
            return Path(found).absolute()
    raise ConfigurationError("There is no php in PATH, without which XDMoD's set-up cannot run. Install it.")


def json_of(file: Path, kind: type[Any], default: Any = None) -> Any:
    """What a file of XDMoD's configuration holds; the default, if there is one, where there is no file.

    Raises ConfigurationError, naming the line, for one that is no JSON or of another kind.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if default is not None:
            return default
        raise ConfigurationError(f"There is no {file}. Reinstall XDMoD's configuration.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}. Correct its rights, or the file.") from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{file}:{error.lineno}: it is no JSON: {error.msg}. Correct it.") from error
    if not isinstance(found, kind):
        wanted = "an array" if kind is list else "an object"
        raise ConfigurationError(f"{file} holds no {wanted.split()[1]}, as XDMoD 10.0 to 11.0 have it. Correct it.")
    return found
