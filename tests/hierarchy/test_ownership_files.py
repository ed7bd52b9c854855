"""The site's own files: what is taken of them, and what is refused with the place to correct."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hierarchy import HierarchySettings
from hierarchy.fundings import Funding, Fundings, Tree
from hierarchy.ownership_files import read_ownership_files
from ledger import ConfigurationError
from ledger.ownership import Organization, Owning, ProjectKey, Share, TreeProject
from tests.hierarchy.estate import OCP, Estate, at

HEADING = "project,institution,share,from,until\n"
DAYS = [at(f"2025-01-{day:02}") for day in range(1, 29)]

VALID = """
[[organization]]
name = "University A"
aliases = ["uni-a.example", "UA"]

[[project]]
project = "biology"
parent = "site"
title = "Biology"

[[project]]
project = "coldfront/1"
parent = "biology"

[[share]]
project = "coldfront/1"
institution = "University A"
share = "0.25"
from = 2025-01-01
until = 2025-07-01T12:00:00+02:00

[[share]]
project = "coldfront/1"
institution = " unfunded "
share = "0.75"
from = "2025-01-01"
until = "2025-07-01T10:00:00Z"
"""
SHARES = HEADING + (
    "coldfront/1,University A,0.25,2025-01-01,2025-07-01T12:00:00+02:00\n"
    'coldfront/1,"Trust, The ""Big"" One",.75,2025-01-01,2025-07-01T10:00:00Z\n'
    "biology,University A,1,2025-07-01,\n"
)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def key(text: str) -> ProjectKey:
    return ProjectKey(text)


NOON = datetime(2025, 7, 1, 10, tzinfo=UTC)
QUARTER = Share(key("coldfront/1"), "University A", "0.25", day("2025-01-01"), NOON)


def written(folder: Path, **files: str | bytes) -> list[Path]:
    """Write files; the name of an argument is `shares_csv` for shares.csv."""
    paths = [folder / name.replace("_", ".") for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return paths


def read(folder: Path, **files: str | bytes) -> list[Owning]:
    return [one.record for one in read_ownership_files(written(folder, **files))]


def refused(folder: Path, **files: str | bytes) -> str:
    """Why the files are refused, in one line."""
    with pytest.raises(ConfigurationError) as raised:
        read(folder, **files)
    assert "\n" not in str(raised.value)
    return str(raised.value).replace(f"{folder}/", "")


@pytest.fixture
def known(quick: Estate) -> Estate:
    """A site with the ColdFront projects 1 and 2, of which 1 has a namespace."""
    quick.person("pi-a", "University A", "physics")
    for id in "12":
        quick.project(id, f"Project {id}", "pi-a")
    quick.allocation("1", "1", OCP, "namespace")
    quick.run(DAYS[0])
    return quick


def run(estate: Estate, folder: Path, **files: str) -> None:
    """Keep what the files say."""
    estate.settings = HierarchySettings(ownership=tuple(written(folder, **files)))
    estate.run(DAYS[1])


def contradicts(estate: Estate, folder: Path, **files: str) -> str:
    """Why the site's files do not go together; the ledger then stays as it was."""
    before = estate.history(), len(estate.ledger.runs("hierarchy"))
    with pytest.raises(ConfigurationError) as raised:
        run(estate, folder, **files)
    assert (estate.history(), len(estate.ledger.runs("hierarchy"))) == (before[0], before[1] + 1)
    assert not [*estate.ledger.newest("hierarchy", TreeProject), *estate.ledger.newest("hierarchy", Share)]
    return str(raised.value).replace(f"{folder}/", "")


# What is taken


def test_a_valid_file(tmp_path: Path) -> None:
    """Days begin at midnight UTC, instants are taken with their offset, blanks around names are none of them."""
    assert read(tmp_path, own_toml=VALID) == [
        Organization("University A", ("uni-a.example", "UA")),
        TreeProject(key("biology"), key("site"), "Biology"),
        TreeProject(key("coldfront/1"), key("biology")),
        QUARTER,
        Share(key("coldfront/1"), "unfunded", "0.75", day("2025-01-01"), NOON),
    ]


