"""Whether the program understands a command line, without doing what it says."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import click

from cli.main import command

__all__ = ["understood"]


def understood(*words: str) -> None:
    """Parse a command line, commands, options and values included. Raises click's error for what is not understood.

    A file that is named need not be there, for a document may be read on another machine.
    """
    # What a leaf command does begins with `invoke`; everything before that is understanding.
    with (
        patch.object(click.Command, "invoke", return_value=None),
        patch.object(click.Path, "convert", _path),
    ):
        command.main(args=list(words), standalone_mode=False)


def _path(_: click.Path, value: str, *__: Any) -> Path:
    return Path(value)
