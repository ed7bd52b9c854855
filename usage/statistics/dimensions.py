"""XDMoD's dimensions: where a warehouse has them, and what recorded sessions know of them."""

from collections.abc import Mapping

from msgspec import Struct

__all__ = ["DIMENSIONS", "JOB_DIMENSIONS", "STORAGE_DIMENSIONS", "Attribute", "Dimension"]


class Attribute(Struct, frozen=True):
    """Where XDMoD keeps what records are grouped by: a table, how it is joined with `sr`, its id and its name."""

    table: str
    on: str
    id: str
    label: str


class Dimension(Struct, frozen=True):
    """A dimension in both sources.

    `attribute` is XDMoD's, None where everything is one group. A session without one has a place in XDMoD's tables,
    but no row by this dimension; so it has here. `recorded` is the SQL of its label over the engine's table
    `sessions`, NULL in the same cases, and `recorded_id` that of its id; None where events do not tell it. A warehouse
    has it if its sessions have the column `column`. XDMoD orders by value, the greatest first, unless `by_value` is
    False, and what has one value by name, or `by_id`.
    """

    attribute: Attribute | None
    recorded: str | None = None
    recorded_id: str | None = None
    column: str | None = None
    by_value: bool = True
    by_id: bool = False


def _named(column: str, names: Mapping[int, str]) -> str:
    whens = " ".join(f"WHEN {key} THEN '{name}'" for key, name in names.items())
    return f"CASE {column} {whens} END"


#: Source: XDMoD's processor_buckets.json, memory_buckets.json and instance_states.json.
_CORES = {1: "1", 2: "2 - 3", 3: "4 - 7", 4: "8 - 11", 5: "12 - 15", 6: "16 - 32", 7: "> 32"}
_MEMORY = {
    1: "< 2 GB",
    2: "2 - 4 GB",
    3: "4 - 8 GB",
    4: "8 - 16 GB",
    5: "16 - 32 GB",
    6: "32 - 64 GB",
    7: "64 - 128 GB",
    8: "> 128 GB",
}
_STATES = {1: "Active", 2: "Inactive", 3: "Shelved"}


def _science(key: str, label: str) -> Dimension:
    table = "modw.fieldofscience_hierarchy"
    return Dimension(Attribute(table, "a.id = sr.fos_id", f"a.{key}", f"a.{label}"))


#: Source: XDMoD's Cloud-group-bys.json, group-by-common.json and group-by-hierarchy.json. The institutions, which
#: XDMoD shows only after 11.0, are there as soon as its sessions have them. All event files of one reading are of one
#: resource, of which they tell neither name nor provider; their submission venue is XDMoD's for all of OpenStack.
DIMENSIONS = {
    "none": Dimension(None, recorded="'Summary'"),
    "configuration": Dimension(
        Attribute("modw_cloud.instance_type", "a.instance_type_id = sr.instance_type_id", "a.display", "a.display"),
        recorded="instance_type",
    ),
    "domain": Dimension(
        Attribute("modw_cloud.domains", "a.id = sr.domain_id AND a.resource_id = sr.resource_id", "a.name", "a.name"),
        recorded="domain",
    ),
    "fieldofscience": _science("id", "description"),
    "instance_state": Dimension(
        Attribute(
            "modw_cloud.instance_states",
            "a.instance_state_id = sr.instance_state_id",
            "a.instance_state_id",
            "a.display",
        ),
        recorded=_named("instance_state_id", _STATES),
        recorded_id="instance_state_id",
        column="instance_state_id",
        by_id=True,
    ),
    "institution": Dimension(
        Attribute("modw.organization", "a.id = sr.person_organization_id", "a.id", "a.long_name"),
        column="person_organization_id",
        by_id=True,
    ),
    "nsfdirectorate": _science("directorate_id", "directorate_description"),
    "parentscience": _science("parent_id", "parent_description"),
    "person": Dimension(Attribute("modw.person", "a.id = sr.person_id", "a.id", "a.long_name")),
    "pi": Dimension(
        Attribute("modw.piperson", "a.person_id = sr.principalinvestigator_person_id", "a.person_id", "a.long_name")
    ),
    "pi_institution": Dimension(
        Attribute("modw.organization", "a.id = sr.piperson_organization_id", "a.id", "a.long_name"),
        column="piperson_organization_id",
        by_id=True,
    ),
    "project": Dimension(
        Attribute("modw_cloud.account", "a.account_id = sr.account_id", "a.display", "a.display"),
        recorded="coalesce(project, 'Unknown')",
    ),
    "provider": Dimension(
        Attribute(
            "modw.serviceprovider", "a.organization_id = sr.service_provider", "a.organization_id", "a.long_name"
        ),
        recorded="'Unknown'",
    ),
    "resource": Dimension(
        Attribute("modw.resourcefact", "a.id = sr.resource_id", "a.id", "REPLACE(a.code, '-', ' ')"),
        recorded="$resource",
    ),
    "submission_venue": Dimension(
        Attribute(
            "modw.submission_venue",
            "a.submission_venue_id = sr.submission_venue_id",
            "a.submission_venue_id",
            "a.description",
        ),
        recorded="'OpenStack API'",
    ),
    "username": Dimension(
        Attribute("modw.systemaccount", "a.id = sr.systemaccount_id", "a.username", "a.username"), recorded="username"
    ),
    "vm_size": Dimension(
        Attribute("modw_cloud.processor_buckets", "a.id = sr.processorbucket_id", "a.id", "a.description"),
        recorded=_named("processorbucket_id", _CORES),
        recorded_id="processorbucket_id",
        by_value=False,
        by_id=True,
    ),
    "vm_size_memory": Dimension(
        Attribute("modw_cloud.memory_buckets", "a.id = sr.memorybucket_id", "a.id", "a.description"),
        recorded=_named("memorybucket_id", _MEMORY),
        recorded_id="memorybucket_id",
        by_id=True,
    ),
}

_EVERYWHERE = ("none", "fieldofscience", "nsfdirectorate", "parentscience", "person", "pi", "resource", "username")


def _shared(*names: str) -> dict[str, Dimension]:
    return {name: DIMENSIONS[name] for name in names}


#: Source: XDMoD's Jobs-group-bys.json, of which these are a part.
JOB_DIMENSIONS = {
    **_shared(*_EVERYWHERE, "institution", "pi_institution"),
    "queue": Dimension(
        Attribute("modw.queue", "a.id = sr.queue AND a.resource_id = sr.task_resource_id", "a.id", "a.id")
    ),
}

#: Source: XDMoD's Storage-group-bys.json, of which these are a part.
STORAGE_DIMENSIONS = {
    **_shared(*_EVERYWHERE),
    "mountpoint": Dimension(
        Attribute("modw.mountpoint", "a.mountpoint_id = sr.mountpoint_id", "a.mountpoint_id", "a.path")
    ),
}
