"""Bytes through other programs, as much at a time as they take: compression, and what a database writes and reads."""

import logging
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from io import RawIOBase
from tempfile import TemporaryFile
from threading import Thread
from typing import IO, Any, Literal

from ledger import ConfigurationError, DataError

__all__ = ["CHUNK", "Failed", "Stream", "compressed", "compression", "decompressed", "fed", "through"]

CHUNK = 1 << 20
#: So much of what a program complains of is repeated.
_SAID = 4000
_log = logging.getLogger("backup")
Compression = Literal["zstd", "gzip"]


class Failed(Exception):
    """A program ended with an error, and said this."""


def compression() -> Compression:
    """What is used here: zstd, or gzip where there is none."""
    return "zstd" if shutil.which("zstd") else "gzip"


def compressed(chunks: Iterable[bytes], how: Compression) -> Iterator[bytes]:
    """Compress a stream."""
    yield from through([_program(how), "-c", "-3"], chunks)


def decompressed(chunks: Iterable[bytes], how: Compression, place: str) -> Iterator[bytes]:
    """Undo `compressed`. Raises DataError for a stream that is not whole."""
    try:
        yield from through([_program(how), "-d", "-c"], chunks)
    except Failed as error:
        raise DataError(f"{place} cannot be decompressed ({error}). Use another backup.") from error


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ConfigurationError(f"There is no {name} in PATH, by which this backup is compressed. Install it.")
    return found


def through(words: Sequence[str], chunks: Iterable[bytes] | None = None) -> Iterator[bytes]:
    """What a program makes of a stream, or of nothing. Raises Failed when it fails, or whatever the stream raises."""
    trouble = list[BaseException]()
    with TemporaryFile() as said, _started(words, said.fileno(), chunks is not None) as process:
        feeder = Thread(target=_feed, args=(process, chunks or (), trouble), daemon=True)
        feeder.start()
        try:
            assert process.stdout is not None
            while chunk := process.stdout.read(CHUNK):
                yield chunk
        except BaseException:
            process.kill()
            raise
        finally:
            # What feeds a program that was killed finds its pipe closed.
            process.wait()
            feeder.join()
        _judge(process, trouble, said)


def fed(words: Sequence[str], chunks: Iterable[bytes]) -> bytes:
    """Let a program read a stream; returns what it prints. Raises as `through` does."""
    return b"".join(through(words, chunks))


def _started(words: Sequence[str], errors: int, reads: bool) -> "subprocess.Popen[bytes]":
    given = subprocess.PIPE if reads else subprocess.DEVNULL
    return subprocess.Popen(words, stdin=given, stdout=subprocess.PIPE, stderr=errors)


def _feed(process: "subprocess.Popen[bytes]", chunks: Iterable[bytes], trouble: list[BaseException]) -> None:
    if process.stdin is None:
        return
    try:
        for chunk in chunks:
            process.stdin.write(chunk)
    except BrokenPipeError:
        pass  # the program has ended, and says why
    except BaseException as error:
        trouble.append(error)
        # Half a stream must not look like a whole one.
        process.kill()
    with suppress(OSError):
        process.stdin.close()


def _judge(process: "subprocess.Popen[bytes]", trouble: list[BaseException], said: IO[bytes]) -> None:
    if trouble:
        raise trouble[0]
    said.seek(0)
    words = " ".join(said.read(_SAID).decode(errors="replace").split())
    if process.returncode:
        raise Failed(words or f"exit code {process.returncode}")
    if words:
        _log.info("%s: %s", process.args, words)


class Stream(RawIOBase):
    """A stream of bytes as a file that is read once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._left = iter(chunks), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
