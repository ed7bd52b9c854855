"""Whatever is wrong in the file of a site is told by its line, all of it at once, before anything is done."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from operations.init.site import Faulty, read
from tests.init.place import PASSWORDS, SITE, TYPES, Host

ROOT = Path(__file__).parents[2]


def changed(where: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The site, with one value otherwise, or None to leave it out."""
    site = copy.deepcopy(SITE)
    inner: Any = site
    for key in where[:-1]:
        inner = inner[key]
    if value is None:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return site


WRONG: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("site", "address"), "xdmod.example.org", "form"),
    (("site", "email"), "nobody", "form"),
    (("site", "title"), 'a "title"', "form"),
    (("site", "logo"), "logo.png", "form"),
    (("site", "logo_width"), 30, "no effect without logo"),
    (("site", "dashboard"), "on", "type"),
    (("database", "port"), 70000, "maximum"),
    (("database", "user"), "root", "administers the server"),
    (("database", "user"), "dba", "administers the server"),
    (("database", "user"), "keeper", "account of database.user"),
    (("database", "password"), {"file": "secrets/none"}, "cannot be read"),
    (("database", "password"), {"env": "NOT_SET"}, "no variable NOT_SET"),
    (("database", "password"), {}, "never the secret itself"),
    (("database", "password"), {"file": "a", "env": "B"}, "never the secret itself"),
    (("database", "reader", "password"), {"file": "empty"}, "is empty"),
    (("database", "reader", "password"), {"file": "quote"}, "holds a quote"),
    (("organization", "abbreviation"), "", "shorter than 1 character"),
    (("administrator", "user"), "a b", "form"),
    (("administrator", "email"), 7, "type"),
    (("hierarchy", "middle", "label"), None, '"label" is missing'),
    (("resources",), [], "less than 1 item"),
    (("resources", 0, "resource"), "ka zen", "form"),
    (("resources", 1, "resource"), "kaizen", "stands twice"),
    (("resources", 1, "name"), "Kaizen", "stands twice"),
    (("resources", 0, "resource_type"), "cloud", 'XDMoD has no "cloud" (it has: Cloud)'),
    (("resources", 0, "resource_type"), "Tape", "(it has: HPC, Cloud, Disk)"),
    (("resources", 0, "timezone"), "Mars/Olympus", "no time zone"),
    (("resources", 0, "shared_jobs"), True, "no effect: a resource of type Cloud has no jobs"),
    (("resources", 0, "pi_column"), "account_name", "no effect"),
    (("resources", 1, "resource_allocation_type"), "cpu", "(it has: CPU)"),
    (("resources", 1, "capacity", 0, "end_date"), "2025-02-30", "no day of the calendar"),
    (("resources", 1, "capacity", 0, "end_date"), "2024-01-01", "before start_date"),
    (("resources", 1, "capacity", 0, "end_date"), "2026-01-01", "the span before it ends"),
    (("resources", 1, "capacity", 0, "end_date"), None, "only the last span may last"),
    (("resources", 1, "capacity", 1, "cpu_node_count"), -1, "minimum"),
    (("resources", 1, "capacity", 1, "percent_allocated"), 101, "maximum"),
]


@pytest.mark.parametrize(("where", "value", "said"), WRONG, ids=lambda value: str(value)[:30])
def test_each_wrong_value_is_told_by_its_line(host: Host, where: tuple[str | int, ...], value: Any, said: str) -> None:
    """The line, the key and the fault; and nothing has been done."""
    (host.folder / "empty").write_text("\n")
    (host.folder / "quote").write_text("it's\n")
    file = host.site(**changed(where, value))
    before = host.rows()
    (line,) = host.fails(2, "--yes").splitlines()
    _, name, number, key, told = line.split(":", 4)
    assert (name.strip(), said in told) == ("site.json", True), line
    stands = file.read_text().splitlines()[int(number) - 1].strip()
    if value is None:  # it stands nowhere: told is what it should stand in
        assert stands.rstrip(",").endswith(("{", "{}"))
    elif "span before" in said:  # of two that overlap, the later
        assert stands == '"start_date": "2026-01-01",'
    else:
        assert stands.startswith(f'"{where[-1]}": {json.dumps(value)[:1]}')
        assert key.strip().endswith(str(where[-1]))
    assert (host.rows(), host.calls(), host.json("resources.json")) == (before, [], [])


