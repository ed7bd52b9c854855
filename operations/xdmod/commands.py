"""XDMoD's own commands: found, run one at a time, listened to while they run, and tried again while that may help."""

import codecs
import logging
import os
import random
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import monotonic, sleep
from typing import IO, TypeVar

from ledger import ConfigurationError, DataError, Ledger, SourceUnavailable
from ledger.files import flush, written_safely
from ledger.locks import file_lock, sole_writer
from operations.xdmod.rules import Meaning, Said, read
from operations.xdmod.settings import XdmodSettings

__all__ = ["PROGRAMS", "Commands", "found", "patient"]

T = TypeVar("T")

#: XDMoD's commands that are run here.
PROGRAMS = ("xdmod-shredder", "xdmod-ingestor", "xdmod-import-csv", "acl-config")
#: Seconds before the next attempt, each more or less a fifth; then it ends.
_WAITS = (5.0, 10.0, 20.0, 40.0, 60.0)
_SPREAD = 0.2
#: Seconds that a command has to end by itself once it is told to.
_GRACE = 10.0
_CHUNK = 1 << 16
_LEVELS = (
    (re.compile(r"\[(error|critical|alert|emergency)\]", re.IGNORECASE), logging.ERROR),
    (re.compile(r"\[warning\]", re.IGNORECASE), logging.WARNING),
)
_log = logging.getLogger("xdmod")


class Commands:
    """Runs XDMoD's commands. Made by `Commands.alone`. `retried` counts the calls that had to be made again."""

    def __init__(self, settings: XdmodSettings, lock: IO[str]) -> None:
        self._settings, self._lock = settings, lock
        self.retried = 0

    @classmethod
    @contextmanager
    def alone(cls, settings: XdmodSettings, outbox: Path, ledger: Ledger) -> Iterator["Commands"]:
        """Be the only one who hands files on to XDMoD, of this outbox and of all others with the same ledger.

        Raises SourceUnavailable at once where another process is, or one of XDMoD's commands that it left behind.
        """
        # The first is free when its process dies, and tells other hosts; the second outlives it in XDMoD's command.
        busy = SourceUnavailable(
            f"Another xdmod-cloud, or a command of XDMoD that it had begun, is still at work on {outbox}. Wait for it"
            " to end, then run again."
        )
        with written_safely(outbox):
            outbox.mkdir(parents=True, exist_ok=True)
        with sole_writer(ledger.engine, "what goes into XDMoD"), file_lock(outbox / ".xdmod.lock", busy) as lock:
            yield cls(settings, lock)

    def run(self, program: str, *arguments: str, begun: Path | None = None, everything: bool = False) -> Said:
        """Run a command, again while a lock or the connection fails; what else is wrong is for the caller to judge.

        The file `begun` is there from before the command begins until it has ended with 0, whoever outlives whom. With
        `everything`, the command is to do all that there is, and may say what there is not.

        Raises SourceUnavailable where that goes on, or where the command takes longer than it may and is stopped,
        ConfigurationError where there is no such command, or XDMoD cannot do it as it is set up.
        """
        path = found(self._settings, program)

        def once() -> Said | None:
            said = self._run(_noted([str(path), *arguments], begun), everything=everything)
            if said is not None and said.fault is Meaning.AGAIN:
                raise SourceUnavailable(f"{program}: {said.why}. What is left to do is kept: run again later.")
            return said

        said = patient(once, self._count)
        if said is None:
            # What took that long once is not tried again at once.
            raise SourceUnavailable(
                f"{program} was not done after {self._settings.time_limit_hours:g} h, and was stopped. Look at what"
                " XDMoD's database is doing, or raise [xdmod] time_limit_hours. What is left to do is kept: run again"
                " later."
            )
        if said.fault is Meaning.CONFIGURATION:
            raise ConfigurationError(f"{program}: {said.why}. What is left to do is kept: run again afterwards.")
        return said

    def must(self, program: str, *arguments: str, everything: bool = False) -> Said:
        """Run a command of which nothing may go wrong. Raises DataError where something does."""
        said = self.run(program, *arguments, everything=everything)
        if said.fault is not None:
            raise DataError(f"{program} {' '.join(arguments)}: {said.why}. What is left to do is kept.")
        return said

    def _count(self) -> None:
        self.retried += 1

    def _run(self, words: list[str], *, everything: bool) -> Said | None:
        """Run a command to its end, and judge it; none where it took longer than it may, and was stopped."""
        _log.info("$ %s", " ".join(words))
        lines, until = list[str](), monotonic() + self._settings.time_limit_hours * 3600
        # A command that outlives this process keeps the lock: no other one is to begin beside it.
        with self._begun(words) as process:
            try:
                for line in _lines(process, until):
                    lines.append(line)
                    _log.log(_level(line), "%s", line)
                code = process.wait(max(until - monotonic(), 0))
            except BaseException as error:
                # Nothing else reaches it, not even the keyboard: its group is its own.
                _stop(process)
                if isinstance(error, subprocess.TimeoutExpired):
                    return None
                raise
        return read(lines, code, everything=everything)

    def _begun(self, words: list[str]) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                pass_fds=[self._lock.fileno()],
                process_group=0,
            )
        except OSError as error:
            raise ConfigurationError(
                f"{words[0]} cannot be run: {error.strerror}. Correct [xdmod] bin, or XDMoD's installation."
            ) from error


