"""What is long past leaves the ledger, and everything that is told of it stays the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from demo.replay import Replay
from ledger import ConfigurationError, DataError, Mode, Server
from ledger.database import connect, reading, upgrade
from ledger.records import InstanceId
from ledger.store import Seq
from ledger.tables import archive as archive_table
from ledger.tables import archived as archived_table
from ledger.tables import latest, record
from operations.archive import archive, cut
from operations.backup.make import make
from tests.cli.here import call
from tests.real.mariadb import MariaDB
from tests.simulation import BigCloud
from tests.site import Site

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
#: Half a year later all that was deleted in March is of a past month.
LATER = datetime(2026, 10, 10, 12, tzinfo=UTC)

#: Commands that tell of the past.
COMMANDS = (
    ("report", "usage", "--json"),
    ("report", "sessions"),
    ("report", "log"),
    ("export", "openstack", "--dry-run"),
)


@pytest.fixture(params=["sqlite", "mariadb"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site that saw servers come and go in March, and reads the cloud again in October."""
    with Replay(BigCloud(80, 5, now=NOW, projects=5, users=5, hosts=4)) as server:
        made = Site.beside(server, tmp_path / "site")
        if request.param == "mariadb":
            mariadb: MariaDB = request.getfixturevalue("mariadb")
            url = mariadb.url(mariadb.database())
            file = made.folder / "xdmod-cloud.toml"
            file.write_text(f'ledger.url = "{url}"\n{file.read_text()}')
            upgrade(connect(url))
        cloud = server.cloud
        assert isinstance(cloud, BigCloud)
        for at in (NOW + timedelta(days=1), NOW + timedelta(days=2), LATER):
            cloud.at(at)
            cloud.change(0.3)
            server.at = at + timedelta(hours=1)
            made.collect()
            made.export()
        yield made


