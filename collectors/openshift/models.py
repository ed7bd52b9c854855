"""Which model of GPU each node had when: a node that tells none, because it is down, keeps the last one."""

from collections.abc import Mapping
from typing import NamedTuple

from collectors.openshift.grid import Runs
from ledger.cluster import Node

__all__ = ["Models", "Product"]


class Product(NamedTuple):
    """What the labels of a node tell, and when: the model of its GPUs, and its own."""

    model: str
    machine: str
    runs: Runs


class Models:
    """The models of all nodes at the points of a window; `before` is what was known of them before it."""

    def __init__(self, told: Mapping[str, list[Product]], before: Mapping[str, Node]) -> None:
        self._known = {name: node.gpu_model for name, node in before.items()}
        self._spells = {
            node: sorted((run.first, run.last, one.model) for one in several for run in one.runs)
            for node, several in told.items()
        }

    def at(self, node: str, point: int) -> str | None:
        """The model at a point of the window: told there, or last told before."""
        model = self._known.get(node)
        for first, _, told in self._spells.get(node, ()):
            if first > point:
                break
            model = told
        return model

    def changes(self, node: str, first: int, last: int) -> bool:
        """Whether the model differs between two points."""
        return (
            any(first < begins <= last for begins, _, _ in self._spells.get(node, ()))
            and len({self.at(node, point) for point in range(first, last + 1)}) > 1
        )
