"""What a reading takes a Keystone's projects and roles for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collectors.openstack import OpenStackSource
from collectors.openstack.cloud import Cloud
from collectors.openstack.ownership import read_ownership
from collectors.told import Told
from demo.replay import INTERNAL_ERROR, Account, Fault, Replay
from ledger import ConfigurationError, DataError, Kind, SourceUnavailable, XdmodCloudError
from ledger.ownership import CloudProject, Membership
from tests.simulation import SimulatedCloud

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
Read = Callable[[Replay], Told]


@pytest.fixture
def cloud() -> SimulatedCloud:
    """A cloud with three projects inside each other, beside the administrator's."""
    cloud = SimulatedCloud(NOON)
    cloud.project("physics", "science", tags=["pi:curie", "funded"])
    cloud.project("optics", "science", parent="physics")
    cloud.project("lasers", "science", parent="optics", enabled=False)
    return cloud


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads who owns what in the cloud of a server, which the ledger calls `sim`."""

    def reading(server: Replay) -> Told:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(server.clouds_yaml(tmp_path / "clouds.yaml")))
        settings = OpenStackSource(name="sim", cloud="demo", resource="sim")
        return read_ownership(Cloud.connect(settings), settings)

    return reading


def told(cloud: SimulatedCloud, read: Read) -> Told:
    with Replay(cloud) as server:
        return read(server)


def projects(told: Told) -> dict[str, CloudProject]:
    """The projects by name."""
    return {record.name: record for record in told.records if isinstance(record, CloudProject)}


def members(told: Told) -> list[tuple[str, str | None, str]]:
    """Project, user and role of each membership, by name."""
    names = {project.subject: project.name for project in projects(told).values()}
    found = [record for record in told.records if isinstance(record, Membership)]
    return sorted((names[member.project], member.name, member.role) for member in found)


def answered(path: str, body: Any, status: int = 200) -> Callable[[str, str, str, int], Fault | None]:
    """Answer like this whenever that list is asked for."""
    fault = Fault(status, msgspec.json.encode(body))
    return lambda _method, asked, _query, _nth: fault if asked.endswith(path) else None


def failing(cloud: SimulatedCloud, read: Read, path: str, body: Any, status: int = 200) -> XdmodCloudError:
    """The error that such an answer leads to."""
    with Replay(cloud) as server:
        server.fault = answered(path, body, status)
        with pytest.raises(XdmodCloudError) as raised:
            read(server)
    return raised.value


def project(id: str, parent: str | None = "d", **more: Any) -> dict[str, Any]:
    return {"id": id, "name": id.upper(), "domain_id": "d", "parent_id": parent, "enabled": True, "tags": []} | more


def test_projects_are_told_as_they_are(cloud: SimulatedCloud, read: Read) -> None:
    """Nested ones name the one above, those directly in a domain none; tags and a switched-off project are kept."""
    reading = told(cloud, read)
    science = cloud.identities("projects")[cloud.project("physics")]["domain_id"]
    physics, optics, lasers = (projects(reading)[name] for name in ("physics", "optics", "lasers"))
    assert physics == CloudProject(
        "sim", cloud.project("physics"), "physics", science, parent=None, tags=("funded", "pi:curie")
    )
    assert (optics.parent, lasers.parent) == (physics.id, optics.id)
    assert (physics.enabled, lasers.enabled) == (True, False)
    assert physics.subject == f"sim/{physics.id}"


def test_a_reading_is_whole_and_of_the_cloud_s_time(cloud: SimulatedCloud, read: Read) -> None:
    """What is read as a whole is said, with the source's name and the time in its first answer."""
    reading = told(cloud, read)
    assert (reading.source, reading.at) == ("sim", NOON)
    assert reading.kinds == {Kind.CLOUD_PROJECT, Kind.MEMBERSHIP}
    assert (reading.rejected, reading.warnings) == ([], [])


