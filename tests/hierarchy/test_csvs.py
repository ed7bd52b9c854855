"""The four files as XDMoD reads them, and what XDMoD is told of once and again."""

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

import schemas
from hierarchy import Cloud, CloudKind
from hierarchy.csvs import FILES
from hierarchy.export import export_now
from ledger import ConfigurationError, DataError
from tests.hierarchy.estate import OCP, STACK, Estate, at

OTHER = Cloud("other", CloudKind.OPENSTACK, "second", "NERC-2", "")
DAYS = [at(f"2025-01-{day:02}") for day in range(1, 29)]

#: What is called so somewhere, and what XDMoD is to show of it.
SHOWN = {
    'A "quoted" name': 'A "quoted" name',
    '"': '"',
    '""': '""',
    "a,b;c\td": "a,b;c d",
    "two\nlines\r\nand more": "two lines and more",
    "with\x00control\x1b[31m and \x85next": "withcontrol[31m and next",
    " blanks  around ": "blanks around",
    "C:\\path": "C:\\path",
    "ends in \\": "ends in /",
    "ends in \\\\": "ends in //",
    'a \\"quoted\\" name': 'a /"quoted/" name',
    "DNA \U0001f9ec": "DNA �",
    "Ünïversität 大学": "Ünïversität 大学",
    "' OR 1=1": "' OR 1=1",
}


def fields_of(data: str) -> Iterator[list[str]]:
    """The rows of a file as PHP's fgetcsv reads them, whose escape character is the backslash."""
    at, row = 0, list[str]()
    while at < len(data):
        field = ""
        while data[at] in " \t":
            at += 1
        if data[at] == '"':
            at += 1
            while at < len(data):
                if data[at] == "\\" and at + 1 < len(data):
                    field, at = field + data[at : at + 2], at + 2
                elif data[at : at + 2] == '""':
                    field, at = field + '"', at + 2
                elif data[at] == '"':
                    at += 1
                    break
                else:
                    field, at = field + data[at], at + 1
        while at < len(data) and data[at] not in ",\n":
            field, at = field + data[at], at + 1
        row.append(field)
        if at == len(data) or data[at] == "\n":
            yield row
            row = []
        at += 1


def rows(estate: Estate, folder: Path, *, changed_only: bool = False) -> dict[str, list[list[str]]]:
    """The rows of the files as XDMoD reads them."""
    return {name: list(fields_of(text)) for name, text in estate.csvs(folder, changed_only=changed_only).items()}


def one_project(estate: Estate, name: str = "genes", title: str = "Genomics", pi: str = "A") -> Estate:
    """A site with one project in its OpenStack cloud."""
    estate.person("pi-a", "University A", "physics", first=pi)
    estate.project("1", title, "pi-a")
    estate.allocation("1", "1", STACK, "0a", cloud_project_name=name)
    return estate


def refused(estate: Estate, folder: Path) -> str:
    """Why the files cannot be written."""
    with pytest.raises(DataError) as raised:
        estate.export(folder)
    assert not folder.exists()
    return str(raised.value)


# Texts


def test_the_reader_of_these_tests_is_the_one_of_php() -> None:
    """It loses a field where PHP does: a backslash takes the quote after it for text."""
    assert list(fields_of('"x\\","y"\n')) == [['x\\",y"']]
    assert list(fields_of('"a""b", "c",d\n"e","",""\n')) == [['a"b', "c", "d"], ["e", "", ""]]


@pytest.mark.parametrize(("text", "shown"), SHOWN.items())
def test_names_come_through(quick: Estate, tmp_path: Path, text: str, shown: str) -> None:
    """Whatever an institution, a PI or a project is called, XDMoD reads rows of the right columns, and that name."""
    one_project(quick, title=text, pi=text).person("pi-a", text, text, first=text)
    quick.run(DAYS[0])
    read = rows(quick, tmp_path / "files")
    assert read["hierarchy.csv"] == [
        ["1", "unknown", ""],
        ["3", shown, ""],
        ["2", "unknown", "1"],
        ["4", shown_field(text), "3"],
        ["5", shown, "4"],
    ]
    assert read["group.csv"] == [["genes", "5"]]
    assert read["names.csv"] == [["genes", "", shown]]
    assert read["pi2project.csv"] == [["genes", "genes", "openstack"]]


