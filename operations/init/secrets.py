"""Secrets by reference: read when they are needed, and kept from whatever is printed."""

import os
import re
from pathlib import Path

from msgspec import Struct

from ledger import ConfigurationError

__all__ = ["MASK", "Secret", "place_of", "secret_of"]

MASK = "********"
#: What neither XDMoD's settings nor its way of calling MariaDB's client admit. Source: XDMoD's set-up says so of
#: quotes; PHP's parse_ini_file has a meaning of its own for the others.
_REFUSED = re.compile(r"[\"'\\\x00-\x1f\x7f]|\$\{")


class Secret(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is. A file is relative to the file that names it."""

    file: str | None = None
    env: str | None = None


def place_of(secret: Secret, folder: Path) -> tuple[str, str]:
    """How to name a secret to another program: what kind of place it is in, and which."""
    if secret.file is not None:
        return "file", str((folder / secret.file).absolute())
    return "env", str(secret.env)


def secret_of(secret: Secret, folder: Path, named_by: str) -> str:
    """A secret without the newline at its end; `named_by` is the key that says where it is.

    Raises ConfigurationError where it is not there, empty, or holds what XDMoD cannot take.
    """
    kind, where = place_of(secret, folder)
    if kind == "file":
        try:
            text = Path(where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigurationError(f"{named_by}: {where} cannot be read: {said}. Put the secret there.") from error
    elif where in os.environ:
        text = os.environ[where]
    else:
        raise ConfigurationError(f"{named_by}: the environment has no variable {where}. Set it, or name a file.")
    text = text.rstrip("\r\n")
    if not text:
        raise ConfigurationError(f"{named_by}: {where} is empty. An account without a password is not made.")
    if _REFUSED.search(text):
        raise ConfigurationError(
            f"{named_by}: what is in {where} holds a quote, a backslash, a line break or ${{, which XDMoD cannot take."
            " Choose another password."
        )
    return text
