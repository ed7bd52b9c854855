"""Fill a new cloud: `populate.py accounts|contents PASSWORD PORT`; accounts come first, for services need theirs."""

import sys
from typing import Any

import openstack

#: Service type -> its user, the offset of its port from Keystone's, and the path of its API.
SERVICES = {
    "placement": ("placement", 1, ""),
    "compute": ("nova", 2, "/v2.1"),
    "image": ("glance", 3, ""),
    "network": ("neutron", 4, ""),
}

#: Member -> the project and the domain of both, as the entries of `clouds.yaml` have them.
MEMBERS = {"ada": ("astro", "Default"), "carl": ("climate", "partners")}

#: Flavor -> vCPUs, MiB of memory, GB of disk. `x.huge` fits no host.
FLAVORS = {
    "m1.tiny": (1, 512, 1),
    "m1.small": (1, 2048, 20),
    "m1.medium": (2, 4096, 40),
    "m1.large": (4, 8192, 80),
    "x.huge": (9999, 9999999, 1),
}


def accounts(cloud: openstack.connection.Connection, password: str, port: int) -> None:
    """Create the services' users, the catalog, the two readers, and the members with their projects and domains."""
    identity = cloud.identity

    def create(kind: str, path: str = "/{}s", **body: Any) -> str:
        answer = identity.post(path.format(kind), json={kind: body})
        answer.raise_for_status()
        return str(answer.json()[kind]["id"])

    def grant(granted: str, user: str, on: str) -> None:
        identity.put(f"{on}/users/{user}/roles/{role[granted]}").raise_for_status()

    role = {body["name"]: body["id"] for body in identity.get("/roles").json()["roles"]}
    domain = {"Default": "default", "partners": create("domain", name="partners")}
    service = create("project", name="service", domain_id="default")
    for kind, (name, offset, path) in SERVICES.items():
        user = create("user", name=name, password=password, domain_id="default")
        grant("admin", user, f"/projects/{service}")
        grant("service", user, f"/projects/{service}")
        entry, url = create("service", name=name, type=kind), f"http://127.0.0.1:{port + offset}{path}"
        for interface in "public", "internal", "admin":
            create("endpoint", service_id=entry, interface=interface, url=url, region_id="RegionOne")

    reader = create("user", name="xdmod-reader", password=password, domain_id="default")
    grant("reader", reader, "/system")
    collector = create("user", name="xdmod-collector", password=password, domain_id="default")
    grant("admin", collector, f"/projects/{service}")
    only_read(cloud, collector, service, password)

    for name, (title, where) in MEMBERS.items():
        project = create("project", name=title, domain_id=domain[where], description=f"Project of {name}")
        email = f"{name}@example.org"
        user = create("user", name=name, password=password, domain_id=domain[where], email=email)
        grant("member", user, f"/projects/{project}")


def only_read(cloud: openstack.connection.Connection, user: str, project: str, password: str) -> None:
    """Create the application credential by which the user, an administrator, can read everything and change nothing."""
    url = cloud.config.config["auth"]["auth_url"]
    itself = openstack.connect(auth={"auth_url": url, "user_id": user, "password": password, "project_id": project})
    rules = [{"service": kind, "method": "GET", "path": "/**"} for kind in ("compute", "placement", "identity")]
    credential = {"name": "read-only", "secret": password, "access_rules": rules}
    path = f"/users/{user}/application_credentials"
    itself.identity.post(path, json={"application_credential": credential}).raise_for_status()


def contents(cloud: openstack.connection.Connection) -> None:
    """Create the flavors and the one image."""
    for name, (vcpus, ram, disk) in FLAVORS.items():
        flavor = {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}
        cloud.compute.post("/flavors", json={"flavor": flavor}).raise_for_status()
    wanted = {"name": "tiny", "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    image = cloud.image.post("/images", json=wanted).json()["id"]
    octets = {"Content-Type": "application/octet-stream"}
    cloud.image.put(f"/images/{image}/file", data=bytes(1024), headers=octets).raise_for_status()


if __name__ == "__main__":
    what, password, port = sys.argv[1:]
    admin = openstack.connect(cloud="admin")
    if what == "accounts":
        accounts(admin, password, int(port))
    else:
        contents(admin)
