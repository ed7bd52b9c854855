"""Who owns what in a real Keystone, read by the account that can do nothing but read."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from collectors.openstack import OpenStackSource
from collectors.openstack.cloud import Cloud as Source
from collectors.openstack.ownership import read_ownership
from collectors.told import Told
from ledger import ConfigurationError
from ledger.ownership import CloudProject, Membership
from tests.real.openstack.cloud import Cloud


def put(cloud: Connection, path: str) -> None:
    cloud.identity.put(path).raise_for_status()


@contextmanager
def created(cloud: Connection, kind: str, **details: Any) -> Iterator[str]:
    """The id of something that exists for a while; a domain must be switched off before it can be deleted."""
    answer = cloud.identity.post(f"/{kind}s", json={kind: details})
    answer.raise_for_status()
    id = str(answer.json()[kind]["id"])
    try:
        yield id
    finally:
        if kind == "domain":
            cloud.identity.patch(f"/domains/{id}", json={"domain": {"enabled": False}}).raise_for_status()
        assert cloud.identity.delete(f"/{kind}s/{id}", raise_exc=False).status_code in (204, 404)


def read(real_cloud: Cloud, monkeypatch: pytest.MonkeyPatch, entry: str = "collector") -> Told:
    """What a reading by that account tells; the ledger calls the cloud `real`."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(real_cloud.clouds_yaml))
    settings = OpenStackSource(name="real", cloud=entry, resource="real")
    return read_ownership(Source.connect(settings), settings)


def projects(told: Told) -> dict[str, CloudProject]:
    """The projects by id."""
    return {record.id: record for record in told.records if isinstance(record, CloudProject)}


def members(told: Told, project: str) -> set[tuple[str, str | None, str]]:
    """User, name and role of each that has one in a project."""
    found = (record for record in told.records if isinstance(record, Membership))
    return {(member.user, member.name, member.role) for member in found if member.project == f"real/{project}"}


def test_projects_and_members_as_keystone_has_them(real_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nesting, tags and switched-off projects; the users of groups; what is handed down; implied roles; deletion."""
    admin = real_cloud.admin
    role = {name: real_cloud.identified("role", name) for name in ("member", "reader")}
    with ExitStack() as stack:

        def new(kind: str, **details: Any) -> str:
            return stack.enter_context(created(admin, kind, **details))

        domain = new("domain", name="physics")
        top = new("project", name="optics", domain_id=domain, tags=["pi:ada", "funded"])
        below = new("project", name="lasers", domain_id=domain, parent_id=top, enabled=False)
        ada, eve = (new("user", name=name, domain_id=domain) for name in ("ada-o", "eve-o"))
        group = new("group", name="staff", domain_id=domain)
        put(admin, f"/groups/{group}/users/{ada}")
        put(admin, f"/projects/{top}/groups/{group}/roles/{role['member']}")
        put(admin, f"/OS-INHERIT/projects/{top}/users/{eve}/roles/{role['reader']}/inherited_to_projects")
        put(admin, f"/domains/{domain}/users/{eve}/roles/{role['member']}")

        told = read(real_cloud, monkeypatch)
        assert abs(datetime.now(UTC) - told.at) < timedelta(minutes=1)
        found = projects(told)
        assert found[top] == CloudProject("real", top, "optics", domain, parent=None, tags=("funded", "pi:ada"))
        assert found[below] == CloudProject("real", below, "lasers", domain, parent=top, enabled=False)
        assert domain not in found
        assert members(told, top) == {(ada, "ada-o", "member"), (ada, "ada-o", "reader")}
        assert members(told, below) == {(eve, "eve-o", "reader")}

        admin.identity.delete(f"/projects/{below}").raise_for_status()
        admin.identity.delete(f"/groups/{group}/users/{ada}").raise_for_status()
        told = read(real_cloud, monkeypatch)
        assert below not in projects(told)
        assert members(told, top) == members(told, below) == set()


def test_each_documented_account_sees_the_same(real_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """All projects with their members, by the credential that can only read and by a reader of the system."""
    admin = real_cloud.admin.identity
    listed = {body["id"] for body in admin.get("/projects").json()["projects"]}
    given = admin.get("/role_assignments").json()["role_assignments"]
    users = {body["user"]["id"] for body in given if "project" in body["scope"] and "user" in body}
    told = read(real_cloud, monkeypatch)
    assert projects(told).keys() == listed
    assert users <= {record.user for record in told.records if isinstance(record, Membership)}
    assert set(read(real_cloud, monkeypatch, "reader").records) == set(told.records)


def test_a_member_may_not_list_projects(real_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keystone refuses a plain member, and the error says what account it takes."""
    with pytest.raises(ConfigurationError, match=r"forbids GET /projects\?limit=1000 to this account"):
        read(real_cloud, monkeypatch, "astro")


@pytest.fixture
def narrow(real_cloud: Cloud, tmp_path: Path) -> Cloud:
    """The cloud, with an entry `narrow`: an administrator's credential by which one can list projects, but no roles."""
    admin = real_cloud.admin
    services = {"identity": "/v3/projects", "compute": "/**"}
    rules = [{"service": service, "method": "GET", "path": path} for service, path in services.items()]
    path, wanted = f"/users/{admin.current_user_id}/application_credentials", {"name": "narrow", "access_rules": rules}
    made = admin.identity.post(path, json={"application_credential": wanted}).json()["application_credential"]
    auth = {
        "auth_url": admin.config.config["auth"]["auth_url"],
        "application_credential_id": made["id"],
        "application_credential_secret": made["secret"],
    }
    entry = {"auth_type": "v3applicationcredential", "auth": auth, "region_name": "RegionOne"}
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {"narrow": entry}}))
    return Cloud(tmp_path / "clouds.yaml")


def test_an_access_rule_that_is_missing_is_named(narrow: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keystone answers 401 to a credential whose rules leave the roles out, as it does to a wrong one."""
    with pytest.raises(ConfigurationError, match="must allow GET /v3/role_assignments of identity"):
        read(narrow, monkeypatch, "narrow")


def test_a_list_of_projects_says_how_it_goes_on(real_cloud: Cloud) -> None:
    """Keystone links to the next page if it is asked for pages; roles have none."""
    identity = real_cloud.connect("collector").identity
    page = identity.get("/projects?limit=1").json()
    assert (len(page["projects"]), page["truncated"]) == (1, True)
    assert f"marker={page['projects'][0]['id']}" in page["links"]["next"]
    assert identity.get("/role_assignments?limit=1").json()["links"]["next"] is None
