"""Reads which projects a cloud has, how they are nested, and who has which role in them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlsplit

from keystoneauth1 import exceptions as failure
from msgspec import Struct, field

from collectors.openstack.cloud import ROLE, Cloud
from collectors.openstack.settings import OpenStackSource
from collectors.told import Told
from ledger import ConfigurationError, DataError, Kind, SourceUnavailable
from ledger.ownership import CloudProject, Membership, ProjectKey

__all__ = ["read_ownership"]

#: Asked for no `limit`, Keystone from 27 on ends the list after 1000 (its `max_db_limit`) and says nothing of it; asked
#: for one, it links to the next page. Older ones know no pages and take no notice.
_PROJECTS = "/projects?limit=1000"
#: Effective: Keystone itself resolves groups, inheritance and implied roles, and then lists no group any more.
_ASSIGNMENTS = "/role_assignments?effective=true&include_names=true"


class _Links(Struct):
    next: str | None = None


class _Page(Struct, kw_only=True):
    """What each of Keystone's lists has. Older Keystones cut at the site's `list_limit` and have no link."""

    links: _Links = field(default_factory=_Links)
    truncated: bool = False


class _Project(Struct):
    id: str
    name: str
    domain_id: str | None = None
    parent_id: str | None = None
    enabled: bool = True
    tags: list[str] = []
    is_domain: bool = False


class _Projects(_Page, kw_only=True):
    projects: list[_Project]


class _Item(Struct):
    id: str
    name: str


class _Scope(Struct):
    """Where a role holds; of a domain or the system, `project` is none."""

    project: _Item | None = None


class _Assignment(Struct):
    scope: _Scope
    user: _Item
    role: _Item


class _Assignments(_Page, kw_only=True):
    role_assignments: list[_Assignment]


P = TypeVar("P", bound=_Page)


def read_ownership(cloud: Cloud, settings: OpenStackSource) -> Told:
    """Read all projects and the roles that hold in them, whether given directly, by a group or from above.

    A role that another implies is among them, as Keystone counts it. Raises ConfigurationError where the account may
    not see them, sees none, or the list is cut short; DataError where projects contain each other; SourceUnavailable
    for whatever else could not be read.
    """
    projects, at = _projects(cloud, settings.name)
    return Told(
        source=settings.name,
        at=at,
        kinds=frozenset({Kind.CLOUD_PROJECT, Kind.MEMBERSHIP}),
        records=[*projects, *_memberships(cloud, settings.name, projects)],
        rejected=[],
        warnings=[],
    )


def _projects(cloud: Cloud, source: str) -> tuple[list[CloudProject], datetime]:
    pages = list(_pages(cloud, _PROJECTS, _Projects))
    found = {item.id: _project(source, item) for page, _ in pages for item in page.projects if not item.is_domain}
    if not found:
        raise ConfigurationError(f'Keystone of cloud "{cloud.name}" lists no project to this account. {ROLE}')
    if circle := _circle({project.id: project.parent for project in found.values()}):
        raise DataError(
            f'Keystone of cloud "{cloud.name}" has projects that contain each other:'
            f" {', '.join(f'{found[id].name} ({id})' for id in circle)}. Nothing was recorded; compare with"
            " `openstack project show`, and correct parent_id in Keystone's database, or what stands before Keystone."
        )
    return list(found.values()), pages[0][1]


def _project(source: str, item: _Project) -> CloudProject:
    return CloudProject(
        cloud=source,
        id=item.id,
        name=item.name,
        domain=item.domain_id or "",
        parent=None if item.parent_id == item.domain_id else item.parent_id,
        enabled=item.enabled,
        tags=tuple(item.tags),
    )


def _circle(parents: Mapping[str, str | None]) -> list[str]:
    """The projects of one chain of parents that leads back to where it began; none where every chain ends."""
    ends = set[str]()
    for start in parents:
        chain: list[str] = []
        at: str | None = start
        while at is not None and at in parents and at not in ends:
            if at in chain:
                return chain[chain.index(at) :]
            chain.append(at)
            at = parents[at]
        ends.update(chain)
    return []


def _memberships(cloud: Cloud, source: str, projects: Iterable[CloudProject]) -> list[Membership]:
    """The roles in those projects. One that somebody has in several ways is one."""
    listed = {project.id for project in projects}
    found = {}
    for page, _ in _pages(cloud, _ASSIGNMENTS, _Assignments):
        for assignment in page.role_assignments:
            project, user = assignment.scope.project, assignment.user
            # One that was made since the projects were listed is told next time, with its members.
            if project is not None and project.id in listed:
                # Keystone calls a user "" whom another directory, as LDAP, no longer has.
                key = ProjectKey(f"{source}/{project.id}")
                member = Membership(key, user.id, assignment.role.name, user.name or None)
                found[key, member.identity] = member
    return list(found.values())


def _pages(cloud: Cloud, path: str, kind: type[P]) -> Iterator[tuple[P, datetime]]:
    """Ask for a list, and for its following pages where Keystone says that there are any."""
    asked, url = set[str](), path
    while url not in asked:
        asked.add(url)
        page, at = _asked(cloud, url, kind)
        yield page, at
        if page.links.next is None:
            if page.truncated:
                raise ConfigurationError(
                    f'Keystone of cloud "{cloud.name}" cuts the list GET {url} short and does not tell how it goes on.'
                    " Nothing was recorded; raise list_limit in keystone.conf, or leave it out."
                )
            return
        url = f"{urlsplit(path).path}?{urlsplit(page.links.next).query}"
    raise SourceUnavailable(
        f'Keystone of cloud "{cloud.name}" leads from page to page in a circle at GET {url}. Nothing was recorded.'
    )


def _asked(cloud: Cloud, url: str, kind: type[P]) -> tuple[P, datetime]:
    try:
        return cloud.decoded("identity", url, kind)
    except ConfigurationError as error:
        # A credential without a rule for a path is refused like a wrong one: 401, although it has just logged in.
        if not isinstance(error.__cause__, failure.Unauthorized | failure.Forbidden):
            raise
        raise ConfigurationError(
            f"{error} Where it is an application credential with access rules, one of them must allow GET"
            f" /v3{urlsplit(url).path} of identity."
        ) from error
