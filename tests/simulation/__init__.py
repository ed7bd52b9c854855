"""A scripted cloud with a virtual clock, on which tests and benchmarks live."""

from tests.simulation.big import BigCloud
from tests.simulation.cloud import SimulatedCloud
from tests.simulation.instance import FLAVORS, Conflict, Flavor, Instance, State
from tests.simulation.operations import OPERATIONS, How

__all__ = [
    "FLAVORS",
    "OPERATIONS",
    "BigCloud",
    "Conflict",
    "Flavor",
    "How",
    "Instance",
    "SimulatedCloud",
    "State",
]
