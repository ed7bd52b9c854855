"""ColdFront's models by name, and the words by which a script fills a database. Runs where ColdFront is installed."""

import hashlib
import os
from importlib import import_module
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "coldfront.config.settings")
import_module("django").setup()
_model = import_module("django.apps").apps.get_model

User: Any = _model("auth.User")
Project: Any = _model("project.Project")
Allocation: Any = _model("allocation.Allocation")
AllocationAttribute: Any = _model("allocation.AllocationAttribute")
Resource: Any = _model("resource.Resource")


def person(name: str, mail: str | None = None, *, staff: bool = False, may: tuple[str, ...] = ()) -> Any:
    """Somebody with an API token that follows from the name, and with those rights."""
    mail = f"{name}@site.example" if mail is None else mail
    user = User.objects.create(username=name, email=mail, is_staff=staff)
    _model("authtoken.Token").objects.create(user=user, key=hashlib.sha1(name.encode()).hexdigest())
    for right in may:
        user.user_permissions.add(_model("auth.Permission").objects.get(codename=right))
    return user


def resource(name: str, kind: str) -> Any:
    """A cloud of that kind, which is made where it is new."""
    described, _ = _model("resource.ResourceType").objects.get_or_create(name=kind)
    return Resource.objects.create(name=name, description=name, resource_type=described)


def project(title: str, pi: Any, field: str = "Other", *, status: str = "Active") -> Any:
    """A project with its PI as manager; the field of science must be one that ColdFront brings."""
    made = Project.objects.create(
        title=title,
        pi=pi,
        description=f"What {title} is about",
        status=_model("project.ProjectStatusChoice").objects.get(name=status),
        field_of_science=_model("field_of_science.FieldOfScience").objects.filter(description=field)[0],
    )
    belongs(made, pi, "Manager")
    return made


def belongs(to: Any, user: Any, role: str = "User", *, status: str = "Active") -> None:
    """Make somebody a member of a project."""
    _model("project.ProjectUser").objects.create(
        project=to,
        user=user,
        role=_model("project.ProjectUserRoleChoice").objects.get(name=role),
        status=_model("project.ProjectUserStatusChoice").objects.get(name=status),
    )


def allocation(of: Any, status: str, *resources: Any, values: tuple[tuple[str, str | int], ...] = ()) -> Any:
    """An allocation with its attributes in that order; an attribute whose value is a number is of type Int."""
    made = Allocation(project=of, justification="for tests")
    turn(made, status)
    made.resources.set(resources)
    for name, value in values:
        kind = "Int" if isinstance(value, int) else "Text"
        typed, _ = _model("allocation.AllocationAttributeType").objects.get_or_create(
            name=name, defaults={"attribute_type": _model("allocation.AttributeType").objects.get(name=kind)}
        )
        AllocationAttribute.objects.create(allocation=made, allocation_attribute_type=typed, value=str(value))
    return made


def turn(changed: Any, status: str) -> None:
    """Give an allocation another status, which is made where ColdFront does not bring it."""
    changed.status, _ = _model("allocation.AllocationStatusChoice").objects.get_or_create(name=status)
    changed.save()
