"""Reports that were handed out, and whether today's data still give them, as the command says."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.__main__ import CONFIGURATION, RECORDING
from demo.owners import CLIENT, REALM, Owners
from demo.replay import Recording, Replay
from tests.cli.here import call
from tests.site import Site

MONTH = ("--month", "2026-10")
CARD = """
currency = "USD"

[[unit]]
name = "CPU"
per = { vcpus = 1 }

[[rate]]
unit = "CPU"
from = 2026-01-01
price = "0.10"
"""


class Desk:
    """A site whose cloud can be read up to one moment after the other."""

    def __init__(self, server: Replay, site: Site, moments: list[object]) -> None:
        self.site, self._server, self._moments = site, server, moments

    def read_up_to(self, nth: int) -> None:
        """Collect what there was at the nth moment of the recording."""
        self._server.at = self._moments[nth]  # type: ignore[assignment]
        for what in ("openstack", "hierarchy"):
            assert call(self.site, "collect", what).returncode == 0

    def publish(self, *words: str) -> str:
        """Publish a report of the month, and return what is said of that."""
        done = call(self.site, "report", *words, *MONTH, "--publish", "--output", str(self.site.folder / "reports"))
        assert done.returncode == 0, done.stderr
        return done.stderr

    def verify(self, file: Path) -> tuple[int, str]:
        """What is said of a file, and the exit code."""
        done = call(self.site, "report", "verify", str(file))
        return done.returncode, done.stdout + done.stderr

    @property
    def published(self) -> Path:
        """Where the cloud's published reports are."""
        return self.site.folder / "published" / "demo-cloud"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A site that has read the demo's cloud up to the last moment but one."""
    recording = Recording.read(RECORDING)
    owners = Owners(clock=lambda: recording.now)
    with Replay(recording, mounts=owners.mounts) as server:
        owners.write_secret(tmp_path / "keycloak.secret")
        site = Site.beside(server, tmp_path)
        written = CONFIGURATION.format(url=server.url, realm=REALM, client=CLIENT)
        (tmp_path / "xdmod-cloud.toml").write_text(written)
        desk = Desk(server, site, list(recording.moments))
        desk.read_up_to(-2)
        yield desk


def test_a_report_that_still_holds(desk: Desk, tmp_path: Path) -> None:
    """A PDF that somebody has been sent is found again, wherever it lies and whatever it is called."""
    assert "published as demo-cloud/usage-2026-10.1" in desk.publish("usage")
    sent = tmp_path / "somewhere" / "Invoice attachment.pdf"
    sent.parent.mkdir()
    shutil.copy(desk.published / "usage-2026-10.1" / "usage-2026-10.pdf", sent)
    code, said = desk.verify(sent)
    assert code == 0
    assert "as demo-cloud/usage-2026-10.1.\nToday's data still give it." in said
    assert "says the same as demo-cloud/usage-2026-10.1" in desk.publish("usage")
    assert len(list(desk.published.iterdir())) == 1


def test_a_report_that_later_knowledge_corrects(desk: Desk) -> None:
    """The old one stays as it was, the lines that differ are told, and the new one names the old."""
    desk.publish("usage")
    old = desk.published / "usage-2026-10.1"
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    desk.read_up_to(-1)
    code, said = desk.verify(old / "usage-2026-10.csv")
    assert code == 1
    assert "usage-2026-10.csv: " in said
    assert "lines are gone" in said
    assert "  + " in said
    assert "Today's data give another report." in said
    assert "published as demo-cloud/usage-2026-10.2, which corrects demo-cloud/usage-2026-10.1" in desk.publish("usage")
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before
    assert desk.verify(desk.published / "usage-2026-10.2" / "report.json")[0] == 0
    listed = json.loads(call(desk.site, "report", "published", "--json").stdout)
    assert [(one["id"], one["corrects"]) for one in listed] == [
        ("demo-cloud/usage-2026-10.1", None),
        ("demo-cloud/usage-2026-10.2", "demo-cloud/usage-2026-10.1"),
    ]


def test_a_copy_that_was_altered(desk: Desk, tmp_path: Path) -> None:
    """Is no published report; those with a file of that name are named."""
    desk.publish("usage")
    copy = tmp_path / "usage-2026-10.csv"
    copy.write_bytes((desk.published / "usage-2026-10.1" / copy.name).read_bytes().replace(b"1", b"7", 1))
    code, said = desk.verify(copy)
    assert code == 1
    assert "was altered since" in said
    assert "Reports with a file of that name: demo-cloud/usage-2026-10.1" in said


