"""XDMoD's configuration files as a site's file wants them: what has to change in each, and nothing else."""

import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from difflib import unified_diff
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

import schemas
from ledger import ConfigurationError
from ledger.files import put_whole, written_safely
from operations.init.ini import Ini
from operations.init.installation import SETTINGS, Installation, json_of
from operations.init.secrets import MASK, secret_of
from operations.init.site import Capacity, Read, Site

__all__ = ["FileChange", "changes", "write"]

#: Sections that hold an account of the database each. Source: XDMoD's portal_settings.ini.
_ACCOUNTS = ("logger", "database", "datawarehouse", "shredder", "hpcdb")
#: What XDMoD mails is from and for one address, as its own set-up has it.
_ADDRESSES = (
    ("general", "contact_page_recipient"),
    ("general", "tech_support_recipient"),
    ("general", "debug_recipient"),
    ("mailer", "sender_email"),
    ("logger", "email_from"),
    ("logger", "email_to"),
)
#: Secrets of XDMoD's own, by their bytes; each is made once, where it is empty.
_OWN_SECRETS = {("general", "application_secret"): 256, ("data_warehouse_export", "hash_salt"): 32}
_CONFIDENTIAL = re.compile(r"^([ +-]\s*(?:pass|\w*secret\w*|hash_salt|captcha_private_key|\w*password\w*)\s*=).*")


class FileChange(NamedTuple):
    """A file, what it is to hold, and what is other than before, line by line, without secrets."""

    path: Path
    text: str
    diff: list[str]


def changes(read: Read, installation: Installation) -> Iterator[FileChange]:
    """The files that are to change, in the order in which XDMoD's set-up asks for them.

    Raises ConfigurationError where a file that is there cannot be read, or where another one overrules what is set.
    """
    folder = installation.configuration
    texts = {SETTINGS: _settings(read, installation)}
    for name, schema, document in _documents(read.site, installation):
        _check(folder / name, schema, document)
        there = json_of(folder / name, type(document), type(document)())
        if there != document:
            texts[name] = json.dumps(document, indent=4, ensure_ascii=False) + "\n"
    for name, text in texts.items():
        path = folder / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if text != before:
            yield FileChange(path, text, _diff(path, before, text))


def write(change: FileChange) -> None:
    """Put a file in place of the one that is there, with its owner and rights. Raises as `written_safely` does."""
    with written_safely(change.path, "xdmod.configuration"):
        # Until it is whole, a file with passwords is for nobody else to read.
        before = os.umask(0o077) if change.path.name == SETTINGS else None
        try:
            put_whole(change.path.resolve(), [change.text.encode()], keep_rights=True)
        finally:
            if before is not None:
                os.umask(before)


def _settings(read: Read, installation: Installation) -> str:
    path = installation.configuration / SETTINGS
    ini = Ini.read(path)
    wanted = _wanted(read)
    for (section, key), size in _OWN_SECRETS.items():
        if not ini.get(section, key):
            wanted[section, key] = secrets.token_hex(size)
    sections: dict[str, dict[str, str]] = {}
    for (section, key), value in wanted.items():
        sections.setdefault(section, {})[key] = value
    _check(path, "xdmod-settings", sections)
    _overruled(path, wanted)
    for (section, key), value in wanted.items():
        ini.set(section, key, value)
    return ini.text


def _wanted(read: Read) -> dict[tuple[str, str], str]:
    """What a site's file says of portal_settings.ini."""
    said, database = read.site.site, read.site.database
    password = secret_of(database.password, read.file.parent, "database.password")
    wanted = {("general", "site_address"): f"{said.address.rstrip('/')}/"}
    wanted |= dict.fromkeys(_ADDRESSES, said.email)
    for place, value in (
        (("general", "title"), said.title),
        (("general", "center_logo"), said.logo),
        (("general", "center_logo_width"), said.logo_width),
        (("reporting", "chromium_path"), said.chromium),
        (("features", "user_dashboard"), None if said.dashboard is None else ("off", "on")[said.dashboard]),
    ):
        if value is not None:
            wanted[place] = str(value)
    for section in _ACCOUNTS:
        account = {"host": database.host, "port": str(database.port), "user": database.user, "pass": password}
        wanted |= {(section, key): value for key, value in account.items()}
    return wanted


