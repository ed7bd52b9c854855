"""Names as they are compared and as they are shown."""

import unicodedata
from collections import Counter

__all__ = ["Spellings", "clean", "folded", "plain"]


def clean(text: str) -> str:
    """A name as it is shown: on one line, without control characters, no blanks around it or doubled in it."""
    if text.isprintable():
        return " ".join(text.split())
    visible = "".join(char for char in text if char.isspace() or unicodedata.category(char) not in _UNSEEN)
    return " ".join(visible.split())


def plain(text: str) -> str:
    """A name as a cloud has it, blanks and all, without control characters."""
    return text if text.isprintable() else "".join(char for char in text if unicodedata.category(char) not in _UNSEEN)


def folded(text: str) -> str:
    """A name as it is compared: letters of either case, and forms of one character, are the same."""
    return clean(unicodedata.normalize("NFKC", text)).casefold()


#: Control characters and halves of characters.
_UNSEEN = {"Cc", "Cs"}


class Spellings:
    """The ways in which one name is written, of which one has to be shown."""

    def __init__(self) -> None:
        self._seen: dict[str, Counter[str]] = {}

    def add(self, text: str) -> str:
        """Take one; returns what it is compared by."""
        key = folded(text)
        self._seen.setdefault(key, Counter())[clean(text)] += 1
        return key

    def choose(self, key: str, before: str | None) -> str:
        """The one shown before, if it is still in use; else the most frequent, of those the first by the alphabet."""
        seen = self._seen[key]
        if before in seen:
            return str(before)
        return min(seen, key=lambda text: (-seen[text], text))
