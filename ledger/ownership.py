"""Who owns what, in the terms of the systems and files that tell it: typed, immutable, UTC.

Each record is one statement of one source. What a source no longer tells is recorded once more, with `gone` set, so
that the past stays known. Keys join them: a project of ColdFront is `<name of the ColdFront>/<id>`, one of a cloud is
`<name of the cloud>/<id>`; the root of all projects is `site`.
"""

from datetime import datetime
from typing import ClassVar, NewType

from msgspec import Struct

from ledger.records import Kind

__all__ = [
    "ROOT",
    "Allocation",
    "CloudProject",
    "Membership",
    "Organization",
    "Owning",
    "Person",
    "PersonId",
    "ProjectKey",
    "ResearchProject",
    "Share",
    "TreeProject",
]

PersonId = NewType("PersonId", str)
ProjectKey = NewType("ProjectKey", str)

#: The project that contains all others: the whole site.
ROOT = ProjectKey("site")


class Person(Struct, frozen=True, omit_defaults=True):
    """One user of Keycloak. `institutions` and `fields` are the values of its two attributes, in Keycloak's order."""

    kind: ClassVar[Kind] = Kind.PERSON
    identity: ClassVar[str] = ""

    id: PersonId
    username: str
    email: str = ""
    first: str = ""
    last: str = ""
    enabled: bool = True
    institutions: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    gone: bool = False

    @property
    def subject(self) -> str:
        return self.id


class ResearchProject(Struct, frozen=True, omit_defaults=True):
    """One project of a ColdFront. `pi` is an e-mail address or a user name, as ColdFront has it; "" where it has none.

    `field` is none where ColdFront tells no field of science. `status` is ColdFront's word.
    """

    kind: ClassVar[Kind] = Kind.RESEARCH_PROJECT
    identity: ClassVar[str] = ""

    source: str
    id: str
    title: str
    pi: str
    status: str
    field: str | None = None
    gone: bool = False

    @property
    def subject(self) -> ProjectKey:
        return ProjectKey(f"{self.source}/{self.id}")


class Allocation(Struct, frozen=True, omit_defaults=True):
    """What a project of ColdFront may use of one resource, and what that is called in the cloud.

    `project` is ColdFront's id of the project, `resource` ColdFront's name of the resource. `cloud_project` is the id
    of the OpenStack project or OpenShift namespace, and `cloud_project_name` its name; none before it is provisioned.
    """

    kind: ClassVar[Kind] = Kind.ALLOCATION
    identity: ClassVar[str] = ""

    source: str
    id: str
    project: str
    status: str
    resource: str | None = None
    cloud_project: str | None = None
    cloud_project_name: str | None = None
    code: str | None = None
    gone: bool = False

    @property
    def subject(self) -> str:
        return f"{self.source}/{self.id}"


class CloudProject(Struct, frozen=True, omit_defaults=True):
    """One project of a Keystone. `parent` is the id of the project above it; none where that is its domain."""

    kind: ClassVar[Kind] = Kind.CLOUD_PROJECT
    identity: ClassVar[str] = ""

    cloud: str
    id: str
    name: str
    domain: str
    parent: str | None = None
    enabled: bool = True
    tags: tuple[str, ...] = ()
    gone: bool = False

    @property
    def subject(self) -> ProjectKey:
        return ProjectKey(f"{self.cloud}/{self.id}")


class Membership(Struct, frozen=True, omit_defaults=True):
    """Somebody's role in a project, as one source tells it.

    `project` is a project's key, or `<name of the Keycloak>/<path>` for a group there. `user` is what that source calls
    the person: ColdFront its user name, Keycloak and Keystone their own id; `name` is the user name beside an id.
    """

    kind: ClassVar[Kind] = Kind.MEMBERSHIP

    project: ProjectKey
    user: str
    role: str
    name: str | None = None
    gone: bool = False

    @property
    def subject(self) -> str:
        return self.project

    @property
    def identity(self) -> str:
        return f"{self.user}/{self.role}"


class Organization(Struct, frozen=True, omit_defaults=True):
    """An institution of the site's own list, and the other names under which sources know it."""

    kind: ClassVar[Kind] = Kind.ORGANIZATION
    identity: ClassVar[str] = ""

    name: str
    aliases: tuple[str, ...] = ()
    gone: bool = False

    @property
    def subject(self) -> str:
        return self.name


class TreeProject(Struct, frozen=True, omit_defaults=True):
    """The place of a project in the site's tree. `title` is none for a project whose source names it."""

    kind: ClassVar[Kind] = Kind.TREE_PROJECT
    identity: ClassVar[str] = ""

    project: ProjectKey
    parent: ProjectKey
    title: str | None = None
    gone: bool = False

    @property
    def subject(self) -> str:
        return self.project


class Share(Struct, frozen=True, omit_defaults=True):
    """The part of a project that an institution pays for, from an instant on until another (UTC; none: open).

    `share` is a decimal number in (0, 1], as text, so that nothing is rounded.
    """

    kind: ClassVar[Kind] = Kind.SHARE

    project: ProjectKey
    institution: str
    share: str
    since: datetime
    until: datetime | None = None
    gone: bool = False

    @property
    def subject(self) -> str:
        return self.project

    @property
    def identity(self) -> str:
        return f"{self.since:%Y%m%dT%H%M%S}/{self.institution}"


Owning = Person | ResearchProject | Allocation | CloudProject | Membership | Organization | TreeProject | Share
