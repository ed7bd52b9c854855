"""Texts as XDMoD's columns can hold them."""

from hashlib import sha256

__all__ = ["DOMAIN_WIDTH", "HOST_WIDTH", "PROJECT_WIDTH", "fitted"]

#: So many characters of a host's name does XDMoD keep, in events and in facts alike.
HOST_WIDTH = 64
#: So many of a project's.
PROJECT_WIDTH = 256
#: So many of a domain's.
DOMAIN_WIDTH = 64


def fitted(text: str, width: int) -> str:
    """Cut a text to a column's width, and leave out what the column loses.

    XDMoD cuts silently, and drops characters outside the basic multilingual plane; two names could become one. What
    is altered here ends in `~` and eight digits of its digest instead.
    """
    if len(text) <= width and (text.isascii() or max(text) <= "\uffff"):
        return text
    plain = "".join(char if ord(char) <= 0xFFFF else "\N{REPLACEMENT CHARACTER}" for char in text)
    return f"{plain[: width - 9]}~{sha256(text.encode()).hexdigest()[:8]}"