def shown_field(text: str) -> str:
    """A backslash in the middle of a text is none that has to go."""
    clean = re.sub(r"\s+", " ", re.sub(r"[\x00-\x08\x0e-\x1f]", "", text)).strip()
    whole = f"{clean} - {clean}".replace("\U0001f9ec", "�")
    return re.sub(r'\\+(?="|$)', lambda found: "/" * len(found[0]), whole)


@pytest.mark.parametrize(
    ("name", "key"), [("ends in \\", "ends in /"), ('a\\"b', 'a/"b'), ('a"b', 'a"b'), ("a,b", "a,b")]
)
def test_keys_do_not_break_their_rows(quick: Estate, tmp_path: Path, name: str, key: str) -> None:
    """Not even an OpenStack project that is called so."""
    one_project(quick, name).run(DAYS[0])
    read = rows(quick, tmp_path / "files")
    assert (read["group.csv"], read["names.csv"]) == ([[key, "5"]], [[key, "", "Genomics"]])
    assert read["pi2project.csv"] == [[key, key, "openstack"]]


def test_long_names(quick: Estate, tmp_path: Path) -> None:
    """Shown names are cut to what XDMoD shows; keys keep apart what differs behind their end only."""
    long = "x" * 300
    one_project(quick, f"{long}1", long, long).person("pi-a", long, long, first=long)
    quick.allocation("2", "1", STACK, "0b", cloud_project_name=f"{long}2")
    quick.run(DAYS[0])
    read = rows(quick, tmp_path / "files")
    assert {len(row[1]) for row in read["hierarchy.csv"] if row[1] != "unknown"} == {200}
    assert {row[2] for row in read["names.csv"]} == {"x" * 99 + "…"}
    keys = {row[0] for row in read["group.csv"]}
    assert (len(keys), {len(key) for key in keys}) == (2, {225})
    assert {row[1] for row in read["pi2project.csv"]} == keys


def test_a_name_that_cannot_be_looked_up_is_refused(quick: Estate) -> None:
    """A key of more than 500 characters would not be found again, so nothing is recorded of it."""
    one_project(quick).person("pi-a", "x" * 501, "physics")
    with pytest.raises(DataError, match=r"institution .*501 characters.*shorten it"):
        quick.run(DAYS[0])
    assert quick.history() == []


def test_every_row_is_of_its_schema(quick: Estate, tmp_path: Path) -> None:
    """Whatever things are called."""
    for number, text in enumerate(SHOWN, 1):
        quick.person(f"pi-{number}", text, text, first=text, last=text * 40)
        quick.project(str(number), text, f"pi-{number}")
        quick.allocation(str(number), str(number), STACK, f"{number}", cloud_project_name=f"{number}{text}")
    quick.run(DAYS[0])
    for name, read in rows(quick, tmp_path / "files").items():
        columns = list(schemas.load(FILES[name])["properties"])
        assert len(read) >= len(SHOWN)
        for row in read:
            schemas.validator(FILES[name]).validate(dict(zip(columns, row, strict=True)))


