"""Record who owns the demo's cloud, `demo/owners.json`: `python -m tests.real.coldfront.record` (some seconds).

The allocations are a real ColdFront's own answers; the people are those of the tests' stand-in for Keycloak.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from collectors.keycloak import Login
from demo.owners import CLIENT, REALM, RECORDING
from demo.replay import Recording
from tests.real.coldfront.server import ColdFront, started
from tests.real.keycloak import FIELD, INSTITUTION, Keycloak, person
from tests.real.openstack.record import RECORDING as CLOUD
from tests.real.openstack.record import lines

#: Title, PI, field of science, status of the allocation, project of the cloud.
PROJECTS = (
    ("Dark Matter Haloes of Dwarf Galaxies", "amara", "Astronomical Sciences", "Active", "galaxy-formation"),
    ("Folding Pathways of Membrane Proteins", "chen", "Biophysics", "Active", "protein-folding"),
    ("Kilometer-Scale Climate of Coastal Cities", "dalia", "Climate Dynamics", "Renewal Requested",
     "climate-downscaling"),
    ("A Corpus of Endangered Languages", "farid", "Information Technology and Organizations", "Active (Needs Renewal)",
     "nlp-archive"),
    ("Soft Robots for Greenhouses", "gwen", "Robotics and Machine Intelligence", "Expired", ""),
)  # fmt: skip
#: The PI of a project, and its namespace on the cluster: what it is shown as, and what it is called there.
NAMESPACES = (
    ("amara", "galaxy-inference", "galaxy-inference-3f9c1a"),
    ("chen", "protein-screening", "protein-screening-b81d07"),
    ("dalia", "climate-dashboards", "climate-dashboards-52e6f4"),
)

NORTHERN, HARBOR, LAKESIDE = "Northern University", "Harbor Institute", "Lakeside College"
PEOPLE = (
    ("Amara", "Okafor", NORTHERN, "Astronomy"),
    ("Bruno", "Keller", NORTHERN, "Astronomy"),
    ("Chen", "Wei", HARBOR, "Biophysics"),
    ("Dalia", "Haddad", LAKESIDE, "Climate"),
    ("Emeka", "Eze", LAKESIDE, "Climate"),
    ("Farid", "Rahimi", NORTHERN, "Linguistics"),
    ("Gwen", "Pryce", LAKESIDE, "Robotics"),
    ("Hiro", "Tanaka", NORTHERN, "Astronomy"),
    ("Ines", "Duarte", HARBOR, "Biophysics"),
    ("Jonas", "Lind", HARBOR, "Chemistry"),
    ("Kavya", "Rao", NORTHERN, "Linguistics"),
    ("Lena", "Novak", LAKESIDE, "Robotics"),
)

FILL = """
Project.objects.all().delete()
Resource.objects.all().delete()
User.objects.exclude(username="staff").delete()
everybody = {{name: person(name, f"{{name}}@example.org") for name in {names}}}
cloud, cluster = resource("demo cloud", "OpenStack"), resource("demo cluster", "OpenShift")
for title, pi, field, status, name, id in {projects}:
    values = (("Allocated Project ID", id), ("Allocated Project Name", name)) if id else ()
    allocation(project(title, everybody[pi], field), status, cloud, values=values)
for pi, name, id in {namespaces}:
    values = (("Allocated Project ID", id), ("Allocated Project Name", name))
    allocation(Project.objects.get(pi__username=pi), "Active", cluster, values=values)
"""
#: What becomes of it at the third moment, and at the last: another PI, and a renewal.
HAND_OVER = "Project.objects.filter(pi__username='chen').update(pi=User.objects.get(username='ines'))"
RENEW = "turn(Allocation.objects.get(project__pi__username='farid'), 'Active')"


def record(coldfront: ColdFront) -> dict[str, Any]:
    """Fill a ColdFront, let the month's changes happen there and in a Keycloak, and return what both answer."""
    cloud = Recording.read(CLOUD)
    snapshots = []
    with Keycloak(users(NORTHERN), realm=REALM, client=CLIENT) as keycloak:
        for moment, happening in zip(cloud.moments, (filling(cloud), "", HAND_OVER, RENEW), strict=True):
            coldfront.change(happening)
            snapshots.append({"at": f"{moment:%FT%TZ}", **snapshot(coldfront, keycloak)})
            keycloak.users = users(HARBOR)
    return {"snapshots": snapshots}


def filling(cloud: Recording) -> str:
    """The script that fills a ColdFront anew; allocated are the projects of the recorded cloud, and namespaces."""
    cloud.now = cloud.moments[0]
    ids = {body["name"]: body["id"] for body in cloud.identities("projects").values()}
    projects = [(*project, ids.get(project[-1], "")) for project in PROJECTS]
    return FILL.format(names=[first.lower() for first, *_ in PEOPLE], projects=projects, namespaces=NAMESPACES)


def users(of_amara: str) -> list[dict[str, Any]]:
    """The people as Keycloak has them, Amara at that institution."""
    return [
        person(
            number,
            username=first.lower(),
            firstName=first,
            lastName=last,
            email=f"{first.lower()}@example.org",
            attributes={INSTITUTION: [of_amara if first == "Amara" else institution], FIELD: [field]},
        )
        for number, (first, last, institution, field) in enumerate(PEOPLE)
    ]


def snapshot(coldfront: ColdFront, keycloak: Keycloak) -> dict[str, Any]:
    """What both answer now, as `xdmod-cloud collect hierarchy` asks them."""
    people = f"{keycloak.url}/admin/realms/{REALM}/users?first=0&max=1000&briefRepresentation=false"
    token = {"Authorization": f"Token {coldfront.token('staff')}"}
    answers = {
        "allocations": requests.get(f"{coldfront.listed}/api/allocations?all=true", headers=token, timeout=60),
        "users": requests.get(people, auth=Login(keycloak.source(coldfront.folder)), timeout=60),
    }
    for answer in answers.values():
        answer.raise_for_status()
    return {name: answer.json() for name, answer in answers.items()}


if __name__ == "__main__":
    with TemporaryDirectory() as folder, started(Path(folder)) as server:
        RECORDING.write_text(lines(record(server)) + "\n")
    print(f"{RECORDING}: {RECORDING.stat().st_size // 1000} kB")
