"""The set-up as a whole: what is to be done, and then one thing after the other, each of which can be done again."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from ledger import ConfigurationError, SourceUnavailable
from ledger.files import written_safely
from ledger.locks import file_lock
from operations.configuration import load_if_there
from operations.init.accounts import Accounts, accounts_of, perform
from operations.init.files import FileChange, changes, write
from operations.init.installation import Installation, installed
from operations.init.rules import check
from operations.init.site import Read, read
from operations.init.steps import Step, needed, take
from operations.xdmod.commands import Commands
from operations.xdmod.settings import XdmodSettings

__all__ = ["Change", "Setup", "begun"]


class Change(Struct, frozen=True):
    """Something that is to be done: where, and what, line by line, without secrets."""

    where: str
    lines: list[str]


class Setup:
    """What is to be done for a site's file. Made by `begun`."""

    def __init__(self, said: Read, installation: Installation, commands: Commands | None) -> None:
        self._read, self._installation, self._commands = said, installation, commands
        self._accounts: Accounts = accounts_of(said.site.database, said.file.parent)
        self._files: list[FileChange] = list(changes(said, installation))
        self._changed = [one.path.name for one in self._files]
        self._steps: list[Step] = needed(said, installation, self._changed)
        self.warnings = list(self._accounts.warnings)

    @property
    def changes(self) -> list[Change]:
        """All that is to be done, in order; nothing where everything is as it should be."""
        found = list[Change]()
        if self._accounts.statements:
            database = self._read.site.database
            shown = [f"{statement.shown};" for statement in self._accounts.statements]
            found.append(Change(f"database {database.host}:{database.port}", shown))
        found += [Change(str(one.path), one.diff) for one in self._files]
        found += [Change(f"XDMoD: {step.name}", [f"make or renew {step.makes}"]) for step in self._steps]
        return found

    def apply(self) -> Iterator[str]:
        """Do all of it, and yield what is done. What is left of it when something fails, the next run does."""
        assert self._commands is not None, "a dry run is not to be applied"
        database, folder = self._read.site.database, self._read.file.parent
        if self._accounts.statements:
            perform(database, folder, self._accounts.statements)
            yield "databases and accounts"
        for one in self._files:
            write(one)
            yield str(one.path)
        for step in take(self._steps, self._changed, self._read, self._installation, self._commands):
            yield step.name
        if self._steps:
            self.warnings += self._commands.must("xdmod-check-config").warnings


@contextmanager
def begun(file: Path, configuration: Path | None, *, dry_run: bool = False) -> Iterator[Setup]:
    """Read a site's file, look at what is there, and be the only one who sets this XDMoD up; in a dry run, only look.

    Raises Faulty with all that is wrong in the file; ConfigurationError and SourceUnavailable as the parts do.
    """
    said = read(file)
    installation = installed(said)
    check(said, installation)
    ours = load_if_there(configuration)
    if ours and ours.xdmod.configuration.resolve() != installation.configuration.resolve():
        raise ConfigurationError(
            f"{ours.file} has its XDMoD's configuration in {ours.xdmod.configuration}, {file} in"
            f" {installation.configuration}. Correct [xdmod] configuration in one of them."
        )
    settings = XdmodSettings(installation.configuration, installation.bin, installation.configuration)
    if ours:
        settings = replace(settings, time_limit_hours=ours.xdmod.time_limit_hours)
    with ExitStack() as stack:
        commands = None
        if not dry_run:
            place = ours.outbox if ours else installation.configuration
            commands = stack.enter_context(_alone(settings, place))
        yield Setup(said, installation, commands)


@contextmanager
def _alone(settings: XdmodSettings, place: Path) -> Iterator[Commands]:
    """Run XDMoD's commands while nobody hands files of an outbox on, with or without a ledger."""
    busy = SourceUnavailable(f"Another xdmod-cloud is at work on {place}. Wait for it to end, then run again.")
    with written_safely(place, "the folder's rights"):
        place.mkdir(parents=True, exist_ok=True)
    with file_lock(place / ".xdmod.lock", busy) as lock:
        yield Commands(settings, lock)