def test_the_files_are_plain_and_sorted(quick: Estate, tmp_path: Path) -> None:
    """UTF-8, one kind of line end, every field in quotes; nodes by level and number, the others by key."""
    for number in range(1, 13):
        quick.person(f"pi-{number}", f"University {number % 3}", "physics", last=f"Ü {number}")
        quick.project(str(number), f"Project {number}", f"pi-{number}")
        quick.allocation(str(number), str(number), STACK, f"{number}", cloud_project_name=f"p{number}")
    quick.run(DAYS[0])
    quick.export(tmp_path / "files")
    for name in FILES:
        data = (tmp_path / "files" / name).read_bytes()
        assert b"\r" not in data
        assert data.endswith(b'"\n')
        assert re.fullmatch('("[^"]*"(,"[^"]*")*\n)+', data.decode())
    read = rows(quick, tmp_path / "files")
    parents = {row[0]: row[2] for row in read["hierarchy.csv"]}
    depth = {id: 0 if not up else 1 if not parents[up] else 2 for id, up in parents.items()}
    assert list(parents) == sorted(parents, key=lambda id: (depth[id], int(id)))
    for name in ("group.csv", "names.csv", "pi2project.csv"):
        assert [row[0] for row in read[name]] == sorted(f"p{number}" for number in range(1, 13))


# One key for two


def two_of_one_name(estate: Estate, first: Cloud, second: Cloud, names: tuple[str, str] = ("same", "same")) -> None:
    """Two projects, each with a project in a cloud."""
    one_project(estate).project("2", "Sky survey", "pi-a")
    estate.allocation("1", "1", first, "0a", cloud_project_name=names[0])
    estate.allocation("2", "2", second, "0b", cloud_project_name=names[1])
    estate.run(DAYS[0])


@pytest.mark.parametrize("names", [("same", "same"), ("Same", "sAME"), ("Straße", "STRASSE")])
def test_one_key_for_two_projects(quick: Estate, tmp_path: Path, names: tuple[str, str]) -> None:
    """XDMoD would add up the usage of both; the files are refused, and both are named."""
    two_of_one_name(quick, STACK, OCP, names)
    message = refused(quick, tmp_path / "files")
    for word in ("stack/0a", 'coldfront/1 "Genomics"', "ocp-prod/0b", 'coldfront/2 "Sky survey"', "prefix"):
        assert word in message


def test_a_prefix_tells_them_apart(quick: Estate, tmp_path: Path) -> None:
    """It stands before the key wherever the key stands, and not in what OpenStack calls the project."""
    two_of_one_name(quick, STACK, OCP)
    prefixed = Cloud(STACK.name, STACK.kind, STACK.resource, STACK.coldfront_resource, "os-")
    quick.clouds = (prefixed, OCP)
    read = rows(quick, tmp_path / "files")
    assert [row[0] for row in read["group.csv"]] == ["os-same", "same"]
    assert read["names.csv"] == [["os-same", "", "Genomics"], ["same", "", "Sky survey"]]
    assert read["pi2project.csv"] == [["os-same", "same", "openstack"]]


def test_no_prefix_tells_openstack_projects_of_one_name_apart(quick: Estate, tmp_path: Path) -> None:
    """XDMoD knows them by name alone: neither is in pi2project.csv, a warning names both, and the rest is there."""
    prefixed = Cloud(OTHER.name, OTHER.kind, OTHER.resource, OTHER.coldfront_resource, "two-")
    quick.clouds = (STACK, prefixed)
    two_of_one_name(quick, STACK, prefixed)
    done = quick.export(tmp_path / "files")
    assert {file.name: file.records for file in done.files if file.name != "hierarchy.csv"} == {
        "group.csv": 2,
        "names.csv": 2,
        "pi2project.csv": 0,
    }
    [warning] = done.warnings
    assert all(words in warning for words in ("stack/", "other/", "could not tell them apart"))


def test_one_name_in_two_domains_of_one_cloud(quick: Estate, tmp_path: Path) -> None:
    """Nothing can tell them apart in XDMoD: both are left out, with a warning, and everything else is written."""
    two_of_one_name(quick, STACK, STACK)
    one = quick.project("3", "Third", next(iter(quick.people)))
    quick.allocation("3", one.id, STACK, "0f", cloud_project_name="alone")
    quick.run(DAYS[1])
    done = quick.export(tmp_path / "files")
    assert [line.split(",")[0] for line in (tmp_path / "files" / "group.csv").read_text().splitlines()] == ['"alone"']
    assert "group.csv and names.csv are without them" in done.warnings[0]


