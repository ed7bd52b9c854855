"""The steps of XDMoD's own set-up, in their order: when each is needed, and what it runs."""

from collections.abc import Callable, Collection, Iterator
from importlib.resources import as_file, files
from typing import NamedTuple

from ledger import ConfigurationError, DataError
from operations.init.installation import Installation
from operations.init.secrets import place_of, secret_of
from operations.init.site import Read
from operations.init.warehouse import Warehouse, look
from operations.xdmod.commands import Commands
from operations.xdmod.rules import Said

__all__ = ["STEPS", "Step", "needed", "take"]

#: So many bytes of a password XDMoD takes; of a longer one it stores none. Source: CHARLIM_PASSWORD in its constants.
_LONGEST_PASSWORD = 20
#: What XDMoD's set-up runs to make its tables, and since which version. Source: its DatabaseSetup.
_PIPELINES = (
    ("xdb-bootstrap", "10.0"),
    ("jobs-xdw-bootstrap", "10.0"),
    ("xdw-bootstrap-storage", "10.0"),
    ("shredder-bootstrap", "10.0"),
    ("staging-bootstrap", "10.0"),
    ("hpcdb-bootstrap", "10.0"),
    ("acls-xdmod-management", "10.0"),
    ("logger-bootstrap", "10.5"),
)

#: A call: the program, and its arguments. An empty program is the one that calls XDMoD's classes.
_Call = tuple[str, ...]


class Step(NamedTuple):
    """A part of the set-up: what it makes, whether that is there, and the calls that make it.

    It is needed, too, where one of `files` is changed, or one of the steps `after` was taken.
    """

    name: str
    makes: str
    there: Callable[[Warehouse], bool]
    calls: Callable[[Read, Installation], list[_Call]]
    after: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def _schema(_: Read, installation: Installation) -> list[_Call]:
    wanted = [name for name, since in _PIPELINES if not (since > "10.0" and installation.version.startswith("10.0"))]
    return [*(("", "pipeline", name) for name in wanted), ("", "periods")]


def _pipeline(name: str) -> Callable[[Read, Installation], list[_Call]]:
    return lambda *_: [("", "pipeline", name)]


def _acl_config(_: Read, __: Installation) -> list[_Call]:
    return [("acl-config",)]


def _administrator(read: Read, _: Installation) -> list[_Call]:
    who, folder = read.site.administrator, read.file.parent
    password = secret_of(who.password, folder, "administrator.password")
    if len(password.encode()) > _LONGEST_PASSWORD:
        raise ConfigurationError(
            f"administrator.password: it is longer than {_LONGEST_PASSWORD} bytes, and XDMoD would store none. Choose"
            " a shorter one."
        )
    return [("", "administrator", *place_of(who.password, folder), who.user, who.first_name, who.last_name, who.email)]


#: Resources refer to modules, which `acl-config` makes; and only where there are resources it knows what may be seen of
#: them. Measured on Open XDMoD 11.0.4.
STEPS = (
    Step("schema", "XDMoD's tables, and its periods of time", Warehouse.has_schema, _schema),
    Step("modules", "XDMoD's modules", Warehouse.has_modules, _acl_config, after=("schema",)),
    Step(
        "organization",
        "the organization",
        Warehouse.has_organization,
        _pipeline("ingest-organizations"),
        files=("organization.json",),
    ),
    Step("resource types", "the types of resources", Warehouse.has_types, _pipeline("ingest-resource-types")),
    Step(
        "resources",
        "the resources",
        Warehouse.has_resources,
        _pipeline("ingest-resources"),
        files=("resources.json",),
    ),
    Step("rights", "who may see what", Warehouse.has_rights, _acl_config, after=("resource types", "resources")),
    Step("administrator", "the portal's first account", Warehouse.has_administrator, _administrator),
)


def needed(read: Read, installation: Installation, changed: Collection[str]) -> list[Step]:
    """The steps that have to be taken now, after files of these names are changed.

    Raises as the database does, and for a secret that a step needs.
    """
    found = list[Step]()
    with look(read) as warehouse:
        for step in STEPS:
            if _is_needed(step, found, changed, warehouse):
                step.calls(read, installation)
                found.append(step)
    return found


def take(
    steps: list[Step], changed: Collection[str], read: Read, installation: Installation, commands: Commands
) -> Iterator[Step]:
    """Take steps one after the other, those that are still needed, and yield each that is done.

    Raises DataError where a step fails, or says that it has not and yet has not made what it should.
    """
    taken = list[Step]()
    with as_file(files("operations.init") / "bootstrap.php") as script:
        own = (str(installation.php), str(script), str(installation.linker), str(installation.configuration))
        for step in steps:
            with look(read) as warehouse:
                if not _is_needed(step, taken, changed, warehouse):
                    continue
            for program, *words in step.calls(read, installation):
                said = commands.run(*((*own, *words) if not program else (program, *words)))
                if said.fault is not None and not _only_skipped(said):
                    what = program or " ".join(words[:2])
                    raise DataError(f"XDMoD's set-up failed ({step.name}: {what}): {said.why}. Correct it, run again.")
            with look(read) as warehouse:
                if not step.there(warehouse):
                    raise DataError(
                        f"XDMoD's set-up did not complain, and {step.makes} are not there all the same: {step.name}."
                        " Look at what it logs with -v, then run again."
                    )
            taken.append(step)
            yield step


def _only_skipped(said: Said) -> bool:
    """Whether all that is wrong is that records were skipped: whether those that count are there is looked at anyway.

    XDMoD 11.0.4 skips its own types of allocation, whose file lacks what its schema wants.
    """
    return said.skipped > 0 and "[error]" not in said.why


def _is_needed(step: Step, before: list[Step], changed: Collection[str], warehouse: Warehouse) -> bool:
    taken = {one.name for one in before}
    return bool(taken & set(step.after) or set(changed) & set(step.files)) or not step.there(warehouse)
