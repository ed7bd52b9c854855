"""An INI file as PHP reads it, of which single values are set and all else stays: comments, order, foreign keys."""

import re
from pathlib import Path
from typing import NamedTuple

from ledger import ConfigurationError

__all__ = ["Ini"]

_SECTION = re.compile(r"\s*\[([^\]]*)\]")
_KEY = re.compile(r"\s*([^\s;=\[][^=]*?)\s*=\s*(.*)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


class _Entry(NamedTuple):
    """A key in a section, what it says, and its lines: the first, and the one after the last."""

    section: str
    key: str
    value: str
    first: int
    end: int


class Ini:
    """The lines of a file. Where a key stands more than once, the last counts, as in PHP."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines(keepends=True)
        if self._lines and not self._lines[-1].endswith("\n"):
            self._lines[-1] += "\n"

    @classmethod
    def read(cls, path: Path) -> "Ini":
        """Read a file. Raises ConfigurationError where it cannot be read."""
        try:
            return cls(path.read_bytes().decode("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}. Correct its rights, or the file.") from error

    @property
    def text(self) -> str:
        """The file as it is now."""
        return "".join(self._lines)

    def get(self, section: str, key: str) -> str | None:
        """What a key says; None where it is not there."""
        entry = self._entry(section, key)
        return entry.value if entry else None

    def set(self, section: str, key: str, value: str) -> None:
        """Let a key say something; nothing changes where it does."""
        entry, line = self._entry(section, key), f'{key} = "{value}"\n'
        if entry is None:
            at = self._end_of(section)
            self._lines[at:at] = [line]
        elif entry.value != value:
            self._lines[entry.first : entry.end] = [line]

    def _entry(self, section: str, key: str) -> _Entry | None:
        return next((one for one in reversed(self._entries()) if (one.section, one.key) == (section, key)), None)

    def _entries(self) -> list[_Entry]:
        found, section, at = list[_Entry](), "", 0
        while at < len(self._lines):
            if match := _SECTION.match(self._lines[at]):
                section = match[1].strip()
            elif match := _KEY.match(self._lines[at]):
                value, end = self._value(match[2], at)
                found.append(_Entry(section, match[1], value, at, end))
                at = end - 1
            at += 1
        return found

    def _value(self, rest: str, at: int) -> tuple[str, int]:
        """A value, which in quotes may go on over lines, and the line after it."""
        end = at + 1
        if not rest.startswith('"'):
            return rest.partition(";")[0].strip(), end
        while (quoted := _QUOTED.match(rest)) is None and end < len(self._lines):
            rest += self._lines[end]
            end += 1
        return (quoted[1] if quoted else rest.strip()), end

    def _end_of(self, section: str) -> int:
        """Where a section ends, which is made where it is not there."""
        inside = [one.end for one in self._entries() if one.section == section]
        if inside:
            return inside[-1]
        heads = [n for n, line in enumerate(self._lines) if (match := _SECTION.match(line)) and match[1] == section]
        if heads:
            return heads[-1] + 1
        self._lines += ["\n", f"[{section}]\n"]
        return len(self._lines)