def test_all_faults_at_once(host: Host) -> None:
    """In the order of their lines: what does not fit the form first, what clashes when all of it fits."""
    site = changed(("resources", 0, "timezone"), "Mars/Olympus")
    site["resources"][1]["pi_column"] = "Ü"
    site["site"].update(adress="x", email="y")
    del site["organization"]
    file = host.site(**{**site, "organization": None})
    lines = host.fails(2).splitlines()
    assert [line.split(": ")[2] for line in lines] == [
        "the file",
        "site.email",
        "site.adress",
        "resources[1].pi_column",
    ]
    numbers = [int(line.split(":")[2]) for line in lines]
    assert numbers == sorted(numbers)
    assert '"adress"' in file.read_text().splitlines()[numbers[2] - 1]
    site["resources"][1]["resource_type"] = "hpc"
    host.site(**{**SITE, "resources": [{**one, "pi_column": "pi"} for one in site["resources"]]})
    keys = [line.split(": ")[2] for line in host.fails(2).splitlines()]
    assert keys == ["resources[0].timezone", "resources[0].pi_column", "resources[1].resource_type"]


TOML = """
[site]
address = "https://xdmod.example.org"   # a comment with a "quote
email = '''nobody'''

[database]
host = "localhost"
password.file = "secrets/xdmod"
"socket" = "tmp"
[database.reader]
user = "reader"
password = { file = "a", fil = "b" }

[organization]
name = \"\"\"
Example
University\"\"\"
abbreviation = "EXU"
[administrator]
user = "admin"
password = { env = "1x" }
first_name = "Ada"
last_name = "Min"
email = "admin@example.org"
[[resources]]
resource = "one"
name = "One"
resource_type = "Cloud"
[[resources]]
resource = "two"
name = "Two"
resource_type = "HPC"
capacity = [
  # none
  { start_date = 2025-01-01, cpu_node_count = 1, cpu_processor_count = 1 },
  { start_date = 2025-02-01, cpu_node_count = 1.5 },
]
"""


def test_lines_of_toml(tmp_path: Path) -> None:
    """In tables, dotted keys, inline tables and arrays, after texts of several lines."""
    file = tmp_path / "site.toml"
    file.write_text(TOML)
    with pytest.raises(Faulty) as caught:
        read(file)
    lines = TOML.splitlines()
    assert {fault.key: lines[fault.line - 1] for fault in caught.value.faults} == {
        "site.email": "email = '''nobody'''",
        "database.socket": '"socket" = "tmp"',
        "database.reader.password": 'password = { file = "a", fil = "b" }',
        "administrator.password.env": 'password = { env = "1x" }',
        "resources[1].capacity[1].cpu_node_count": "  { start_date = 2025-02-01, cpu_node_count = 1.5 },",
        "resources[1].capacity[1]": "  { start_date = 2025-02-01, cpu_node_count = 1.5 },",
    }


@pytest.mark.parametrize(
    ("name", "text", "line", "said"),
    [
        ("a.json", '{\n "site": {\n  "email": "a",\n }\n}', 4, "no JSON"),
        ("a.json", '{"site": {},\n "site": {}}', 2, "stands twice"),
        ("a.toml", "[site]\nemail = \n", 2, "no TOML"),
        ("a.toml", "[site]\nemail = 'a'\nemail = 'b'\n", 3, "no TOML"),
        ("a.json", "[]", 1, "type"),
    ],
)
def test_files_that_cannot_be_read(host: Host, name: str, text: str, line: int, said: str) -> None:
    """A comma too many, a key that stands twice, an open end: by its line."""
    (host.folder / name).write_text(text)
    told = host.fails(2, file=name)
    assert f"{name}:{line}: " in told
    assert said in told


def test_a_file_that_is_not_there(host: Host) -> None:
    """It is said where to begin."""
    assert "docs/init/site.toml" in host.fails(2, file="none.toml")


def test_a_password_in_the_file_is_not_repeated(host: Host) -> None:
    """Not even where it stands by a wrong key."""
    for key in ("password", "pass"):
        host.site(**changed(("database", key), PASSWORDS["xdmod"]))
        assert f"database.{key}" in host.fails(2)
    host.site(**changed(("database", "password"), {"file": PASSWORDS["xdmod"], "env": PASSWORDS["xdmod"]}))
    assert "database.password" in host.fails(2)


def test_jobs_are_told_apart_by_twenty_characters(host: Host) -> None:
    """Of two resources with jobs; a cloud may be called alike."""
    code = "a-resource-of-twenty"
    cluster = {"resource_type": "HPC", "name": "A"}
    host.site(resources=[{**cluster, "resource": f"{code}-1"}, {**cluster, "name": "B", "resource": f"{code}-2"}])
    assert "resources[1].resource: XDMoD tells the jobs of resources apart by 20" in host.fails(2)
    host.site(
        resources=[{**cluster, "resource": code}, {"resource_type": "Cloud", "name": "B", "resource": f"{code}-2"}]
    )
    host.fine("--dry-run")