def told(site: Site) -> dict[str, Any]:
    """Everything that is made of the records of servers."""
    ledger, _ = site.opened()
    mark = ledger.watermark("sim")
    assert mark is not None
    window = NOW - timedelta(days=60), NOW + timedelta(days=1)
    with reading(ledger.engine) as connection:
        subjects = [
            InstanceId(name) for name in connection.scalars(select(latest.c.subject).order_by(latest.c.subject))
        ]
    return {
        "lives": list(ledger.lives("sim", mark.seq)),
        "window": list(ledger.lives("sim", mark.seq, window=window)),
        "half": list(ledger.lives("sim", Seq(mark.seq // 2))),
        "one": list(ledger.lives("sim", mark.seq, only=subjects[3])),
        "known": {
            name: (known.server, known.observed, sorted(known.actions, key=lambda one: one.identity))
            for name, known in ledger.known_servers("sim", subjects).items()
        },
        "learned": ledger.learned("sim", Seq(0), mark.seq),
        "alive": ledger.alive("sim", NOW),
        **{" ".join(words): said(site, *words) for words in COMMANDS},
    }


def said(site: Site, *words: str) -> str:
    """What a command prints of March; it must succeed and say something."""
    done = call(site, *words, "--from", "2026-03-01", "--to", "2026-03-31")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) > 3 or "--dry-run" in words
    return done.stdout


def counted(site: Site) -> int:
    """How many records are in the ledger itself."""
    ledger, _ = site.opened()
    with reading(ledger.engine) as connection:
        return connection.scalar(select(func.count()).select_from(record)) or 0


def test_what_is_archived_is_told_as_before(site: Site) -> None:
    """Lives, sessions, reports and files are the same, though many records are no longer in the ledger."""
    ledger, configuration = site.opened()
    before, count = told(site), counted(site)
    done = archive(ledger, configuration, "2mo", LATER)
    moved = sum(one.records for one in done)
    assert "2026-03" in {f"{one.month:%Y-%m}" for one in done}
    assert moved > 20
    assert counted(site) == count - moved
    after = told(site)
    for name, said in before.items():
        assert after[name] == said, name
    with reading(ledger.engine) as connection:
        rows = connection.execute(select(archive_table)).mappings().all()
    assert sum(row["records"] for row in rows) == moved
    assert archive(ledger, configuration, "2mo", LATER) == []


def test_who_lives_keeps_everything(site: Site) -> None:
    """No record of a server that exists, or was learned of after the policy's time, leaves."""
    ledger, configuration = site.opened()
    with reading(ledger.engine) as connection:
        living = select(latest.c.subject).where(latest.c.kind == "server", latest.c.ends.is_(None))
        kept = select(func.count()).select_from(record).where(record.c.subject.in_(living))
        before = connection.scalar(kept)
    archive(ledger, configuration, "2mo", LATER)
    with reading(ledger.engine) as connection:
        assert connection.scalar(kept) == before


def test_the_cloud_is_read_on_after_it(site: Site) -> None:
    """What Nova still tells of archived servers is nothing new, and exports go on."""
    ledger, configuration = site.opened()
    archive(ledger, configuration, "2mo", LATER)
    count = counted(site)
    site.collect(sweep=True)
    assert counted(site) == count
    cloud = site.server.cloud
    assert isinstance(cloud, BigCloud)
    cloud.at(LATER + timedelta(days=1))
    cloud.change(0.2)
    site.server.at = LATER + timedelta(days=1, hours=1)
    site.collect()
    assert counted(site) > count
    assert site.export()
    assert "0 differences" in site.run("verify", "openstack")


def test_what_is_learned_later_of_an_archived_server_comes_after_the_archive(site: Site) -> None:
    """Its life has both, in the order in which they were learned; the newest counts; and it can be archived again."""
    ledger, configuration = site.opened()
    mark = ledger.watermark("sim")
    assert mark is not None
    before = dict(ledger.lives("sim", mark.seq))
    done = archive(ledger, configuration, "2mo", LATER)
    with reading(ledger.engine) as connection:
        subject = InstanceId(connection.scalar(select(archived_table.c.subject).limit(1)) or "")
    known = ledger.known_servers("sim", [subject])[subject]
    corrected = msgspec.structs.replace(known.server, name="corrected")
    with ledger.writer("sim") as writer:
        run = writer.begin(Mode.CHANGES, None)
        writer.finish(run, mark.at, LATER, [corrected, *known.actions])
    again = ledger.watermark("sim")
    assert again is not None
    assert again.seq == mark.seq + 1
    (life,) = (entries for _, entries in ledger.lives("sim", again.seq, only=subject))
    assert [entry.record for entry in life] == [*(entry.record for entry in before[subject]), corrected]
    assert dict(ledger.lives("sim", mark.seq)) == before
    found = ledger.known_servers("sim", [subject])[subject]
    assert found.server.name == "corrected"
    assert {one.identity for one in found.actions} == {one.identity for one in known.actions}
    site.export()
    with ledger.writer("sim") as writer:
        run = writer.begin(Mode.CHANGES, None)
        writer.finish(run, mark.at, LATER, [msgspec.structs.replace(known.server, name="last")])
    site.export()
    second = archive(ledger, configuration, "2026-11", LATER + timedelta(days=60))
    assert {one.file.name for one in done}.isdisjoint(one.file.name for one in second)
    (life,) = (entries for _, entries in ledger.lives("sim", Seq(again.seq + 1), only=subject))
    assert [entry.seq for entry in life] == sorted({entry.seq for entry in life})
    assert [entry.record.name for entry in life[-2:] if isinstance(entry.record, Server)] == ["corrected", "last"]


def test_a_file_that_is_missing_is_said(site: Site) -> None:
    """Whoever asks for what is in it is told which file, and not half of the truth."""
    ledger, configuration = site.opened()
    (first, *_) = archive(ledger, configuration, "2mo", LATER)
    first.file.unlink()
    mark = ledger.watermark("sim")
    assert mark is not None
    with pytest.raises(ConfigurationError, match=r"sim-2026-.*\.parquet is missing"):
        list(ledger.lives("sim", mark.seq))
    window = LATER, LATER + timedelta(days=1)
    assert list(ledger.lives("sim", mark.seq, window=window))


def test_a_damaged_file_is_said(site: Site) -> None:
    """It is no file of Parquet any more."""
    ledger, configuration = site.opened()
    (first, *_) = archive(ledger, configuration, "2mo", LATER)
    first.file.write_bytes(first.file.read_bytes()[:100])
    mark = ledger.watermark("sim")
    assert mark is not None
    with pytest.raises(DataError, match="is damaged"):
        list(ledger.lives("sim", mark.seq))


def test_what_was_not_exported_stays(site: Site) -> None:
    """Before its export, a record is where exports look for news."""
    ledger, configuration = site.opened()
    with reading(ledger.engine) as connection:
        connection.exec_driver_sql("UPDATE export SET seq_to = 0")
    assert archive(ledger, configuration, "2mo", LATER) == []


def test_the_archive_is_in_backups(site: Site) -> None:
    """A ledger without its archive would not be whole."""
    ledger, configuration = site.opened()
    done = archive(ledger, configuration, "2mo", LATER)
    made = make(configuration, str(site.folder / "backups"))
    (part,) = (part for part in made.manifest.parts if part.name == "ledger-archive")
    assert part.contents["ledger-archive"].count == len(done)


@pytest.mark.parametrize(
    ("said", "expected"),
    [("1mo", "2026-09"), ("10mo", "2025-12"), ("24mo", "2024-10"), ("2y", "2024-10"), ("2026-10", "2026-10")],
)
def test_policies_are_whole_months(said: str, expected: str) -> None:
    """The month that stays first begins at its first instant."""
    assert cut(said, LATER) == datetime.strptime(expected, "%Y-%m").replace(tzinfo=UTC)


@pytest.mark.parametrize("said", ["", "0mo", "24", "2026-11", "2026-13", "0000-01", "9999y", "24 months"])
def test_what_is_no_policy_is_refused(said: str) -> None:
    """The sentence says what to write."""
    with pytest.raises(ConfigurationError, match="Write 24mo, 2y or a past month"):
        cut(said, LATER)


def test_the_command_says_what_it_did(site: Site) -> None:
    """A month that is not over is refused; where nothing is old enough, that is said."""
    first = call(site, "ledger", "archive", "--older-than", "2999-11")
    assert first.returncode == 2
    assert "or not over yet" in first.stderr
    nothing = call(site, "ledger", "archive", "--older-than", "50y")
    assert "There was nothing to archive." in nothing.stdout
