"""The file of a site that XDMoD is set up from, and everything that is wrong in it, by its lines."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import msgspec
from msgspec import Struct

import schemas
from ledger import ConfigurationError
from operations.init.positions import Lines, lines_of_json, lines_of_toml
from operations.init.positions import Path as Where
from operations.init.secrets import Secret

__all__ = [
    "Account",
    "Capacity",
    "Database",
    "Fault",
    "Faulty",
    "General",
    "Hierarchy",
    "Ledger",
    "Level",
    "Organization",
    "Person",
    "Read",
    "Resource",
    "Site",
    "Xdmod",
    "read",
]

_SECRET_WORDS = 'write { file = "…" } or { env = "…" }: where the secret is, never the secret itself'


class General(Struct, frozen=True):
    """The portal; what is not said stays as XDMoD has it."""

    address: str
    email: str
    title: str | None = None
    chromium: str | None = None
    logo: str | None = None
    logo_width: int | None = None
    dashboard: bool | None = None


class Account(Struct, frozen=True):
    """An account of the database; without a password it is known by the socket."""

    user: str
    password: Secret | None = None


class Ledger(Struct, frozen=True):
    """The ledger's database, and the account that owns it."""

    user: str
    password: Secret
    name: str = "xdmod_cloud"


class Database(Struct, frozen=True):
    """Where MariaDB is, and by which account XDMoD uses it."""

    host: str
    password: Secret
    port: int = 3306
    socket: str | None = None
    user: str = "xdmod"
    account_host: str | None = None
    administrator: Account | None = None
    ledger: Ledger | None = None
    reader: Account | None = None

    @property
    def from_host(self) -> str:
        """The hosts that the accounts come from."""
        return self.account_host or ("localhost" if self.host in ("localhost", "127.0.0.1", "::1") else "%")


class Organization(Struct, frozen=True):
    """Who runs the resources."""

    name: str
    abbreviation: str


class Person(Struct, frozen=True):
    """The first account of the portal."""

    user: str
    password: Secret
    first_name: str
    last_name: str
    email: str


class Level(Struct, frozen=True):
    """What a level of the hierarchy is called."""

    label: str
    description: str = ""


class Hierarchy(Struct, frozen=True):
    """The three levels, from the widest to the narrowest."""

    top: Level
    middle: Level
    bottom: Level


class Capacity(Struct, frozen=True, omit_defaults=True):
    """What a resource had to give from one day to another, both included; without an end it lasts."""

    start_date: str
    cpu_node_count: int
    cpu_processor_count: int
    end_date: str | None = None
    gpu_node_count: int = 0
    gpu_processor_count: int = 0
    percent_allocated: int | float | None = None


class Resource(Struct, frozen=True, omit_defaults=True):
    """A resource, by the keys of XDMoD's resources.json; what is None is not said."""

    resource: str
    name: str
    resource_type: str
    description: str | None = None
    resource_allocation_type: str | None = None
    timezone: str | None = None
    shared_jobs: bool | None = None
    pi_column: str | None = None
    capacity: tuple[Capacity, ...] | None = None


class Xdmod(Struct, frozen=True):
    """Where XDMoD is installed."""

    bin: str | None = None
    configuration: str = "/etc/xdmod"
    share: str = "/usr/share/xdmod"


class Site(Struct, frozen=True):
    """What the file says."""

    site: General
    database: Database
    organization: Organization
    administrator: Person
    resources: tuple[Resource, ...]
    hierarchy: Hierarchy | None = None
    xdmod: Xdmod = Xdmod()


class Fault(NamedTuple):
    """A value that is wrong: on which line, by which key, and what is wrong with it."""

    line: int
    key: str
    said: str


class Faulty(ConfigurationError):
    """A file with wrong values, all of which `faults` has in the order of their lines."""

    def __init__(self, file: Path, faults: Iterable[Fault]) -> None:
        self.file, self.faults = file, sorted(set(faults))
        super().__init__("\n".join(f"{file}:{line}: {key}: {said}" for line, key, said in self.faults))


class Read(NamedTuple):
    """A file that fits the schema, and the lines of its values."""

    file: Path
    site: Site
    lines: Lines

    def fault(self, where: Where, said: str) -> Fault:
        """What is wrong with the value at a path."""
        return Fault(self.lines.of(where), _dotted(where), said)


def read(file: Path) -> Read:
    """Read the file of a site, JSON where its name ends so, else TOML.

    Raises Faulty with all values that do not fit the schema, ConfigurationError for a file that cannot be read.
    """
    said, lines = _parsed(file)
    faults = [Fault(line, _dotted(where), "this key stands twice; keep one") for where, line in lines.twice]
    faults += [
        Fault(lines.of(where), _dotted(where), why)
        for error in schemas.validator("site").iter_errors(said)
        for where, why in _explained(error)
    ]
    if faults:
        raise Faulty(file, faults)
    return Read(file, msgspec.convert(said, Site), lines)


def _parsed(file: Path) -> tuple[Any, Lines]:
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".json":
            return json.loads(text), lines_of_json(text)
        # Days stand in TOML without quotes, too.
        return _plain(tomllib.loads(text)), lines_of_toml(text)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be read: {error.strerror}. Begin with the example in docs/init/site.toml."
        ) from error
    except json.JSONDecodeError as error:
        raise Faulty(file, [Fault(error.lineno, "the file", f"it is no JSON: {error.msg}")]) from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        number = int(line[1]) if line else len(text.splitlines())
        raise Faulty(file, [Fault(number, "the file", f"it is no TOML: {error}")]) from error
    except UnicodeDecodeError as error:
        raise Faulty(file, [Fault(1, "the file", "it is not UTF-8")]) from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def _dotted(where: Where) -> str:
    """A path as people write it."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return text.removeprefix(".") or "the file"


def _explained(error: jsonschema_rs.ValidationError) -> Iterator[tuple[Where, str]]:
    """Where a value is wrong, and why, in words that repeat no secret."""
    where = tuple(error.instance_path)
    if "password" in where:
        yield where, _SECRET_WORDS
    elif error.kind.name == "additionalProperties":
        known = ", ".join(sorted(_schema_at(error.schema_path[:-1]).get("properties", {})))
        for key in error.kind.as_dict()["unexpected"]:
            yield (*where, key), f"there is no such key (there are: {known})"
    elif error.kind.name == "required":
        missing = error.kind.as_dict()["property"]
        yield where, f'the key "{missing}" is missing'
    else:
        description = _schema_at(error.schema_path[:-1]).get("description", "").rstrip(".")
        yield where, f"{_wrong(error)}{f' (it is: {description})' if description else ''}"


def _wrong(error: jsonschema_rs.ValidationError) -> str:
    if error.kind.name == "type":
        return f"it is of a wrong type, write: {' or '.join(error.kind.as_dict()['types'])}"
    if error.kind.name == "pattern":
        return f"{json.dumps(error.instance, ensure_ascii=False)} is not of the form that is wanted"
    return error.message


def _schema_at(path: Iterable[str | int]) -> dict[str, Any]:
    """The part of the schema at a path."""
    part: Any = schemas.load("site")
    for key in path:
        part = part[key]
    return part if isinstance(part, dict) else {}
