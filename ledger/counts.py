"""How many of something, in words for people: what is said of several, of one in the singular."""

import re
from collections.abc import Mapping

__all__ = ["counted", "tallied"]

#: What several do, and what one does.
_VERBS = {"are": "is", "count": "counts", "do": "does", "have": "has", "know": "knows", "were": "was"}
_THING = re.compile(r"(?<=\w)(ies|s)\b")
_VERB = re.compile(rf"\b({'|'.join(_VERBS)})\b")


def counted(number: int, several: str) -> str:
    """Return `1,200 pods have no price`; of one `1 pod has no price`.

    In what is said of several the first word that ends in an s is the thing's name, and the first verb what it does.
    """
    return f"{number:,} {_singular(several) if number == 1 else several}"


def tallied(counts: Mapping[str, int]) -> str:
    """Return all of some counts, whose names are of several: `15 pods, 1 claim, 26 appended`."""
    return ", ".join(counted(number, what) for what, number in counts.items())


def _singular(several: str) -> str:
    one = _THING.sub(lambda ending: "y" if ending[1] == "ies" else "", several, count=1)
    return _VERB.sub(lambda verb: _VERBS[verb[1]], one, count=1)
