"""Answer as Placement does: resource providers and their inventories."""

from demo.replay.keystone import json
from demo.replay.store import Cloud
from demo.replay.wire import Answer, Request

VERSIONS = {
    "versions": [
        {
            "id": "v1.0",
            "max_version": "1.39",
            "min_version": "1.0",
            "status": "CURRENT",
            "links": [{"rel": "self", "href": ""}],
        }
    ]
}


def versions() -> Answer:
    """Answer the version document, which needs no token."""
    return json(200, VERSIONS)


def answer(cloud: Cloud, request: Request) -> Answer:
    """Answer a request under /placement that carries a valid token."""
    match request.path.strip("/").split("/")[1:]:
        case ["resource_providers"]:
            return json(200, {"resource_providers": cloud.providers()})
        case ["resource_providers", provider, "inventories"]:
            inventories = cloud.inventories(provider)
            if inventories is not None:
                return json(200, inventories)
            return _not_found(f"No resource provider with uuid {provider} found")
        case _:
            return _not_found("The resource could not be found.")


def _not_found(detail: str) -> Answer:
    title = {"status": 404, "title": "Not Found", "detail": f"The resource could not be found.\n\n {detail}  "}
    return json(404, {"errors": [title]})
