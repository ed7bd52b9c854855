"""The allocation list that OpenStack and OpenShift sites add to ColdFront, by its published contract.

ColdFront runs this file at the end of its own list of addresses, in the namespace of that list.
"""

from importlib import import_module
from typing import Any

_models = import_module("coldfront.core.allocation.models")
_casts: dict[str, type] = {"Int": int, "Float": float}


def _attributes(allocation: Any) -> dict[str, Any]:
    # Of an attribute that is there twice only one can be told.
    return {
        attribute.allocation_attribute_type.name: _casts.get(
            attribute.allocation_attribute_type.attribute_type.name, str
        )(attribute.value)
        for attribute in allocation.allocationattribute_set.order_by("-pk")
    }


def _shown(allocation: Any) -> dict[str, Any]:
    project, resource = allocation.project, allocation.resources.order_by("pk").first()
    return {
        "id": allocation.pk,
        "project": {
            "id": project.pk,
            "title": project.title,
            "pi": project.pi.email,
            "description": project.description,
            "field_of_science": project.field_of_science.description,
            "status": project.status.name,
        },
        "description": allocation.description,
        "resource": resource and {"name": resource.name, "resource_type": resource.resource_type.name},
        "status": allocation.status.name,
        "attributes": _attributes(allocation),
    }


def _list(request: Any) -> Any:
    chosen = {} if request.query_params.get("all") == "true" else {"status__name": "Active"}
    allocations = _models.Allocation.objects.filter(**chosen).order_by("pk")
    return import_module("rest_framework.response").Response([_shown(allocation) for allocation in allocations])


_rest = import_module("rest_framework.decorators")
_staff_only = _rest.permission_classes([import_module("rest_framework.permissions").IsAdminUser])
globals()["urlpatterns"].append(
    import_module("django.urls").path("nerc/api/allocations", _rest.api_view(["GET"])(_staff_only(_list)))
)