def _overruled(path: Path, wanted: Mapping[tuple[str, str], str]) -> None:
    """Raise ConfigurationError where XDMoD would read something else after this file."""
    for part in sorted(path.with_suffix(".d").glob("*.ini")):
        ini = Ini.read(part)
        for (section, key), value in wanted.items():
            if ini.get(section, key) not in (None, value):
                raise ConfigurationError(f"{part} overrules [{section}] {key} of {path}. Delete the key there.")


def _documents(site: Site, installation: Installation) -> Iterator[tuple[str, str, Any]]:
    """Each JSON file, its schema, and what it is to hold."""
    folder = installation.configuration
    organization = {"name": site.organization.name, "abbrev": site.organization.abbreviation}
    yield "organization.json", "xdmod-organization", json_of(folder / "organization.json", dict, {}) | organization
    if site.hierarchy is not None:
        levels = {name: getattr(site.hierarchy, name) for name in ("top", "middle", "bottom")}
        labels = {f"{name}_level_label": level.label for name, level in levels.items()}
        infos = {f"{name}_level_info": level.description for name, level in levels.items()}
        there = json_of(folder / "hierarchy.json", dict, {})
        yield "hierarchy.json", "xdmod-hierarchy", there | labels | infos
    yield "resources.json", "xdmod-resources", _resources(site, json_of(folder / "resources.json", list, []))
    if any(one.capacity for one in site.resources):
        there = json_of(folder / "resource_specs.json", list, [])
        yield "resource_specs.json", "", _specs(site, there)


def _resources(site: Site, there: list[Any]) -> list[Any]:
    """The entries, those that a site's file names with what it says of them."""
    wanted = {one.resource: _entry(one) for one in site.resources}
    names = [one.get("resource") if isinstance(one, dict) else None for one in there]
    kept = [{**one, **wanted[name]} if name in wanted else one for one, name in zip(there, names, strict=True)]
    return [*kept, *(entry for name, entry in wanted.items() if name not in names)]


def _entry(one: Any) -> dict[str, Any]:
    return {key: value for key, value in msgspec.to_builtins(one).items() if key != "capacity"}


def _specs(site: Site, there: list[Any]) -> list[Any]:
    """The capacities, those of a resource whose capacity a site's file tells in place of all that were there."""
    telling = [one for one in site.resources if one.capacity]
    told = {one.resource: [_spec(one.resource, span) for span in one.capacity or ()] for one in telling}
    for specs in told.values():
        _check(Path("resource_specs.json"), "resource-specs", specs)
    found, placed = list[Any](), set[str]()
    for one in there:
        name = one.get("resource") if isinstance(one, dict) else None
        if name not in told:
            found.append(one)
        elif name not in placed:
            placed.add(name)
            found += told[name]
    return [*found, *(spec for name, specs in told.items() if name not in placed for spec in specs)]


def _spec(resource: str, span: Capacity) -> dict[str, Any]:
    """An entry of resource_specs.json; processors per node are reckoned as XDMoD's own set-up does."""
    nodes, gpus = span.cpu_node_count, span.gpu_node_count
    spec: dict[str, Any] = {"resource": resource, "start_date": span.start_date}
    if span.end_date is not None:
        spec["end_date"] = span.end_date
    spec |= {
        "cpu_node_count": nodes,
        "cpu_processor_count": span.cpu_processor_count,
        "cpu_ppn": span.cpu_processor_count // nodes if nodes else 0,
        "gpu_node_count": gpus,
        "gpu_processor_count": span.gpu_processor_count,
        "gpu_ppn": span.gpu_processor_count // gpus if gpus else 0,
    }
    if span.percent_allocated is not None:
        spec["percent_allocated"] = span.percent_allocated
    return spec


def _check(path: Path, schema: str, document: Any) -> None:
    """Raise ConfigurationError where a file would not fit its schema, naming where and not what."""
    error = next(iter(schemas.validator(schema).iter_errors(document)), None) if schema else None
    if error:
        where = ".".join(map(str, error.instance_path)) or "the whole"
        raise ConfigurationError(f"{path}: {where} does not fit ({error.kind.name}). Correct that entry of the file.")


def _diff(path: Path, before: str, after: str) -> list[str]:
    lines = unified_diff(before.splitlines(), after.splitlines(), f"{path} (now)", f"{path} (then)", lineterm="", n=2)
    return list(_masked(lines))


def _masked(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield _CONFIDENTIAL.sub(rf'\1 "{MASK}"', line)