def test_a_kept_file_that_was_altered(desk: Desk) -> None:
    """Is named, though the others still hold."""
    desk.publish("usage")
    kept = desk.published / "usage-2026-10.1" / "usage-2026-10.pdf"
    kept.chmod(0o644)
    kept.write_bytes(b"%PDF-1.4 something else")
    code, said = desk.verify(kept.with_name("usage-2026-10.csv"))
    assert code == 1
    assert "demo-cloud/usage-2026-10.1/usage-2026-10.pdf is not as it was published" in said


@pytest.mark.parametrize("body", [None, b"", b'a\x01b,\xff\xfe\n"x\n'])
def test_a_kept_list_that_was_altered_or_lost(desk: Desk, body: bytes | None) -> None:
    """Is named, whatever is in it now; that the data still give what it was is said all the same."""
    desk.publish("usage")
    kept = desk.published / "usage-2026-10.1" / "usage-2026-10.csv"
    kept.unlink()
    if body is not None:
        kept.write_bytes(body)
    code, said = desk.verify(kept.with_name("usage-2026-10.pdf"))
    assert code == 1
    assert "demo-cloud/usage-2026-10.1/usage-2026-10.csv is not as it was published" in said
    assert said.endswith("Today's data still give it.\n")
    desk.read_up_to(-1)
    assert "Today's data give another report." in desk.verify(kept.with_name("usage-2026-10.pdf"))[1]


@pytest.mark.parametrize("name", ["report.json", "usage-2026-10.csv"])
def test_a_rate_card_takes_no_file_of_the_report_away(desk: Desk, name: str) -> None:
    """One that is called as a file of the published report is refused, and nothing is published."""
    card = desk.site.folder / name
    card.write_text(CARD)
    asked = (
        "report",
        "usage",
        *MONTH,
        "--publish",
        "--rates",
        str(card),
        "--output",
        str(desk.site.folder / "reports"),
    )
    done = call(desk.site, *asked)
    assert done.returncode == 2
    assert f"{name} is called what a file of the published report is" in done.stderr
    assert not desk.published.exists()


def test_a_rate_card_is_no_data_of_the_report(desk: Desk) -> None:
    """A report by a card of any name is verified by what it says."""
    card = desk.site.folder / "card.csv"
    card.write_text(CARD)
    desk.publish("usage", "--rates", str(card))
    assert desk.verify(desk.published / "usage-2026-10.1" / "usage-2026-10.pdf")[0] == 0


def test_charges_are_made_again_by_the_card_of_their_time(desk: Desk) -> None:
    """A price that changed since changes no report that was handed out, but the next one."""
    card = desk.site.folder / "card.toml"
    card.write_text(CARD)
    desk.publish("usage", "--rates", str(card))
    card.write_text(CARD.replace("0.10", "0.20"))
    assert desk.verify(desk.published / "usage-2026-10.1" / "charges-2026-10.csv")[0] == 0
    assert "which corrects demo-cloud/usage-2026-10.1" in desk.publish("usage", "--rates", str(card))


def test_statements(desk: Desk) -> None:
    """Each of all statements, and one of a single project, is published and verified by itself."""
    said = desk.publish("statement", "--all")
    assert said.count("published as demo-cloud/statement-project-") == 4
    desk.publish("statement", "--project", "galaxy-formation")
    files = sorted(desk.published.glob("statement-*/statement-lines-2026-10.csv"))
    assert len(files) == 5
    for file in files:
        assert desk.verify(file)[0] == 0
    desk.read_up_to(-1)
    codes = {file.parent.name: desk.verify(file)[0] for file in files}
    assert 1 in codes.values()


@pytest.mark.parametrize("name", ["nothing.pdf", "xdmod-cloud.toml"])
def test_a_file_that_was_never_published(desk: Desk, name: str) -> None:
    """The message says so, and what can be the matter."""
    code, said = desk.verify(desk.site.folder / name)
    assert code == (2 if name == "nothing.pdf" else 1)
    assert ("cannot be read" if code == 2 else "is in no published report") in said


def test_a_record_that_is_broken(desk: Desk) -> None:
    """Is named, for no report can be found while it is."""
    desk.publish("usage")
    record = desk.published / "usage-2026-10.1" / "report.json"
    record.chmod(0o644)
    record.write_text("{}")
    code, said = desk.verify(record)
    assert code == 1
    assert "report.json is no record of a published report" in said


def test_ids_are_not_broken(desk: Desk) -> None:
    """However long they are, they can be copied from the list."""
    desk.read_up_to(-1)
    desk.publish("usage", "--institution", "Northern University", "--user", "amara")
    (one,) = desk.published.iterdir()
    assert f"demo-cloud/{one.name}" in call(desk.site, "report", "published").stdout
