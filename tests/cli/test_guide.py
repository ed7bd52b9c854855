"""What the documents tell an operator to type is what the program understands."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

import schemas
from tests.cli.understood import understood

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GUIDE = (ROOT / "docs" / "guide.md").read_text()
BLOCKS = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: The five times of a line of cron, and the account.
CRON = re.compile(r"^[\d*][\d*/]*(?: +[\d*]+){4} +xdmod +")


def typed(text: str) -> Iterator[str]:
    """The lines of a document that are to be typed, or given to cron."""
    for kind, block in BLOCKS.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if kind == "sh":
                yield line
            elif line.startswith("$ "):
                yield line.removeprefix("$ ")
            elif CRON.match(line):
                yield CRON.sub("", line)


def calls(line: str) -> Iterator[list[str]]:
    """The calls of our command in a line of a shell, without what it is piped or redirected to."""
    if "xdmod-cloud" not in line:
        return
    found = shlex.shlex(line, posix=True, punctuation_chars=True)
    found.whitespace_split = True
    part: list[str] = []
    try:
        for word in [*found, ";"]:
            if not set(word) <= set("|&;<>()"):
                part.append(word)
                continue
            if part[:1] == ["xdmod-cloud"]:
                yield part[1:]
            part = []
    except ValueError:  # a quotation that goes on in the next line, as in SQL or JSON
        return


WRITTEN = [
    pytest.param(words, id=f"{file.name}: {shlex.join(words)}")
    for file in DOCUMENTS
    for line in typed(file.read_text())
    for words in calls(line)
    if "…" not in words
]
#: Commands in running text and tables, where what is obvious may be left out.
MENTIONED = [
    pytest.param(shlex.split(said), id=f"{file.name}: {said}")
    for file in DOCUMENTS
    for said in re.findall(r"`xdmod-cloud ([^`\n]*)`", file.read_text())
    if not set(said) & set("…[{<")
]


@pytest.mark.parametrize("words", WRITTEN)
def test_what_is_to_be_typed_is_understood(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line has a command that exists, with options, values and arguments that it takes."""
    monkeypatch.delenv("XDMOD_CLOUD_XDMOD", raising=False)
    if words != ["--version"]:
        understood(*words)


@pytest.mark.parametrize("words", MENTIONED)
def test_what_is_mentioned_is_there(words: list[str]) -> None:
    """No text names a command or an option that is gone."""
    assert complaint(words) == ""


def complaint(words: list[str]) -> str:
    """What the program says against a command line, but for what it lacks and for names that stand for values."""
    try:
        understood(*words)
    except click.UsageError as error:
        said = error.format_message()
        return said if "No such" in said or "unexpected" in said else ""
    return ""


def test_there_is_something_to_look_at() -> None:
    """Both kinds of places are found, cron's among them."""
    assert len(WRITTEN) > 80
    assert len(MENTIONED) > 80
    assert ["restore", "--check"] in [words.values[0] for words in WRITTEN if "guide.md" in str(words.id)]


def test_the_first_configuration_is_valid() -> None:
    """Whoever copies it from the guide has one that the program takes."""
    (table,) = (tomllib.loads(block) for kind, block in BLOCKS.findall(GUIDE) if kind == "toml")
    assert not [fault.message for fault in schemas.validator("configuration").iter_errors(table)]


def test_every_alert_is_in_the_guide() -> None:
    """Whoever is called finds the alert by its name, with what to do; and no alert that is gone."""
    rules = msgspec.yaml.decode((ROOT / "k8s" / "monitoring" / "alerts.yaml").read_bytes())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    assert set(re.findall(r"^\| `(XdmodCloud\w+)` \|", GUIDE, re.MULTILINE)) == alerts


def test_every_clock_has_the_same_environment() -> None:
    """What the shell is given, cron is given, too."""
    environment = re.search(r"/environment <<END\n(.*?)^END", GUIDE, re.DOTALL | re.MULTILINE)
    assert environment
    (cron,) = (block for kind, block in BLOCKS.findall(GUIDE) if kind == "text" and "MAILTO" in block)
    assert set(environment[1].splitlines()) <= set(cron.splitlines())


def test_every_document_is_in_the_index() -> None:
    """From the README, each document is one step away."""
    readme = (ROOT / "README.md").read_text()
    assert [file.name for file in DOCUMENTS[1:] if f"(docs/{file.name})" not in readme] == []


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    """Each link to a file of ours has a file, and each anchor a heading, at its other end."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", file.read_text()):
        other = (file.parent / target).resolve() if target else file
        assert other.exists(), target
        if anchor:
            assert anchor in {slug(line) for line in other.read_text().splitlines() if line.startswith("#")}, anchor


def slug(heading: str) -> str:
    """The anchor that a heading has where documents are shown."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("#").strip().lower()).replace(" ", "-")