@pytest.mark.parametrize("names", [("same", "same"), ("same", "Same")])
def test_one_name_in_two_clouds_of_one_project(quick: Estate, tmp_path: Path, names: tuple[str, str]) -> None:
    """Is one line: both belong to it."""
    quick.clouds = (OCP, Cloud("third", CloudKind.OPENSHIFT, "third", "NERC-3", ""))
    one_project(quick)
    for number, cloud in enumerate(quick.clouds):
        quick.allocation(str(number), "1", cloud, "a", cloud_project_name=names[number])
    quick.run(DAYS[0])
    read = rows(quick, tmp_path / "files")
    assert (len(read["group.csv"]), len(read["names.csv"]), read["pi2project.csv"]) == (1, 1, [])


def test_one_project_in_two_openstack_clouds(quick: Estate, tmp_path: Path) -> None:
    """XDMoD takes the last of two lines, so that there is one, of the first cloud, and a warning names both."""
    quick.clouds = (OTHER, STACK)
    one_project(quick, "same")
    quick.allocation("2", "1", OTHER, "0b", cloud_project_name="same")
    quick.run(DAYS[0])
    done = quick.export(tmp_path / "files")
    assert (tmp_path / "files" / "pi2project.csv").read_text() == '"same","same","second"\n'
    [warning] = done.warnings
    assert all(words in warning for words in ("other/0b", "stack/0a", "only the first"))


def test_a_cloud_that_is_not_configured_any_more(quick: Estate, tmp_path: Path) -> None:
    """Its prefix is not known any more, nor its resource: it is left out of the files, and a warning says so."""
    one_project(quick).run(DAYS[0])
    quick.clouds = (OCP,)
    done = quick.export(tmp_path / "files")
    assert (tmp_path / "files" / "pi2project.csv").read_text() == ""
    assert (tmp_path / "files" / "group.csv").read_text() == ""
    assert "without 1 project of stack, which is no cloud in the configuration" in done.warnings[0]
    quick.run(DAYS[1])
    assert quick.present()["cloud-project stack/0a"][1] == "Active"


# Only what changed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files are written."""
    return tmp_path / "outbox" / "hierarchy"


def imported(folder: Path) -> None:
    """Move the folder away to be imported, and then clear it."""
    rmtree(folder.rename(folder.with_name("importing")))


def keys(estate: Estate, folder: Path) -> tuple[list[str], list[str]]:
    """The keys in group.csv and names.csv when only what changed is written."""
    read = rows(estate, folder, changed_only=True)
    return [row[0] for row in read["group.csv"]], [row[0] for row in read["names.csv"]]


def test_xdmod_is_told_once(estate: Estate, folder: Path) -> None:
    """A project that was written and moved away is not written again, unless something about it changed."""
    one_project(estate).run(DAYS[0])
    assert keys(estate, folder) == (["genes"], ["genes"])
    imported(folder)
    assert keys(estate, folder) == ([], [])
    estate.allocation("2", "1", OCP, "more")
    estate.project("1", "Genes", "pi-a")
    estate.run(DAYS[1])
    imported(folder)
    assert keys(estate, folder) == (["more"], ["genes", "more"])
    imported(folder)
    assert keys(estate, folder) == ([], [])


def test_the_other_two_files_are_always_whole(quick: Estate, folder: Path) -> None:
    """Nodes and OpenStack projects can be told again without harm."""
    one_project(quick).run(DAYS[0])
    whole = quick.csvs(folder)
    imported(folder)
    again = quick.csvs(folder, changed_only=True)
    assert [name for name in FILES if again[name] == whole[name]] == ["hierarchy.csv", "pi2project.csv"]


