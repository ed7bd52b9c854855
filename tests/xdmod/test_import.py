"""Who owns what, told to an XDMoD whose importer always ends with 0."""

import pytest

from tests.xdmod.place import CLOUD, Place

NODES = ("1,University A,", "2,Engineering,1", "3,Pi A,2")
OWNERS = {"hierarchy": NODES, "group": ("genomics,3",), "names": ("genomics,,Genomics",)}
PROJECTS = (f"genomics,genomics,{CLOUD}",)
TYPES = ["hierarchy", "group-to-hierarchy", "names", "cloud-project-to-pi"]


def types(place: Place) -> list[str]:
    """What was imported, in order."""
    return [words[2] for words in place.calls("xdmod-import-csv")]


def test_the_four_files_in_their_order(place: Place) -> None:
    """Parents come before groups, and all that XDMoD has taken lies in the archive."""
    place.owners(**OWNERS, pi2project=PROJECTS)
    assert "XDMoD imported pi2project.csv (1 line)" in place.run("import-hierarchy")
    assert types(place) == TYPES
    assert sorted(path.name for path in place.archive.rglob("*.csv")) == [
        "group.csv",
        "hierarchy.csv",
        "names.csv",
        "pi2project.csv",
    ]
    assert [path.name for path in place.outbox.iterdir() if not path.name.startswith(".")] == []


def test_only_what_is_new(place: Place) -> None:
    """Files that say what was imported last stay where they are; one new line, and they are imported."""
    place.owners(**OWNERS)
    place.run("import-hierarchy")
    place.owners(hierarchy=NODES)
    assert "nothing that XDMoD has not been told" in place.run("import-hierarchy")
    assert len(types(place)) == 3
    place.owners(hierarchy=NODES, group=("climate,3",))
    place.run("import-hierarchy")
    assert types(place)[3:] == ["hierarchy", "group-to-hierarchy"]


@pytest.mark.parametrize("kind", TYPES)
def test_rows_that_are_passed_over(place: Place, kind: str) -> None:
    """It ends with 1 although XDMoD says 0; what went well is not imported again, the rest comes next time."""
    place.owners(**OWNERS, pi2project=PROJECTS)
    at = TYPES.index(kind)
    place.fault(f"odd row in {kind}")
    assert "other columns" in place.fails(1, "import-hierarchy")
    assert types(place) == TYPES[: at + 1]
    place.run("import-hierarchy")
    assert types(place) == [*TYPES[: at + 1], *TYPES[at:]]


def test_a_rollback(place: Place) -> None:
    """Everything waits, and nobody is told that it went well."""
    place.owners(**OWNERS)
    place.fault("rollback")
    said = place.fails(1, "import-hierarchy")
    assert "rolled back" in said
    assert "truncated: 1406" in said
    assert place.rows("imported") == []
    assert list(place.archive.rglob("*.csv")) == []
    place.run("import-hierarchy")
    assert len(place.rows("imported")) == 5


def test_a_rollback_for_a_lock(place: Place) -> None:
    """It is tried again, and names that XDMoD makes anew each time are made once."""
    place.owners(**OWNERS)
    place.fault("locked in xdmod-import-csv", 3)
    assert place.json("import-hierarchy")["retried"] == 3
    assert place.rows("person") == [("genomics",)]


def test_a_group_of_an_unknown_node(place: Place) -> None:
    """A row that XDMoD passes over is an error."""
    place.owners(hierarchy=NODES, group=("genomics,99",))
    assert "does not have" in place.fails(1, "import-hierarchy")


def test_a_project_of_a_resource_that_xdmod_does_not_have(place: Place) -> None:
    """It would kill the next ingest; so it is refused before XDMoD hears of it."""
    place.owners(**OWNERS, pi2project=("genomics,genomics,elsewhere",))
    assert 'names the resource "elsewhere"' in place.fails(2, "import-hierarchy")
    assert "cloud-project-to-pi" not in types(place)
    place.resources(CLOUD, "elsewhere")
    place.run("import-hierarchy")
    assert types(place) == TYPES


def test_acl_config_where_no_ingest_runs_it(place: Place) -> None:
    """New levels need it once: the ingestor runs it, and if nothing is to be ingested it is run alone."""
    place.owners(**OWNERS)
    place.run("import-hierarchy")
    place.run("ingest")
    assert len(place.calls("acl-config")) == 1
    place.run("ingest")
    assert len(place.calls("acl-config")) == 1


def test_acl_config_that_runs_into_a_lock(place: Place) -> None:
    """It is tried again, and counted."""
    place.owners(**OWNERS)
    place.run("import-hierarchy")
    place.fault("locked in acl-config", 2)
    assert place.json("ingest")["retried"] == 2
