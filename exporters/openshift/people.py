"""For whom a pod ran: PI, account and user of its namespace, from where the site says."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from exporters.openshift.form import JobForm
from exporters.openshift.text import printable
from hierarchy.held import Held
from ledger.cluster import Namespace

__all__ = ["People", "Person"]

#: The annotation that ColdFront's plug-in leaves on a namespace: the id of its project.
_PROJECT_ID = "annotation_cf_project_id"
_UNSIGNED = 2**32


class Person(NamedTuple):
    """Whom XDMoD counts a pod for; ids are ColdFront's of the project and the allocation, 0 where not known."""

    group: str
    account: str
    user: str
    gid: int
    uid: int


class People:
    """The namespaces of a cluster as annotations and labels told them through time, and as the hierarchy has them.

    A place is `hierarchy` (the key that group.csv has), `namespace`, or the name of an annotation or label, as
    `annotation_cf_pi`. Where no place says anything, the namespace's name counts.
    """

    def __init__(self, form: JobForm, namespaces: Iterable[Namespace], held: Mapping[str, Held]) -> None:
        self._form, self._held = form, held
        self._states: dict[str, list[Namespace]] = defaultdict(list)
        for state in namespaces:
            self._states[state.name].append(state)
        for states in self._states.values():
            states.sort(key=lambda one: one.since)

    def of(self, namespace: str, at: datetime) -> Person:
        """Whom the pods of a namespace are counted for at a time (UTC)."""
        told, held = self._told(namespace, at), self._held.get(namespace)
        named = f"{self._form.prefix}{namespace}"
        annotated = told.get(_PROJECT_ID, "")
        project = held.project if held else None
        if project is None and annotated.isascii() and annotated.isdecimal() and int(annotated) < _UNSIGNED:
            project = int(annotated)
        return Person(
            group=self._first(self._form.pi, told, held, named),
            account=self._first(self._form.account, told, held, namespace),
            user=self._first(self._form.user, told, held, namespace),
            gid=project or 0,
            uid=(held.allocation if held else None) or 0,
        )

    def _told(self, namespace: str, at: datetime) -> dict[str, str]:
        """Its labels and annotations as of a time; before it was first seen, as it was then."""
        states = self._states.get(namespace)
        if not states:
            return {}
        place = bisect_right(states, at, key=lambda one: one.since)
        state = states[max(place - 1, 0)]
        return {**state.labels, **state.annotations}

    @staticmethod
    def _first(places: Sequence[str], told: Mapping[str, str], held: Held | None, named: str) -> str:
        for place in places:
            if place == "namespace":
                return named
            said = (held.group if held else "") if place == "hierarchy" else printable(told.get(place, "")).strip()
            if said:
                return said
        return named
