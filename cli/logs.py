"""What goes to stderr: lines for people, or one JSON object a line for a program that collects logs."""

import logging
import sys
from datetime import UTC, datetime
from io import TextIOBase
from typing import Literal, TextIO

import msgspec

__all__ = ["LogFormat", "set_up"]

LogFormat = Literal["text", "json"]
#: How lines begin that commands print, and how grave they are.
_WARNING, _ERROR = "xdmod-cloud: warning: ", "xdmod-cloud: "


def set_up(*, verbose: bool, form: LogFormat) -> None:
    """Say how and how much is logged, from here on."""
    level = logging.INFO if verbose else logging.ERROR
    if form == "text":
        logging.basicConfig(level=level, format="%(asctime)s %(name)s: %(message)s")
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Whatever is printed for people becomes a line of the log, too.
    sys.stderr = _JsonLines(sys.stderr)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        at = datetime.fromtimestamp(record.created, UTC)
        return _line(at, record.levelname.lower(), record.name, text)


class _JsonLines(TextIOBase):
    """A stream that makes an object of each line."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._rest = stream, ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("only text is written here")
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._stream.write(_told(line) + "\n")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


def _told(line: str) -> str:
    now = datetime.now(UTC)
    if line.startswith(_WARNING):
        return _line(now, "warning", "xdmod-cloud", line.removeprefix(_WARNING))
    if line.startswith(_ERROR):
        return _line(now, "error", "xdmod-cloud", line.removeprefix(_ERROR))
    return _line(now, "info", "xdmod-cloud", line)


def _line(at: datetime, level: str, name: str, text: str) -> str:
    document = {"time": at, "level": level, "logger": name, "message": text}
    return msgspec.json.encode(document).decode()
