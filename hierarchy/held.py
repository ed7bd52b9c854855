"""What is known of who holds a namespace, for those who tell or charge its usage."""

from typing import NamedTuple

__all__ = ["Held"]


class Held(NamedTuple):
    """Who holds a project of a cloud: `group` is its key in group.csv, `name` its shown name.

    `project` and `allocation` are ColdFront's ids, none where these are no numbers; `pi` is an e-mail address or a user
    name, as ColdFront has it. What is not known is empty.
    """

    group: str
    name: str = ""
    project: int | None = None
    allocation: int | None = None
    pi: str = ""
    institution: str = ""
    code: str = ""
