"""A Neutron without networks: every list that Nova asks it for is empty, so that no real one need be started."""

import json
from collections.abc import Callable, Iterable
from typing import Any


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Answer `GET /v2.0/ports` with `{"ports": []}`, and so on."""
    collection = environ["PATH_INFO"].rsplit("/", 1)[-1].removesuffix(".json").replace("-", "_")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({collection: []}).encode()]
