"""A real cloud that lives as long as a session, and the few calls by which tests drive it."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct
from openstack.config import OpenStackConfig
from openstack.connection import Connection

HERE = Path(__file__).parent

#: Where `up` keeps everything; the same rule as there.
DIRECTORY = Path(
    os.environ.get("XDMOD_CLOUD_OPENSTACK")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "xdmod-cloud", "openstack")
)

#: The newest microversion whose answers the collectors know.
MICROVERSION = "2.96"


class Member(Struct, frozen=True):
    """A user with role `member` on a project; both are in one domain."""

    user: str
    project: str
    domain: str


class Cloud:
    """A running cloud; `clouds_yaml` has the entries `admin`, `collector`, `reader`, `astro` and `climate`."""

    def __init__(self, clouds_yaml: Path) -> None:
        """Talk to the cloud that the file describes."""
        self.clouds_yaml = clouds_yaml
        self._config = OpenStackConfig(config_files=[str(clouds_yaml)], secure_files=[], load_envvars=False)
        self._members = cache(self._enrol)

    def connect(self, entry: str) -> Connection:
        """Log in by an entry of `clouds.yaml`."""
        return Connection(config=self._config.get_one(cloud=entry))

    @cached_property
    def admin(self) -> Connection:
        """The administrator, who drives."""
        return self.connect("admin")

    @cached_property
    def image(self) -> str:
        """The id of the first image; those of shelved servers come later."""
        images = self.admin.image.get("/images?sort=created_at:asc").json()["images"]
        return str(images[0]["id"])

    def flavors(self) -> dict[str, str]:
        """The ids of the flavors, by name."""
        bodies = self.admin.compute.get("/flavors").json()["flavors"]
        return {body["name"]: body["id"] for body in bodies}

    def create_flavor(self, name: str, vcpus: int, ram: int, disk: int) -> None:
        """Create a flavor of so many vCPUs, MiB of memory and GB of disk."""
        flavor = {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}
        self.admin.compute.post("/flavors", json={"flavor": flavor}).raise_for_status()

    def identified(self, kind: str, name: str, domain: str | None = None) -> str | None:
        """The id of a domain, project, user or role by its name, and by its domain's id where it has one."""
        within = f"&domain_id={domain}" if domain else ""
        bodies = self.admin.identity.get(f"/{kind}s?name={name}{within}").json()[f"{kind}s"]
        return bodies[0]["id"] if bodies else None

    def member(self, member: Member) -> Connection:
        """Log in as a member; domain, project and user are created where they are missing."""
        return self._members(member)

    def boot(self, name: str, flavor: str, member: Member) -> str:
        """Ask for a server on behalf of a member; its id."""
        wanted = {"name": name, "flavorRef": self.flavors()[flavor], "imageRef": self.image, "networks": "none"}
        answer = self.member(member).compute.post("/servers", json={"server": wanted}, microversion=MICROVERSION)
        answer.raise_for_status()
        return str(answer.json()["server"]["id"])

    def act(self, server: str, body: dict[str, Any]) -> None:
        """Ask for an operation on a server."""
        path = f"/servers/{server}/action"
        self.admin.compute.post(path, json=body, microversion=MICROVERSION).raise_for_status()

    def delete(self, server: str) -> None:
        """Ask for the deletion of a server."""
        self.admin.compute.delete(f"/servers/{server}").raise_for_status()

    def server(self, server: str) -> dict[str, Any] | None:
        """The body of a server, or nothing once it is deleted."""
        answer = self.admin.compute.get(f"/servers/{server}", microversion=MICROVERSION, raise_exc=False)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()["server"]
        return body

    def _enrol(self, member: Member) -> Connection:
        auth = self.admin.config.config["auth"]
        domain = self._ensured("domain", member.domain)
        project = self._ensured("project", member.project, domain)
        password, email = auth["password"], f"{member.user}@example.org"
        user = self._ensured("user", member.user, domain, password=password, email=email)
        path = f"/projects/{project}/users/{user}/roles/{self.identified('role', 'member')}"
        self.admin.identity.put(path).raise_for_status()
        itself = {"user_id": user, "password": password, "project_id": project}
        return Connection(auth={"auth_url": auth["auth_url"], **itself}, region_name="RegionOne")

    def _ensured(self, kind: str, name: str, domain: str | None = None, **details: str) -> str:
        if (found := self.identified(kind, name, domain)) is None:
            body = {"name": name, **({"domain_id": domain} if domain else {}), **details}
            answer = self.admin.identity.post(f"/{kind}s", json={kind: body})
            answer.raise_for_status()
            found = str(answer.json()[kind]["id"])
        return found


def missing_packages() -> list[str]:
    """The Debian packages without which no cloud can be started."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    needed = {"mariadbd": "mariadb-server", "rabbitmq-server": "rabbitmq-server"}
    return [package for program, package in needed.items() if shutil.which(program, path=path) is None]


@contextmanager
def started() -> Iterator[Cloud]:
    """Start an empty cloud and stop it in the end; sessions that share the directory take turns."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"XDMOD_CLOUD_OPENSTACK": str(DIRECTORY), "PYTHON": sys.executable}
    with (DIRECTORY / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _run([HERE / "up", "--until", str(os.getpid())], environment)
            yield Cloud(DIRECTORY / "clouds.yaml")
        finally:
            _run([HERE / "down"], environment)


def _run(command: list[str | Path], environment: dict[str, str]) -> None:
    """Show what the command prints while it does, and fail with the last of it."""
    line, pipe = "", subprocess.PIPE
    with subprocess.Popen(command, env=environment, text=True, stdout=pipe, stderr=subprocess.STDOUT) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {line.strip()}")