def test_members_are_users_whatever_gave_them_the_role(cloud: SimulatedCloud, read: Read) -> None:
    """Directly, through a group, and from a project or domain above; implied roles are among them, each once."""
    physics, optics, lasers = (cloud.project(name) for name in ("physics", "optics", "lasers"))
    cloud.grant("member", user=cloud.user("marie"), project=physics)
    cloud.grant("member", group=cloud.group("staff", "marie", "irene"), project=optics)
    cloud.grant("reader", user=cloud.user("marie"), project=optics)
    cloud.grant("observer", user=cloud.user("pierre"), project=optics, inherited=True)
    cloud.grant("auditor", user=cloud.user("eve"), domain=cloud.identities("projects")[lasers]["domain_id"])
    cloud.grant("guest", group=cloud.group("nobody"), project=lasers)
    reading = told(cloud, read)
    assert members(reading) == [
        ("lasers", "pierre", "observer"),
        ("optics", "irene", "member"),
        ("optics", "irene", "reader"),
        ("optics", "marie", "member"),
        ("optics", "marie", "reader"),
        ("physics", "marie", "member"),
        ("physics", "marie", "reader"),
    ]
    subjects = [(record.kind, record.subject, record.identity) for record in reading.records]
    assert len(set(subjects)) == len(subjects)


def test_a_role_in_a_whole_domain_s_projects(cloud: SimulatedCloud, read: Read) -> None:
    """A role that a domain hands down holds in each of its projects, and no other."""
    science = cloud.identities("projects")[cloud.project("physics")]["domain_id"]
    cloud.grant("reader", user=cloud.user("eve"), domain=science, inherited=True)
    assert [project for project, _, _ in members(told(cloud, read))] == ["lasers", "optics", "physics"]


def test_what_is_deleted_is_told_no_more(cloud: SimulatedCloud, read: Read) -> None:
    """Neither the project nor its members."""
    cloud.grant("member", user=cloud.user("marie"), project=cloud.project("lasers"))
    cloud.advance(hours=1)
    cloud.delete_project("lasers")
    reading = told(cloud, read)
    assert reading.at == NOON + timedelta(hours=1)
    assert projects(reading).keys() == {"admin", "physics", "optics"}
    assert members(reading) == []


def test_a_user_whom_the_directory_forgot(cloud: SimulatedCloud, read: Read) -> None:
    """Keystone still lists the role and names nobody: the id is told without a name."""
    id_ = cloud.project("physics")
    role = {"scope": {"project": {"id": id_, "name": "physics"}}, "user": {"id": "u", "name": ""}}
    with Replay(cloud) as server:
        server.fault = answered("role_assignments", {"role_assignments": [role | {"role": {"id": "r", "name": "x"}}]})
        found = [record for record in read(server).records if isinstance(record, Membership)]
    assert found == [Membership(projects(told(cloud, read))["physics"].subject, "u", "x", None)]


def test_a_project_that_acts_as_a_domain_is_none(cloud: SimulatedCloud, read: Read) -> None:
    """It is left out with the roles in it, and is nobody's parent."""
    listed = [project("d", None, domain_id=None, is_domain=True), project("a")]
    role = {"user": {"id": "u", "name": "eve"}, "role": {"id": "r", "name": "member"}}
    scopes = [{"project": {"id": "d", "name": "D"}}, {"domain": {"id": "d", "name": "D"}}, {"system": {"all": True}}]
    faults = [
        answered("/projects", {"projects": listed}),
        answered("role_assignments", {"role_assignments": [role | {"scope": scope} for scope in scopes]}),
    ]
    with Replay(cloud) as server:
        server.fault = lambda *asked: next(filter(None, (fault(*asked) for fault in faults)), None)
        assert read(server).records == [CloudProject("sim", "a", "A", "d")]


@pytest.mark.parametrize("max_db_limit", [1, 2, 3, 4, 5])
def test_a_keystone_that_pages_is_read_to_the_end(cloud: SimulatedCloud, read: Read, max_db_limit: int) -> None:
    """Newer Keystones list no more than that at once, and say so only to those who ask for pages."""
    with Replay(cloud, max_db_limit=max_db_limit) as server:
        assert projects(read(server)).keys() == {"admin", "physics", "optics", "lasers"}