def test_valid_shares(tmp_path: Path) -> None:
    """Quoted fields may have commas and quotes; an empty end is open."""
    assert read(tmp_path, shares_csv=SHARES) == [
        QUARTER,
        Share(key("coldfront/1"), 'Trust, The "Big" One', ".75", day("2025-01-01"), NOON),
        Share(key("biology"), "University A", "1", day("2025-07-01"), None),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + SHARES,
        SHARES.replace("\n", "\r\n"),
        SHARES.removesuffix("\n"),
        SHARES.replace("coldfront/1,University A", " coldfront/1 , University A "),
        SHARES + "\n\n",
    ],
    ids=["a byte order mark", "line ends of Windows", "no last line end", "blanks", "empty lines at the end"],
)
def test_a_spreadsheet_may_have_written_it(tmp_path: Path, content: str) -> None:
    """What programs add to a CSV file changes nothing."""
    assert read(tmp_path, shares_csv=content) == read(tmp_path, plain_csv=SHARES)


@pytest.mark.parametrize("files", [{"own_toml": ""}, {"own_toml": "\ufeff# nothing\n"}, {"shares_csv": HEADING}])
def test_files_that_say_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    """Are files."""
    assert read(tmp_path, **files) == []


def test_all_of_it_is_kept(known: Estate, tmp_path: Path) -> None:
    """With its past: what a file says no more is gone, and was there; without any file nothing changes."""
    run(known, tmp_path, own_toml=VALID)
    shares = list(known.ledger.newest("hierarchy", Share))
    assert [(one.institution, one.share, one.gone) for one in shares] == [
        ("University A", "0.25", False),
        ("unfunded", "0.75", False),
    ]
    known.settings = HierarchySettings()
    assert known.run(DAYS[2]).counts["appended"] == 0
    (tmp_path / "own.toml").write_text("")
    known.settings = HierarchySettings(ownership=(tmp_path / "own.toml",))
    known.run(DAYS[2])
    assert [one.gone for one in known.ledger.newest("hierarchy", Share)] == [True, True]


# What is refused

#: A file's content, and where and why it is refused.
WRONG_CSV = {
    "a wrong heading": ("project,institution,share,since,until\n", "line 1", "project,institution,share,from,until"),
    "another order": ("institution,project,share,from,until\n", "line 1", "heading must be"),
    "semicolons": (HEADING.replace(",", ";"), "line 1", "heading must be"),
    "nothing at all": ("", "line 1", "heading must be"),
    "no heading": ("coldfront/1,A,1,2025-01-01,\n", "line 1", "heading must be"),
    "a missing column": (HEADING + "coldfront/1,A,1\n", "line 2, from", ""),
    "one column more": (HEADING + "coldfront/1,A,1,2025-01-01,,x\n", "line 2", "more fields than the heading"),
    "nothing": (HEADING + "coldfront/1,A,0,2025-01-01,\n", "line 2, share", '"0"'),
    "less than nothing": (HEADING + "coldfront/1,A,-1,2025-01-01,\n", "line 2, share", '"-1"'),
    "more than all": (HEADING + "coldfront/1,A,1.5,2025-01-01,\n", "line 2, share", '"1.5"'),
    "no number": (HEADING + "coldfront/1,A,abc,2025-01-01,\n", "line 2, share", '"abc"'),
    "per cent": (HEADING + "coldfront/1,A,50%,2025-01-01,\n", "line 2, share", '"50%"'),
    "a comma in a number": (HEADING + 'coldfront/1,A,"0,5",2025-01-01,\n', "line 2, share", '"0,5"'),
    "not a number": (HEADING + "coldfront/1,A,nan,2025-01-01,\n", "line 2, share", '"nan"'),
    "an exponent": (HEADING + "coldfront/1,A,1e-1,2025-01-01,\n", "line 2, share", '"1e-1"'),
    "no day": (HEADING + "coldfront/1,A,1,2025-02-30,\n", "line 2", '"2025-02-30" is no day'),
    "a day of Americans": (HEADING + "coldfront/1,A,1,01/02/2025,\n", "line 2", '"01/02/2025" is no day'),
    "a month": (HEADING + "coldfront/1,A,1,2025-07,\n", "line 2, from", '"2025-07"'),
    "an instant nowhere": (HEADING + "coldfront/1,A,1,2025-07-01T12:00,\n", "line 2", "has no offset"),
    "an end before its beginning": (
        HEADING + "coldfront/1,A,1,2025-07-01,2025-06-01\n",
        "line 2",
        "until must come after",
    ),
    "an end at its beginning": (HEADING + "coldfront/1,A,1,2025-07-01,2025-07-01\n", "line 2", "until must come after"),
    "no institution": (HEADING + "coldfront/1, ,1,2025-01-01,\n", "line 2, institution", ""),
    "no project": (HEADING + ",A,1,2025-01-01,\n", "line 2, project", ""),
    "a fault behind good lines": (SHARES + "biology,A,2,2025-01-01,\n", "line 5, share", '"2"'),
    "a quote that does not end": (HEADING + '"coldfront/1,A,1,2025-01-01,\n', "line 2", "no CSV"),
    "a quote in the middle": (HEADING + 'coldfront/1,"A"B,1,2025-01-01,\n', "line 2", "no CSV"),
    "the same twice": (
        HEADING + "coldfront/1,A,0.5,2025-01-01,\ncoldfront/1,A,0.5,2025-01-01,2025-06-01\n",
        "line 3",
        "what shares.csv, line 2 does (coldfront/1)",
    ),
}