def _noted(words: list[str], begun: Path | None) -> list[str]:
    if begun is None:
        return words
    with written_safely(begun):
        begun.touch()
        flush(begun.parent)
    return ["/bin/sh", "-c", 'mark=$1; shift; "$@" && rm -f -- "$mark"', "sh", str(begun), *words]


def _lines(process: "subprocess.Popen[bytes]", until: float) -> Iterator[str]:
    """What a command prints, line by line as it comes. Raises TimeoutExpired where that goes on at `until`."""
    assert process.stdout is not None
    decoder, rest, chunk = codecs.getincrementaldecoder("utf-8")("replace"), "", b"begin"
    with DefaultSelector() as selector:
        selector.register(process.stdout, EVENT_READ)
        while chunk:
            left = until - monotonic()
            if left <= 0 or not selector.select(left):
                raise subprocess.TimeoutExpired(process.args, until)
            chunk = os.read(process.stdout.fileno(), _CHUNK)
            *lines, rest = (rest + decoder.decode(chunk, final=not chunk)).split("\n")
            yield from (line.rstrip("\r") for line in lines)
    if rest:
        yield rest


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End a command, and all that it has begun: first kindly, then for good."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def found(settings: XdmodSettings, program: str) -> Path:
    """The absolute path of one of XDMoD's commands.

    Raises ConfigurationError where it is not where the configuration says, or nowhere in PATH.
    """
    where = shutil.which(program, path=str(settings.bin) if settings.bin else None)
    if where is None:
        place = str(settings.bin) if settings.bin else f"PATH ({os.environ.get('PATH', '')})"
        raise ConfigurationError(
            f"There is no {program} in {place}. Run this where XDMoD is installed, or name the folder of its commands"
            " in [xdmod] bin."
        )
    return Path(where).absolute()


def patient(work: Callable[[], T], again: Callable[[], None] = lambda: None) -> T:
    """Do something that may find a service or a lock away, and do it again after a pause, five times at most."""
    for wait in _WAITS:
        try:
            return work()
        except SourceUnavailable as error:
            pause = wait * random.uniform(1 - _SPREAD, 1 + _SPREAD)
            _log.warning("%s Trying again in %.0f s.", error, pause)
            again()
            sleep(pause)
    return work()


def _level(line: str) -> int:
    return next((level for pattern, level in _LEVELS if pattern.search(line)), logging.INFO)
