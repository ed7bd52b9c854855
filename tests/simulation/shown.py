"""Read what the API shows of a simulated cloud, for tests."""

import json
from typing import Any

from tests.simulation.cloud import SimulatedCloud


def body(cloud: SimulatedCloud, server: str) -> Any:
    """A server as the API shows it now."""
    place = cloud.place(server)
    return None if place is None else json.loads(cloud.servers()[place].body)


def actions(cloud: SimulatedCloud, server: str) -> list[Any]:
    """A server's actions with their events, newest first."""
    return [json.loads(action.whole()) for action in cloud.actions(server)]