def test_what_waits_to_be_imported_stays(quick: Estate, folder: Path) -> None:
    """A second export before the import keeps the lines of the first, in their newest form."""
    one_project(quick).run(DAYS[0])
    quick.export(folder, changed_only=True)
    quick.person("pi-b", "University B", "physics")
    quick.project("1", "Genes", "pi-b")
    quick.allocation("2", "1", OCP, "more")
    quick.run(DAYS[1])
    for _ in range(2):
        read = rows(quick, folder, changed_only=True)
        assert [row[0] for row in read["group.csv"]] == ["genes", "more"]
        assert read["names.csv"] == [["genes", "", "Genes"], ["more", "", "Genes"]]
    imported(folder)
    assert keys(quick, folder) == ([], [])


def test_a_project_that_comes_back_is_known(quick: Estate, folder: Path) -> None:
    """Closed and opened again, it is for XDMoD what it was."""
    one_project(quick).run(DAYS[0])
    quick.export(folder, changed_only=True)
    for day, status in ((1, "Expired"), (2, "Active")):
        imported(folder)
        quick.close("1", status)
        quick.run(DAYS[day])
        assert keys(quick, folder) == ([], [])


def test_a_whole_export_counts_as_telling(quick: Estate, folder: Path) -> None:
    """And one of the past does not."""
    one_project(quick).run(DAYS[0])
    quick.export(folder.with_name("past"), DAYS[0])
    assert keys(quick, folder) == (["genes"], ["genes"])
    imported(folder)
    quick.allocation("2", "1", OCP, "more")
    quick.run(DAYS[1])
    quick.export(folder)
    imported(folder)
    assert keys(quick, folder) == ([], [])


def test_what_was_never_written_was_never_told(quick: Estate, folder: Path) -> None:
    """An export that is refused leaves XDMoD's knowledge as it was."""
    one_project(quick).run(DAYS[0])
    folder.mkdir(parents=True)
    (folder / "notes.txt").touch()
    with pytest.raises(ConfigurationError, match="did not make"):
        quick.export(folder, changed_only=True)
    rmtree(folder)
    assert keys(quick, folder) == (["genes"], ["genes"])


# Moved projects


def moves(estate: Estate, folder: Path, *, taken: bool = True) -> tuple[int, object]:
    """What an export says has moved; its files are then taken away to be imported, or not."""
    done = estate.export(folder)
    if taken:
        imported(folder)
    return done.moved, done.moved_since


def test_closed_projects_move_with_their_pi(quick: Estate, folder: Path) -> None:
    """What they used long ago is below the PI in XDMoD, too."""
    one_project(quick).run(DAYS[0])
    quick.allocation("2", "1", OCP, "later")
    quick.run(DAYS[1])
    quick.close("1")
    quick.run(DAYS[2])
    moves(quick, folder)
    quick.person("pi-a", "University B", "physics", first="A")
    quick.run(DAYS[3])
    assert moves(quick, folder) == (2, DAYS[0])


def test_a_look_elsewhere_tells_xdmod_nothing(quick: Estate, folder: Path, tmp_path: Path) -> None:
    """Files that are written to be looked at are written for XDMoD all the same."""
    one_project(quick).run(DAYS[0])
    export_now(quick.ledger, quick.clouds, folder, elsewhere=tmp_path / "look")
    assert keys(quick, folder) == (["genes"], ["genes"])


def test_moved_projects_are_counted(estate: Estate, folder: Path) -> None:
    """New, below a PI who moves, or given to another, with the day from which XDMoD has to start anew."""
    one_project(estate).run(DAYS[0])
    assert moves(estate, folder) == (1, DAYS[0])
    estate.allocation("2", "1", OCP, "later")
    estate.run(DAYS[1])
    assert moves(estate, folder) == (1, DAYS[1])
    estate.person("pi-a", "University B", "physics", first="A")
    estate.run(DAYS[2])
    done = estate.export(folder)
    assert (done.moved, done.moved_since, done.as_of) == (2, DAYS[0], DAYS[2])
    assert moves(estate, folder, taken=False) == (2, DAYS[0])
    assert moves(estate, folder) == (2, DAYS[0])
    assert moves(estate, folder) == (0, None)
    estate.person("pi-b", "University B", "physics", first="B")
    estate.project("2", "Another", "pi-b")
    estate.allocation("2", "2", OCP, "later")
    estate.run(DAYS[3])
    assert moves(estate, folder) == (1, DAYS[1])