def test_what_older_versions_do_not_know(host: Host) -> None:
    """XDMoD 10.5 has neither types of allocation nor capacities of this form; with 11.5 everything is other."""
    settings = host.etc("portal_settings.ini")
    settings.write_text(settings.read_text().replace("11.0.4", "10.5.0"))
    told = host.fails(2)
    assert "resources[1].resource_allocation_type: it has no effect in XDMoD 10.5.0" in told
    assert "resources[1].capacity: it is written for XDMoD 11, and this is 10.5.0" in told
    settings.write_text(settings.read_text().replace("10.5.0", "11.5.0"))
    assert "XDMoD 11.5.0; 10.0 to 11.0 are supported" in host.fails(2)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("bin/acl-config", "There is no acl-config in "),
        ("bin/xdmod-check-config", "correct xdmod.bin"),
        ("share/configuration/linker.php", "correct xdmod.share"),
        ("etc/portal_settings.ini", "correct xdmod.configuration"),
        ("etc/resource_types.json", "There is no "),
    ],
)
def test_xdmod_is_not_there(host: Host, missing: str, said: str) -> None:
    """It is said what is missing, before anything is made."""
    (host.folder / missing).unlink()
    before = host.rows()
    assert said in host.fails(2, "--yes")
    assert host.rows() == before


def test_a_server_elsewhere(host: Host) -> None:
    """It has no socket, and its administrator a password."""
    database = {**SITE["database"], "host": "db.example.org", "administrator": {"user": "dba"}}
    host.site(database=database)
    told = host.fails(2, "--dry-run").splitlines()
    assert [line.split(": ")[2] for line in told] == ["database.socket", "database.administrator"]


def test_files_of_xdmod_that_are_broken(host: Host) -> None:
    """They are named with the line, and left as they are."""
    host.etc("resources.json").write_text('[\n {"resource": "a",}\n]')
    assert "resources.json:2: it is no JSON" in host.fails(2, "--yes")
    host.put("resources.json", {"a": 1})
    assert "resources.json holds no array" in host.fails(2, "--yes")
    host.put("resources.json", [{"resource": "a"}])
    assert "resources.json: 0 does not fit" in host.fails(2, "--yes")
    assert host.json("resources.json") == [{"resource": "a"}]


def test_another_file_overrules_what_is_set(host: Host) -> None:
    """XDMoD would read the part last, and use another password."""
    host.etc("portal_settings.d").mkdir()
    part = host.etc("portal_settings.d") / "zz.ini"
    part.write_text('[database]\npass = "other"\n')
    assert f"{part} overrules [database] pass" in host.fails(2, "--yes")


def test_the_example_is_right(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that users begin with, on a new host."""
    text = (ROOT / "docs" / "init" / "site.toml").read_text()
    for name in ("xdmod", "ledger", "reader", "admin"):
        (host.folder / "secrets" / name).write_text("geheim\n")
    monkeypatch.setenv("MARIADB_ROOT_PASSWORD", PASSWORDS["dba"])
    for old, new in (
        ('host = "mariadb"', f'host = "localhost"\nsocket = "{host.server.socket}"'),
        ('account_host = "%"', ""),
        ('user = "root"', 'user = "dba"'),
    ):
        assert old in text
        text = text.replace(old, new)
    where = 'xdmod = { bin = "bin", configuration = "etc", share = "share" }\n'
    (host.folder / "site.toml").write_text(where + text)
    host.fine("--yes", file="site.toml")
    assert host.fine(file="site.toml").startswith("Everything is as it should be")
    assert {one["resource_type"] for one in host.json("resources.json")} <= TYPES.keys()
    host.server.execute("DROP USER xdmod_cloud@localhost", "DROP USER xdmod_reader@localhost")


def test_every_key_is_documented() -> None:
    """Each key of the file stands in docs/init.md."""
    text = (ROOT / "docs" / "init.md").read_text()
    schema = json.loads((ROOT / "schemas" / "site.schema.json").read_text())

    def keys(part: dict[str, Any], where: str) -> list[str]:
        found = list[str]()
        for key, inner in part.get("items", part).get("properties", {}).items():
            found += [f"{where}{key}", *keys(inner, f"{where}{key}.")]
        return found

    missing = [key for key in keys(schema, "") if f"`{key}`" not in text]
    assert missing == []
