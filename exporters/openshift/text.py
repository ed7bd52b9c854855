"""Texts as a line can hold them."""

from unicodedata import category

__all__ = ["printable"]

#: Control characters, halves of characters, and what else would end a line.
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}


def printable(text: str) -> str:
    """A text on one line, without what does not print."""
    return text if text.isprintable() else "".join(char for char in text if category(char) not in _UNSEEN)