@pytest.mark.parametrize("fault", WRONG_CSV)
def test_wrong_shares(tmp_path: Path, fault: str) -> None:
    """The line is named, and the column or what is wrong with it."""
    content, where, why = WRONG_CSV[fault]
    message = refused(tmp_path, shares_csv=content)
    assert message.startswith(f"shares.csv, {where}"), message
    assert why in message


WRONG_TOML = {
    "no TOML": ("[[share]\n", "own.toml cannot be read", "line 1"),
    "an unknown table": ("[[shares]]\n", "own.toml, the file", "shares"),
    "a table instead of several": ('[organization]\nname = "A"\n', "own.toml, organization", ""),
    "an unknown key": ('[[organization]]\nname = "A"\nalias = "B"\n', "own.toml, [[organization]] 1 (A)", "alias"),
    "a missing key": ('[[project]]\nproject = "a"\n', "own.toml, [[project]] 1 (a)", "parent"),
    "a name of blanks": ('[[organization]]\nname = " "\n', "own.toml, [[organization]] 1 ( ).name", ""),
    "a number as share": (
        '[[share]]\nproject = "a"\ninstitution = "A"\nshare = 0.5\nfrom = 2025-01-01\n',
        "own.toml, [[share]] 1 (a).share",
        "",
    ),
    "a share of nothing": (
        '[[share]]\nproject = "a"\ninstitution = "A"\nshare = "0.00"\nfrom = 2025-01-01\n',
        "own.toml, [[share]] 1 (a).share",
        '"0.00"',
    ),
    "a wrong second entry": (
        VALID + '[[project]]\nproject = "b"\nparent = 3\n',
        "own.toml, [[project]] 3 (b).parent",
        "3",
    ),
    "an instant nowhere": (
        '[[share]]\nproject = "a"\ninstitution = "A"\nshare = "1"\nfrom = 2025-01-01T00:00:00\n',
        "own.toml, [[share]] 1",
        "no offset",
    ),
    "the same twice": (
        '[[organization]]\nname = "A"\n[[organization]]\nname = "A"\n',
        "own.toml, [[organization]] 2",
        "own.toml, [[organization]] 1 does (A)",
    ),
    "a project in two places": (
        '[[project]]\nproject = "a"\nparent = "site"\ntitle = "A"\n[[project]]\nproject = "a"\nparent = "b"\n',
        "own.toml, [[project]] 2",
        "(a)",
    ),
}


@pytest.mark.parametrize("fault", WRONG_TOML)
def test_a_wrong_file(tmp_path: Path, fault: str) -> None:
    """The entry is named, by its number and what it is about."""
    content, where, why = WRONG_TOML[fault]
    message = refused(tmp_path, own_toml=content)
    assert message.startswith(where), message
    assert why in message


@pytest.mark.parametrize("name", ["own_toml", "shares_csv"])
@pytest.mark.parametrize("content", [b"\xff\xfe[\x00", b'name = "\xe9"', SHARES.encode("utf-16")])
def test_what_is_not_utf_8(tmp_path: Path, name: str, content: bytes) -> None:
    """Is named, instead of read with wrong letters."""
    assert refused(tmp_path, **{name: content}).startswith(f"{name.replace('_', '.')} of hierarchy.ownership cannot")


def test_two_files_that_say_the_same(tmp_path: Path) -> None:
    """Both places are named."""
    message = refused(tmp_path, own_toml=VALID, shares_csv=SHARES)
    assert message.startswith("shares.csv, line 2 states once more what own.toml, [[share]] 1 does (coldfront/1)")


@pytest.mark.parametrize("name", ["missing.toml", "own.yaml", "folder.csv"])
def test_what_is_no_file_of_that_kind(tmp_path: Path, name: str) -> None:
    """The path is named."""
    (tmp_path / "own.yaml").write_text("")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigurationError, match=name):
        read_ownership_files([tmp_path / name])


# What does not fit together


def place(project: str, parent: str, title: str = "") -> str:
    said = f'title = "{title}"\n' if title else ""
    return f'[[project]]\nproject = "{project}"\nparent = "{parent}"\n{said}'


