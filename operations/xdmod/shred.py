"""Shred: give the files of the outbox to XDMoD, and find out which of them it could not read."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from hierarchy import Cloud
from ledger import ConfigurationError, Ledger
from ledger.counts import counted
from ledger.locks import sole_writer
from operations.configuration import Configuration
from operations.xdmod.commands import Commands, patient
from operations.xdmod.folders import Places, move, of_kind
from operations.xdmod.kinds import KINDS, Kind
from operations.xdmod.rules import Said

__all__ = ["Faulty", "Shredded", "resources_of", "shred"]

#: Where so many files of one kind fail, the others are not tried: it is not the files.
_MOST_FAULTY = 5


class Faulty(Struct, frozen=True):
    """A file that XDMoD could not read, or not as a whole; it stays where it is, to be tried again."""

    file: Path
    why: str


class Shredded(Struct):
    """What became of one resource's files of one kind: how many files, of how many records, XDMoD read.

    `read` is none where XDMoD did not say. `untried` files were left alone, for so many others had failed.
    """

    resource: str
    kind: str
    files: int = 0
    exported: int = 0
    read: int | None = None
    skipped: int = 0
    duplicates: int = 0
    untried: int = 0
    faulty: list[Faulty] = []
    warnings: list[str] = []


def resources_of(configuration: Configuration, names: Sequence[str]) -> list[Cloud]:
    """The clouds of those resources, all if none is named. Raises ConfigurationError for one that is not configured."""
    clouds = {cloud.resource: cloud for cloud in configuration.clouds}
    for name in names:
        if name not in clouds:
            raise ConfigurationError(
                f'{configuration.file} has no resource "{name}" (it has: {", ".join(clouds) or "none"}).'
            )
    return [clouds[name] for name in dict.fromkeys(names)] or list(clouds.values())


def shred(ledger: Ledger, configuration: Configuration, commands: Commands, cloud: Cloud) -> Iterator[Shredded]:
    """Shred what lies in the outbox for one resource, and what was left from before; tell of each kind that had files.

    Raises SourceUnavailable where XDMoD's database stays away, ConfigurationError where XDMoD does not know the
    resource: all files are then as they were, or with those that were claimed.
    """
    for kind in KINDS:
        turn = _Turn(commands, cloud.resource, kind, configuration)
        turn.recover()
        turn.batch(turn.left())
        turn.batch(_claim(ledger, cloud, kind, turn.places))
        if turn.done.files or turn.done.untried:
            yield turn.done


def _claim(ledger: Ledger, cloud: Cloud, kind: Kind, places: Places) -> list[Path]:
    """Take files out of the outbox; from then on the exporter corrects them by further events only.

    A name that is under way still has to wait until that file has arrived.
    """
    if not of_kind(places.waiting, kind):
        return []
    away = {
        path.name for folder in (places.claimed, places.shredding, places.shredded) for path in of_kind(folder, kind)
    }

    def claim() -> list[Path]:
        with sole_writer(ledger.engine, kind.guard.format(cloud.name)):
            return move([path for path in of_kind(places.waiting, kind) if path.name not in away], places.claimed)

    return patient(claim)


class _Turn:
    """One resource's files of one kind."""

    def __init__(self, commands: Commands, resource: str, kind: Kind, configuration: Configuration) -> None:
        self._commands, self._kind = commands, kind
        self.places = Places.of(configuration.outbox, configuration.xdmod.archive, resource, kind)
        self.done = Shredded(resource, kind.folder)
        self._patience = _MOST_FAULTY

    def recover(self) -> None:
        """Take back what was being read when the process died."""
        move(of_kind(self.places.shredding, self._kind), self.places.claimed)

    def left(self) -> list[Path]:
        """What was claimed before, and did not get through: apart from new files, so that these do get through."""
        return of_kind(self.places.claimed, self._kind)

    def batch(self, files: Sequence[Path]) -> None:
        """Shred some claimed files, as many at once as their kind allows."""
        self._patience = len(self.done.faulty) + _MOST_FAULTY
        for some in [[file] for file in files] if self._kind.alone else filter(None, [files]):
            self._take(some)

    def _take(self, files: Sequence[Path]) -> None:
        """Shred files together; of those that fail together, each half apart, down to the faulty ones."""
        if len(self.done.faulty) >= self._patience:
            self.done.untried += len(files)
            return
        records = sum(self._records(file) for file in files)
        begun = self._mark(files)
        cut_off = begun is not None and begun.exists()
        tries = self._commands.retried
        said = self._shred(files, begun)
        cut_off = begun is not None and (cut_off or self._commands.retried > tries)
        why = said.why or _unread(said, records) or (_not_passed_on(said) if cut_off else "")
        if not why:
            self._count(said, len(files), records)
            self.done.warnings += said.warnings
            move(of_kind(self.places.shredding, self._kind), self.places.shredded)
            return
        if begun is not None:
            begun.touch()
        move(of_kind(self.places.shredding, self._kind), self.places.claimed)
        if len(files) == 1:
            self._count(said, 1, records)
            self.done.faulty.append(Faulty(files[0], why))
            return
        half = len(files) // 2
        self._take(files[:half])
        self._take(files[half:])

    def _mark(self, files: Sequence[Path]) -> Path | None:
        """The note that XDMoD has begun to read a file and did not come to its end, for files that are read alone."""
        return self.places.shredding / f".{files[0].name}.begun" if self._kind.alone else None

    def _shred(self, files: Sequence[Path], begun: Path | None) -> Said:
        move(files, self.places.shredding)
        words = ("-v", "-f", self._kind.format, "-d", str(self.places.shredding), "-r", self.done.resource)
        try:
            return self._commands.run("xdmod-shredder", *words, begun=begun)
        except BaseException:
            move(of_kind(self.places.shredding, self._kind), self.places.claimed)
            raise

    def _records(self, file: Path) -> int:
        try:
            return self._kind.count(file)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return 0  # XDMoD will say what is wrong with it

    def _count(self, said: Said, files: int, records: int) -> None:
        self.done.files += files
        self.done.exported += records
        self.done.skipped += said.skipped
        self.done.duplicates += said.duplicates
        if said.read is not None:
            self.done.read = (self.done.read or 0) + said.read


def _unread(said: Said, records: int) -> str:
    """Why a call that seems to have gone well did not."""
    if said.read == 0 and records:
        return f"XDMoD read nothing of {counted(records, 'records')}: it takes files for its own by their names only"
    return ""


def _not_passed_on(said: Said) -> str:
    """What may have become of jobs that a call before this one had taken, and did not live to pass on."""
    if not said.duplicates:
        return ""
    return (
        f"XDMoD has {said.duplicates:,} of its jobs from a call that was cut off, and passes jobs on at the end of a"
        " call only: if mod_shredder.shredded_job lacks them, delete them from mod_shredder.shredded_job_slurm, else"
        " move the file into the archive"
    )
