"""On which line each value of a JSON or TOML document stands, which the usual readers do not tell."""

import json
import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

__all__ = ["Lines", "Path", "lines_of_json", "lines_of_toml"]

#: The keys, and the numbers in arrays, on the way to a value.
Path = tuple[str | int, ...]

_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_TOML = re.compile(
    r'(?P<comment>#[^\n]*)|"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
    r"|[\[\]{}=,.\n]|[^\s\[\]{}=,.\"'#]+",
    re.DOTALL,
)


class Lines:
    """The lines of a document's values, counted from 1; of a key and its value, that of the key.

    `twice` holds the paths that stand there more than once, which JSON readers pass over.
    """

    def __init__(self) -> None:
        self._lines: dict[Path, int] = {}
        self.twice: list[tuple[Path, int]] = []

    def of(self, path: Path) -> int:
        """The line of a path, or of the nearest value around it."""
        return next((self._lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self._lines), 1)

    def key(self, path: Path, line: int) -> None:
        """Note a key; one that is there already stands twice."""
        if path in self._lines:
            self.twice.append((path, line))
        self._lines[path] = line

    def note(self, path: Path, line: int) -> None:
        """Note a value, unless its key has been noted."""
        self._lines.setdefault(path, line)


class _Token(NamedTuple):
    text: str
    line: int


def lines_of_json(text: str) -> Lines:
    """The lines of a document that is known to be JSON."""
    found = Lines()
    _json_value(_tokens(_JSON, text), (), found)
    return found


def _json_value(tokens: Iterator[_Token], path: Path, found: Lines) -> None:
    token = next(tokens)
    found.note(path, token.line)
    if token.text == "{":
        for key in tokens:
            if key.text == "}":
                return
            if key.text == ",":
                continue
            inner = (*path, json.loads(key.text))
            found.key(inner, key.line)
            next(tokens)
            _json_value(tokens, inner, found)
    elif token.text == "[":
        _json_array(tokens, path, found)


def _json_array(tokens: Iterator[_Token], path: Path, found: Lines) -> None:
    number = 0
    for token in tokens:
        if token.text == "]":
            return
        if token.text != ",":
            _json_value(chain([token], tokens), (*path, number), found)
            number += 1


def _tokens(pattern: re.Pattern[str], text: str) -> Iterator[_Token]:
    line, seen = 1, 0
    for match in pattern.finditer(text):
        line += text.count("\n", seen, match.start())
        seen = match.start()
        if match.lastgroup != "comment":
            yield _Token(match[0], line)


def lines_of_toml(text: str) -> Lines:
    """The lines of a document that is known to be TOML."""
    return _Toml(list(_tokens(_TOML, text))).read()


class _Toml:
    """Walks through the tokens of a document, statement by statement."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._at = tokens, 0
        self._found = Lines()
        self._last: dict[Path, int] = {}

    def read(self) -> Lines:
        table: Path = ()
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.text == "\n":
                self._at += 1
            elif token.text == "[":
                table = self._header()
            else:
                self._pair(table)
        return self._found

    def _header(self) -> Path:
        line = self._tokens[self._at].line
        array = self._tokens[self._at + 1].text == "["
        self._at += 2 if array else 1
        keys = self._keys("]")
        self._at += 1 if array else 0
        path: Path = ()
        for number, key in enumerate(keys):
            path = (*path, key)
            if array and number == len(keys) - 1:
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                self._found.note(path, line)
                path = (*path, self._last[path])
        self._found.note(path, line)
        return path

    def _keys(self, end: str) -> list[str]:
        """The parts of a key, and past what ends it."""
        keys = list[str]()
        while (text := self._take()) != end:
            if text != ".":
                keys.append(next(iter(tomllib.loads(f"{text} = 0"))))
        return keys

    def _pair(self, table: Path) -> None:
        line = self._tokens[self._at].line
        path = table
        for key in self._keys("="):
            path = (*path, key)
            self._found.note(path, line)
        self._value(path)

    def _value(self, path: Path) -> None:
        token = self._tokens[self._at]
        self._found.note(path, token.line)
        if token.text == "[":
            self._at += 1
            number = 0
            while (text := self._peek()) != "]":
                if text in (",", "\n"):
                    self._at += 1
                else:
                    self._value((*path, number))
                    number += 1
            self._at += 1
        elif token.text == "{":
            self._at += 1
            while (text := self._peek()) != "}":
                if text == ",":
                    self._at += 1
                else:
                    self._pair(path)
            self._at += 1
        else:
            # A number with a point, or a time, is more than one token.
            while self._at < len(self._tokens) and self._peek() not in (",", "]", "}", "\n"):
                self._at += 1

    def _peek(self) -> str:
        return self._tokens[self._at].text

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1].text