@pytest.mark.parametrize(
    ("toml", "where", "why"),
    [
        (place("coldfront/1", "coldfront/1"), "own.toml, [[project]] 1", "coldfront/1 in coldfront/1"),
        (
            place("coldfront/1", "coldfront/2") + place("coldfront/2", "coldfront/1"),
            "own.toml, [[project]] 1",
            "circle: coldfront/1 in coldfront/2 in coldfront/1",
        ),
        (
            place("a", "b", "A") + place("b", "c", "B") + place("c", "b", "C"),
            "own.toml, [[project]]",
            "circle: b in c in b",
        ),
        (place("coldfront/77", "site"), "own.toml, [[project]] 1", 'no project "coldfront/77"'),
        (place("coldfront/1", "coldfront/77"), "own.toml, [[project]] 1", 'no project "coldfront/77"'),
        (place("a", "site"), "own.toml, [[project]] 1", "needs a title"),
        (place("site", "coldfront/1"), "own.toml, [[project]] 1", "whole site"),
    ],
)
def test_a_wrong_tree(known: Estate, tmp_path: Path, toml: str, where: str, why: str) -> None:
    """A circle, or a project that nobody knows, is named with its entry."""
    message = contradicts(known, tmp_path, own_toml=toml)
    assert message.startswith(where), message
    assert why in message


def test_shares_of_a_project_that_nobody_knows(known: Estate, tmp_path: Path) -> None:
    """The line is named."""
    content = HEADING + "coldfront/1,A,1,2025-01-01,\ncoldfront/77,A,1,2025-01-01,\n"
    message = contradicts(known, tmp_path, shares_csv=content)
    assert message.startswith('shares.csv, line 3: there is no project "coldfront/77"')


@pytest.mark.parametrize(
    ("lines", "interval", "total"),
    [
        (["A,0.5,2025-01-01,", "B,0.4,2025-01-01,"], "2025-01-01T00:00:00Z on", "0.9"),
        (["A,0.6,2025-01-01,", "B,0.5,2025-01-01,"], "2025-01-01T00:00:00Z on", "1.1"),
        (
            ["A,1,2025-01-01,2025-03-01", "B,0.1,2025-02-01,2025-03-01"],
            "2025-02-01T00:00:00Z to 2025-03-01T00:00:00Z",
            "1.1",
        ),
        (
            ["A,0.5,2025-01-01,", "B,0.5,2025-01-01,2025-03-01", "C,0.5,2025-03-02,"],
            "2025-03-01T00:00:00Z to 2025-03-02T00:00:00Z",
            "0.5",
        ),
        (["A,0.333333,2025-01-01,", "B,0.333333,2025-01-01,", "C,0.333333,2025-01-01,"], "2025-01-01", "0.999999"),
    ],
)
def test_shares_that_are_not_the_whole(
    known: Estate, tmp_path: Path, lines: list[str], interval: str, total: str
) -> None:
    """In some time only, or always: the time and all the lines are named."""
    content = HEADING + "".join(f"coldfront/1,{line}\n" for line in lines)
    message = contradicts(known, tmp_path, shares_csv=content)
    assert f"coldfront/1 from {interval}" in message
    assert f"sum to {total}, not to 1" in message
    assert all(f"shares.csv, line {number + 2}" in message for number in range(len(lines)))


def test_shares_that_are_the_whole(known: Estate, tmp_path: Path) -> None:
    """Tenths are not rounded, one payer may follow another, and there may be a time without any."""
    tenths = "".join(f"coldfront/1,Payer {number},0.1,2025-01-01,2025-02-01\n" for number in range(10))
    later = "coldfront/1,A,1.0,2025-03-01,2025-04-01\ncoldfront/1,B,1,2025-04-01,\n"
    run(known, tmp_path, shares_csv=HEADING + tenths + later)
    assert len(list(known.ledger.newest("hierarchy", Share))) == 12


# Who pays for what, through time

TREE = Tree([
    TreeProject(key("faculty"), key("site"), "Faculty"),
    TreeProject(key("group"), key("faculty"), "Group"),
    TreeProject(key("coldfront/1"), key("group")),
])  # fmt: skip


def share(project: str, payer: str, part: str, since: str, until: str | None = None) -> Share:
    return Share(key(project), payer, part, day(since), day(until) if until else None)


def funding(since: str, until: str | None, of: str, **parts: str) -> Funding:
    told = tuple(sorted((name, Decimal(part)) for name, part in parts.items()))
    return Funding(day(since), day(until) if until else None, key(of), told)


def of(project: str, shares: Iterable[Share]) -> list[Funding]:
    return Fundings(shares, TREE).of(key(project))