def test_a_list_that_is_cut_short_fails(cloud: SimulatedCloud, read: Read) -> None:
    """Older Keystones say only that something is missing, at a site that limits lists: then nothing counts."""
    links = {"next": None, "self": "http://keystone/v3/projects", "previous": None}
    error = failing(cloud, read, "/projects", {"projects": [project("a")], "links": links, "truncated": True})
    assert isinstance(error, ConfigurationError)
    assert str(error) == (
        'Keystone of cloud "demo" cuts the list GET /projects?limit=1000 short and does not tell how it goes on.'
        " Nothing was recorded; raise list_limit in keystone.conf, or leave it out."
    )


def test_pages_in_a_circle_fail(cloud: SimulatedCloud, read: Read) -> None:
    """A link back ends the reading."""
    links = {"next": "http://keystone/v3/projects?limit=1000&marker=" + cloud.project("physics")}
    error = failing(cloud, read, "/projects", {"projects": [project("a")], "links": links, "truncated": True})
    assert isinstance(error, SourceUnavailable)
    assert "leads from page to page in a circle at GET /projects?limit=1000&marker=" in str(error)


def test_no_project_at_all_fails(cloud: SimulatedCloud, read: Read) -> None:
    """A cloud has its administrator's project: an empty list is an account that sees too little."""
    error = failing(cloud, read, "/projects", {"projects": []})
    assert isinstance(error, ConfigurationError)
    assert str(error).startswith('Keystone of cloud "demo" lists no project to this account. The account must be one')


@pytest.mark.parametrize(("path", "named"), [("/projects", "projects"), ("/role_assignments", "role_assignments")])
@pytest.mark.parametrize("status", [401, 403])
def test_an_account_that_may_not(cloud: SimulatedCloud, read: Read, path: str, named: str, status: int) -> None:
    """A policy answers 403, an access rule that is missing 401: both are told, with the rule."""
    error = failing(cloud, read, path, {"error": {"code": status, "message": "No.", "title": "No"}}, status)
    assert isinstance(error, ConfigurationError)
    assert f"access rules, one of them must allow GET /v3/{named} of identity." in str(error)
    assert ("may read all projects" in str(error)) == (status == 403)


def test_a_member_is_refused(cloud: SimulatedCloud, read: Read) -> None:
    """Keystone's own policy lets nobody list all projects who has a role in one only."""
    member = Account("eve", role="member", project="admin")
    with Replay(cloud, accounts=[member]) as server, pytest.raises(ConfigurationError, match="forbids GET /projects"):
        read(server)


@pytest.mark.parametrize(
    ("listed", "circle"),
    [
        ([project("a", "a")], "A (a)"),
        ([project("a", "b"), project("b", "a")], "A (a), B (b)"),
        ([project("x", "a"), project("a", "b"), project("b", "c"), project("c", "a")], "A (a), B (b), C (c)"),
    ],
)
def test_projects_that_contain_each_other(
    cloud: SimulatedCloud, read: Read, listed: list[dict[str, Any]], circle: str
) -> None:
    """The error names those of the circle, and not what hangs on it."""
    error = failing(cloud, read, "/projects", {"projects": listed})
    assert isinstance(error, DataError)
    assert f"has projects that contain each other: {circle}. Nothing was recorded" in str(error)


def test_a_parent_that_is_not_listed_is_kept(cloud: SimulatedCloud, read: Read) -> None:
    """What Keystone says is told, though nobody can follow it."""
    with Replay(cloud) as server:
        server.fault = answered("/projects", {"projects": [project("a", "unknown")]})
        assert projects(read(server))["A"].parent == "unknown"


@pytest.mark.parametrize("body", [{}, {"projects": None}, {"projects": [{"id": "a"}]}, {"error": {"code": 200}}])
def test_an_answer_of_another_shape_fails(cloud: SimulatedCloud, read: Read, body: Any) -> None:
    """It does not pass for a cloud without projects."""
    assert isinstance(failing(cloud, read, "/projects", body), SourceUnavailable)


def test_a_fault_that_passes_does_not_matter(cloud: SimulatedCloud, read: Read) -> None:
    """One failed answer is asked for again."""
    lists = ("/identity/v3/projects", "/identity/v3/role_assignments")
    with Replay(cloud) as server:
        server.fault = lambda _method, path, _query, nth: INTERNAL_ERROR if path in lists and nth == 1 else None
        assert len(projects(read(server))) == 4
