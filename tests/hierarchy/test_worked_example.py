"""Two universities, two PIs, two projects through a spring: every row of the history, and every line of the files."""

from datetime import UTC, datetime
from pathlib import Path

from hierarchy.facts import facts_as_of
from ledger import Ledger
from ledger.ownership import Person
from tests.hierarchy.estate import OCP, STACK, Estate, at

FIRST, CLOSED, MOVED, REOPENED = (at(day) for day in ("2025-01-01", "2025-02-15", "2025-03-10", "2025-04-01"))
SKY = "0000000000000000000000000000000c"
PI_B = ("pi-b", "University B", "physical_sciences")

#: id, type, name, status, shown name, parent
CREATED = [
    (1, FIRST, "institution", "unknown", "Active", "unknown", None),
    (2, FIRST, "field-of-science", "unknown", "Active", "unknown", 1),
    (3, FIRST, "institution", "university a", "Active", "University A", None),
    (4, FIRST, "field-of-science", "3/engineering", "Active", "University A - engineering", 3),
    (5, FIRST, "pi", "pi-a/engineering", "Active", "Pi A", 4),
    (6, FIRST, "project", "coldfront/1", "Active", "Genomics", 5),
    (7, FIRST, "institution", "university b", "Active", "University B", None),
    (8, FIRST, "field-of-science", "7/physical_sciences", "Active", "University B - physical_sciences", 7),
    (9, FIRST, "pi", "pi-b/physical_sciences", "Active", "Pi B", 8),
    (10, FIRST, "project", "coldfront/2", "Active", "Sky survey", 9),
    (11, FIRST, "cloud-project", f"stack/{SKY}", "Active", "sky-f000c2", 10),
    (12, FIRST, "cloud-project", "ocp-prod/genomics-4f2a1b", "Active", "genomics-4f2a1b", 6),
]
ENDED = [(row[0], CLOSED, *row[2:4], "Inactive", *row[5:]) for row in CREATED if row[0] in (7, 8, 9, 10, 11)]
SHIFTED = [
    (3, MOVED, "institution", "university a", "Inactive", "University A", None),
    (4, MOVED, "field-of-science", "3/engineering", "Inactive", "University A - engineering", 3),
    (5, MOVED, "pi", "pi-a/engineering", "Active", "Pi A", 13),
    (7, MOVED, "institution", "university b", "Active", "University B", None),
    (13, MOVED, "field-of-science", "7/engineering", "Active", "University B - engineering", 7),
]
RETURNED = [(row[0], REOPENED, *row[2:]) for row in CREATED if row[0] in (8, 9, 10, 11)]

ONLY_A = {
    "hierarchy.csv": (
        '"1","unknown",""\n"3","University A",""\n"2","unknown","1"\n"4","University A - engineering","3"\n'
        '"5","Pi A","4"\n'
    ),
    "group.csv": '"genomics-4f2a1b","5"\n',
    "names.csv": '"genomics-4f2a1b","","Genomics"\n',
    "pi2project.csv": "",
}
BOTH_AT_B = {
    "hierarchy.csv": (
        '"1","unknown",""\n"7","University B",""\n"2","unknown","1"\n"8","University B - physical_sciences","7"\n'
        '"13","University B - engineering","7"\n"5","Pi A","13"\n"9","Pi B","8"\n'
    ),
    "group.csv": '"genomics-4f2a1b","5"\n"sky-f000c2","9"\n',
    "names.csv": '"genomics-4f2a1b","","Genomics"\n"sky-f000c2","","Sky survey"\n',
    "pi2project.csv": '"sky-f000c2","sky-f000c2","openstack"\n',
}


def lived(ledger: Ledger) -> Estate:
    """The site after its spring."""
    estate = Estate(ledger)
    estate.person("pi-a", "University A", "engineering", first="Pi", last="A")
    estate.person(*PI_B, first="Pi", last="B")
    estate.project("1", "Genomics", "pi-a")
    estate.project("2", "Sky survey", "pi-b")
    estate.allocation("1", "1", OCP, "genomics-4f2a1b")
    estate.allocation("2", "2", STACK, SKY, cloud_project_name="sky-f000c2")
    estate.run(FIRST)
    estate.close("2")
    estate.run(CLOSED)
    estate.person("pi-a", "University B", "engineering", first="Pi", last="A")
    estate.run(MOVED)
    estate.close("2", "Active")
    estate.run(REOPENED)
    return estate


def test_each_change_is_one_row_and_ids_return(ledger: Ledger) -> None:
    """A closed project, a PI who moves and a reopened project leave exactly these rows, and nobody gets a second id."""
    assert lived(ledger).history() == sorted([*CREATED, *ENDED, *SHIFTED, *RETURNED], key=lambda row: (row[1], row[0]))


def test_files_are_as_they_were_on_each_date(ledger: Ledger, tmp_path: Path) -> None:
    """Whoever asks for a date gets the files of that date, however long ago it was."""
    estate = lived(ledger)
    assert estate.csvs(tmp_path / "march", datetime(2025, 3, 1, tzinfo=UTC)) == ONLY_A
    assert estate.csvs(tmp_path / "april", datetime(2025, 4, 2, tzinfo=UTC)) == BOTH_AT_B
    assert estate.csvs(tmp_path / "now") == BOTH_AT_B
    first = estate.csvs(tmp_path / "first", FIRST)
    assert first["group.csv"] == '"genomics-4f2a1b","5"\n"sky-f000c2","9"\n'
    assert '"7","University B",""\n' in first["hierarchy.csv"]
    moved = estate.csvs(tmp_path / "moved", MOVED)
    assert '"5","Pi A","13"\n' in moved["hierarchy.csv"]
    assert "sky" not in moved["group.csv"]


def test_another_run_writes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    """Where nothing changed, no row is written, and the files have the same bytes."""
    estate = lived(ledger)
    history, files = estate.history(), estate.csvs(tmp_path / "files")
    kept = estate.run(at("2025-04-02"))
    assert (kept.counts["changed"], kept.counts["appended"]) == (0, 0)
    assert estate.history() == history
    assert estate.csvs(tmp_path / "files") == files


def test_the_people_are_kept_with_their_past(ledger: Ledger) -> None:
    """What a person was at the start can still be read when the source has long said something else."""
    estate = lived(ledger)
    told = {}
    for moment in (FIRST, MOVED):
        people = facts_as_of(estate.ledger, moment).present(Person)
        told[moment] = next(person.institutions for person in people if person.id == "pi-a")
    assert told == {FIRST: ("University A",), MOVED: ("University B",)}
