"""Fill an empty ColdFront with the people, projects and allocations that its tests read."""

from tests.real.coldfront.world import allocation, belongs, person, project, resource

ID, NAME, CODE = "Allocated Project ID", "Allocated Project Name", "Institution-Specific Code"

ada, bruno, chloe = person("ada"), person("bruno", "Bruno@Other.example"), person("chloé")
dara = person("dara", "")
eve, fred = person("eve"), person("fred")
person("reader", may=("can_view_all_allocations", "can_view_all_projects"))
person("staff", staff=True)
person("of-projects", may=("can_view_all_projects",))
person("of-allocations", may=("can_view_all_allocations",))
person("nobody")

openstack, openshift = resource("kaizen", "OpenStack"), resource("ocp-prod", "OpenShift")
gpus = resource("kaizen, the GPUs", "OpenStack")

genomics = project("Genomics", ada, "Physics")
belongs(genomics, eve)
belongs(genomics, fred, status="Removed")
sky = [project("Sky survey", pi) for pi in (ada, bruno)]
odd = project('"Quoted", ünïcode, commas', chloe)
silent = project("PI without e-mail", dara)
archived = project("Archived", ada, status="Archived")

allocation(
    genomics, "Active", openshift, values=((ID, "genomics-4f2a1b"), (NAME, "genomics"), (CODE, 123), ("GPUs", 2))
)
allocation(genomics, "Active", openstack, values=((ID, "0a" * 16), (NAME, "genomics")))
allocation(sky[0], "Active", openstack, values=((ID, "0b" * 16), (NAME, "sky-1")))
allocation(sky[1], "Renewal Requested", openstack, values=((ID, "0c" * 16), (NAME, "sky-2")))
allocation(odd, "Expired", openshift, values=((ID, "first-1"), (ID, "second-2"), (NAME, "odd")))
allocation(odd, "New", openshift)
allocation(silent, "Active (Needs Renewal)", values=((ID, "silent-1"),))
allocation(archived, "Revoked", openstack, gpus, values=((ID, "0d" * 16),))
allocation(archived, "Denied", gpus, openshift)