def test_own_shares_replace_those_from_above() -> None:
    """Entirely, for as long as there are any; in the gaps the nearest project above counts again."""
    shares = [
        share("site", "State", "1", "2025-01-01"),
        share("faculty", "A", "0.5", "2025-02-01", "2025-08-01"),
        share("faculty", "B", "0.5", "2025-02-01", "2025-08-01"),
        share("coldfront/1", "Own", "1", "2025-03-01", "2025-04-01"),
        share("coldfront/1", "Own", "1", "2025-06-01", "2025-10-01"),
    ]
    assert of("coldfront/1", shares) == [
        funding("2025-01-01", "2025-02-01", "site", State="1"),
        funding("2025-02-01", "2025-03-01", "faculty", A="0.5", B="0.5"),
        funding("2025-03-01", "2025-04-01", "coldfront/1", Own="1"),
        funding("2025-04-01", "2025-06-01", "faculty", A="0.5", B="0.5"),
        funding("2025-06-01", "2025-10-01", "coldfront/1", Own="1"),
        funding("2025-10-01", None, "site", State="1"),
    ]
    assert of("group", shares)[1:] == [
        funding("2025-02-01", "2025-08-01", "faculty", A="0.5", B="0.5"),
        funding("2025-08-01", None, "site", State="1"),
    ]
    assert of("coldfront/2", shares) == [funding("2025-01-01", None, "site", State="1")]


def test_without_shares_above_a_gap_is_a_gap() -> None:
    """Nobody is told to pay, before, between and after."""
    shares = [
        share("group", "A", "1", "2025-01-01", "2025-02-01"),
        share("group", "A", "1", "2025-03-01", "2025-04-01"),
    ]
    assert of("coldfront/1", shares) == [
        funding("2025-01-01", "2025-02-01", "group", A="1"),
        funding("2025-03-01", "2025-04-01", "group", A="1"),
    ]
    assert of("coldfront/2", shares) == []
    paid = Fundings(shares, TREE)
    moments = {"2024-12-31": False, "2025-01-01": True, "2025-01-31": True, "2025-02-01": False, "2025-04-01": False}
    assert {text: paid.at(key("coldfront/1"), day(text)) is not None for text in moments} == moments
    assert paid.at(key("group"), day("2025-02-01") - timedelta(microseconds=1)) is not None


def test_equal_neighbours_are_one() -> None:
    """A budget year that goes on as the one before it is no change; another payer or part is one."""
    shares = [
        share("group", "A", "0.5", "2025-01-01", "2026-01-01"),
        share("group", "B", "0.5", "2025-01-01"),
        share("group", "A", "0.50", "2026-01-01", "2027-01-01"),
        share("group", "C", "0.5", "2027-01-01"),
    ]
    assert of("group", shares) == [
        funding("2025-01-01", "2027-01-01", "group", A="0.5", B="0.5"),
        funding("2027-01-01", None, "group", B="0.5", C="0.5"),
    ]
    assert of("group", reversed(shares)) == of("group", shares)


def test_equal_shares_of_another_project_are_another_funding() -> None:
    """It is shown whose shares count, also where the numbers are the same."""
    shares = [share("faculty", "A", "1", "2025-01-01"), share("group", "A", "1", "2025-02-01", "2025-03-01")]
    assert [(one.of, one.since) for one in of("coldfront/1", shares)] == [
        ("faculty", day("2025-01-01")),
        ("group", day("2025-02-01")),
        ("faculty", day("2025-03-01")),
    ]


@pytest.mark.parametrize("second", ['name = "B"\naliases = ["ua"]', 'name = "university  A"'])
def test_a_name_of_two_institutions(tmp_path: Path, second: str) -> None:
    """It would be left to chance whose it is, so it is refused with both entries."""
    own = f'[[organization]]\nname = "University A"\naliases = ["UA"]\n[[organization]]\n{second}\n'
    with pytest.raises(ConfigurationError) as raised:
        read_ownership_files(written(tmp_path, own_toml=own))
    assert "own.toml, [[organization]] 2" in str(raised.value)
    assert "own.toml, [[organization]] 1, too" in str(raised.value)


def test_a_time_without_a_day(tmp_path: Path) -> None:
    """TOML has such values, and no key takes them."""
    own = '[[share]]\nproject = "coldfront/1"\ninstitution = "A"\nshare = "1"\nfrom = 07:00:00\n'
    with pytest.raises(ConfigurationError, match=r"own\.toml: a value is of a kind that no key takes"):
        read_ownership_files(written(tmp_path, own_toml=own))