def test_another_name_is_no_move(quick: Estate, folder: Path) -> None:
    """XDMoD shows new names without aggregating again."""
    one_project(quick).run(DAYS[0])
    moves(quick, folder)
    quick.person("pi-a", "UNIVERSITY A", "Physics", first="B")
    quick.project("1", "Genes", "pi-a")
    quick.run(DAYS[1])
    assert moves(quick, folder) == (0, None)


# The folder


def test_the_folder_is_replaced_at_once(quick: Estate, folder: Path) -> None:
    """Whoever has it open reads one export to its end, and the next opening finds the next one; no other stays."""
    one_project(quick).run(DAYS[0])
    quick.export(folder)
    opened = (folder / "names.csv").open()
    quick.project("1", "Genes", "pi-a")
    quick.run(DAYS[1])
    quick.export(folder)
    with opened:
        assert "Genes" not in opened.read()
    assert "Genes" in (folder / "names.csv").read_text()
    assert list(folder.parent.iterdir()) == [folder]
    assert {path.name for path in folder.iterdir()} == set(FILES)


def test_a_folder_moved_away_is_whole(quick: Estate, folder: Path) -> None:
    """What is taken to be imported keeps its files, whatever is exported meanwhile."""
    one_project(quick).run(DAYS[0])
    files = quick.csvs(folder)
    taken = folder.rename(folder.with_name("importing"))
    quick.project("1", "Genes", "pi-a")
    quick.run(DAYS[1])
    quick.export(folder)
    assert {name: (taken / name).read_text() for name in FILES} == files


def test_lines_moved_aside_by_a_crash_still_wait(quick: Estate, folder: Path) -> None:
    """A crash between two exports loses no line that XDMoD was not told."""
    one_project(quick).run(DAYS[0])
    files = quick.csvs(folder)
    folder.rename(folder.with_name(f".{folder.name}.old"))
    assert quick.csvs(folder, changed_only=True) == files


def test_exports_beside_it_stay(quick: Estate, folder: Path) -> None:
    """Files of the past, whose folder's name begins as that of the present, outlive the exports of the present."""
    one_project(quick).run(DAYS[0])
    past = folder.with_name(f"{folder.name}-2025-01-01")
    then = quick.csvs(past, DAYS[0])
    quick.project("1", "Genes", "pi-a")
    quick.run(DAYS[1])
    quick.export(folder)
    assert {name: (past / name).read_text() for name in FILES} == then


def test_a_folder_of_others_is_left_alone(quick: Estate, folder: Path, tmp_path: Path) -> None:
    """A folder, a file or a link that somebody else made is not replaced, and nothing in it is touched."""
    one_project(quick).run(DAYS[0])
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    folder.parent.mkdir()
    (folder.with_name("a-file")).write_text("mine")
    (folder.with_name("a-link")).symlink_to(mine)
    (folder.with_name("nowhere")).symlink_to(tmp_path / "nothing")
    for place in (mine, folder.with_name("a-file"), folder.with_name("a-link"), folder.with_name("nowhere")):
        with pytest.raises(ConfigurationError, match=r"did not make.*--output"):
            quick.export(place)
    assert [path.read_text() for path in mine.iterdir()] == ["mine"]
    assert len(list(folder.parent.iterdir())) == 3


@pytest.mark.parametrize("name", ["a [b] *", "über", "-x", "a.b", "x y"])
def test_a_folder_may_be_called_anything(quick: Estate, tmp_path: Path, name: str) -> None:
    """And is tidied up all the same."""
    one_project(quick).run(DAYS[0])
    for title in ("One", "Two"):
        quick.project("1", title, "pi-a")
        quick.run(DAYS[1])
        assert f'"{title}"' in quick.csvs(tmp_path / "out" / name)["names.csv"]
    assert len(list((tmp_path / "out").iterdir())) == 1
