"""What a site has is saved while others write, and comes back as it was, or not at all."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread

import msgspec
import pymysql
import pytest

from ledger import ConfigurationError, DataError, SourceUnavailable
from ledger.database import connect, upgrade
from operations.backup.make import Made, make
from operations.backup.manifest import MANIFEST, PROOF
from operations.backup.restore import SCRATCH, restore
from operations.configuration import load
from tests.cli.here import call
from tests.operations.test_mariadb import NOW, lived, site_of
from tests.real.mariadb import MariaDB
from tests.site import COMMAND, Site

#: Names that XDMoD's databases have, with what makes dumps difficult.
DATABASES = ("moddb", "modw", "modw_cloud")
STATEMENTS = (
    "CREATE TABLE modw.account (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80)) DEFAULT CHARSET utf8mb4",
    "INSERT INTO modw.account (name) VALUES ('plain'), ('it''s; (1),(2)'), ('line\\nline'), ('back\\\\'), ('ü„)')",
    "CREATE TABLE modw_cloud.session_records (session_id BIGINT PRIMARY KEY, account_id INT, hash BINARY(4),"
    " wall BIGINT GENERATED ALWAYS AS (account_id * 2) STORED, cost DOUBLE,"
    " CONSTRAINT account FOREIGN KEY (account_id) REFERENCES modw.account (id))",
    "INSERT INTO modw_cloud.session_records (session_id, account_id, hash, cost)"
    " SELECT seq, 1 + seq % 5, UNHEX(LPAD(HEX(seq), 8, '0')), seq / 3 FROM seq_1_to_20000",
    "CREATE TABLE modw_cloud.empty (n DOUBLE)",
    "CREATE TABLE moddb.Users (id INT) ENGINE=MyISAM",
    "CREATE VIEW modw_cloud.named AS SELECT s.session_id, a.name FROM session_records s JOIN modw.account a"
    " ON a.id = s.account_id",
    "CREATE TRIGGER modw.account_told AFTER INSERT ON modw.account FOR EACH ROW"
    " INSERT INTO modw_cloud.empty VALUES (1)",
    "CREATE FUNCTION modw.accounts() RETURNS INT DETERMINISTIC\nRETURN (SELECT COUNT(*) FROM modw.account)",
)


@pytest.fixture
def xdmod(mariadb: MariaDB) -> Iterator[MariaDB]:
    """A server with some of XDMoD's databases."""
    mariadb.execute(*(f"DROP DATABASE IF EXISTS {name}" for name in reversed(DATABASES)))
    mariadb.execute(*(f"CREATE DATABASE {name}" for name in DATABASES))
    with mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("USE modw_cloud")
        for statement in STATEMENTS:
            cursor.execute(statement)
    yield mariadb
    mariadb.execute(*(f"DROP DATABASE IF EXISTS {name}" for name in reversed(DATABASES)))


@pytest.fixture(scope="module")
def lived_through(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of three days, with its ledger in a file."""
    with site_of(tmp_path_factory.mktemp("lived") / "site") as made:
        lived(made)
        yield made


def _copied(site: Site, folder: Path) -> Site:
    shutil.copytree(site.folder, folder, ignore=shutil.ignore_patterns("*.lock"))
    site.server.at = NOW + timedelta(days=2, hours=1)
    return replace(site, folder=folder)


@pytest.fixture(params=["sqlite", "mariadb"])
def site(request: pytest.FixtureRequest, tmp_path: Path, xdmod: MariaDB) -> Iterator[Site]:
    """A site of three days, with its ledger in a file or in MariaDB, and an XDMoD beside it."""
    if request.param == "sqlite":
        made = _copied(request.getfixturevalue("lived_through"), tmp_path / "site")
        _configure(made, xdmod)
        yield made
        return
    with site_of(tmp_path / "site", xdmod.url(xdmod.database())) as made:
        lived(made)
        _configure(made, xdmod)
        yield made


@pytest.fixture
def small(tmp_path: Path, lived_through: Site) -> Site:
    """A site with its ledger in a file, and no XDMoD."""
    made = _copied(lived_through, tmp_path / "site")
    _configure(made, None)
    return made


def _configure(site: Site, xdmod: MariaDB | None, more: str = "") -> None:
    file = site.folder / "xdmod-cloud.toml"
    settings = site.folder / "etc-xdmod"
    (settings / "roles.d").mkdir(parents=True)
    (settings / "portal_settings.ini").write_text('[general]\nversion = "11.0.2"\n')
    (settings / "roles.d" / "cloud.json").write_text("{}")
    lines = ["[xdmod]", 'configuration = "etc-xdmod"', "[backup]", 'output = "backups"', more]
    if xdmod:
        lines.insert(-1, f'url = "mysql+pymysql://root@localhost?unix_socket={xdmod.socket}"')
    file.write_text("\n".join([file.read_text(), *lines, ""]))


def made_of(site: Site) -> Made:
    """Make a backup in this process."""
    return make(load(site.folder / "xdmod-cloud.toml"))


def rows_of(site: Site) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of the ledger, by what it is."""
    ledger, _ = site.opened()
    with ledger.engine.connect() as connection:
        names = connection.dialect.get_table_names(connection)
        return {
            name: sorted(map(tuple, connection.exec_driver_sql(f"SELECT * FROM {name}")), key=repr) for name in names
        }


def checksums(server: MariaDB) -> dict[str, object]:
    """A checksum of the rows of each table and view, as the server gives them, and what triggers and routines are."""
    found = dict[str, object]()
    with server.connect() as connection, connection.cursor() as cursor:
        for name in DATABASES:
            cursor.execute(f"SHOW FULL TABLES FROM {name}")
            for table, kind in cursor.fetchall():
                cursor.execute(f"SELECT * FROM {name}.{table}")
                rows = sorted(cursor.fetchall())
                found[f"{name}.{table}"] = kind, len(rows), sha256(repr(rows).encode()).hexdigest()
        cursor.execute("SHOW TRIGGERS FROM modw")
        found["triggers"] = [row[:4] for row in cursor.fetchall()]
        cursor.execute("SELECT modw.accounts()")
        found["function"] = cursor.fetchone()
    return found


def files(folder: Path) -> dict[str, bytes]:
    """What lies below a folder, but for locks."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def lose_everything(site: Site, server: MariaDB | None) -> None:
    """What a fire leaves: the configuration and the backups."""
    url = load(site.folder / "xdmod-cloud.toml").ledger_url
    if not url.startswith("sqlite") and server:
        name = connect(url).url.database
        server.execute(f"DROP DATABASE {name}", f"CREATE DATABASE {name}")
    for path in site.folder.glob("ledger.sqlite*"):
        path.unlink()
    for folder in ("outbox", "etc-xdmod"):
        shutil.rmtree(site.folder / folder)
    if server:
        server.execute(*(f"DROP DATABASE {name}" for name in reversed(DATABASES)))


def test_all_comes_back_as_it_was(site: Site, xdmod: MariaDB) -> None:
    """Every row of every table, every file, view, trigger and routine is as it was; reading goes on from there."""
    before = rows_of(site), files(site.folder / "outbox"), files(site.folder / "etc-xdmod"), checksums(xdmod)
    made = made_of(site)
    counts = {part.name: part.contents for part in made.manifest.parts}
    assert counts["databases"]["modw_cloud.session_records"].count == 20_000
    assert counts["databases"]["modw.account"].count == 5
    assert counts["outbox"]["outbox"].count == len(before[1])
    assert made.manifest.versions["xdmod"] == "11.0.2"
    assert any("moddb.Users" in warning for warning in made.warnings)
    lose_everything(site, xdmod)
    restore(load(site.folder / "xdmod-cloud.toml"), None)
    assert checksums(xdmod) == before[3]
    assert (rows_of(site), files(site.folder / "outbox"), files(site.folder / "etc-xdmod")) == before[:3]
    site.server.at = NOW + timedelta(days=3)
    site.collect()
    site.export()


def test_a_check_proves_and_leaves_nothing(site: Site, xdmod: MariaDB) -> None:
    """It restores beside: databases, files and ledger are as they were, and the backup is known to be good."""
    made = made_of(site)
    before = rows_of(site), files(site.folder / "outbox"), checksums(xdmod), _databases(xdmod)
    done = call(site, "restore", "--check")
    assert done.returncode == 0, done.stderr
    assert "It restores to what was saved" in done.stdout
    assert (rows_of(site), files(site.folder / "outbox"), checksums(xdmod), _databases(xdmod)) == before
    assert msgspec.json.decode((Path(made.place) / PROOF).read_bytes())["by"] == "restoring"


def test_a_check_finds_rows_that_do_not_come_back(site: Site, xdmod: MariaDB) -> None:
    """A manifest that promises other rows than the dump has is a difference, named by its table."""
    made = made_of(site)
    folder = Path(made.place)
    promised = msgspec.json.decode((folder / MANIFEST).read_bytes())
    part = next(part for part in promised["parts"] if part["name"] == "databases")
    part["contents"]["modw.account"]["count"] = 6
    _sealed(folder, promised)
    with pytest.raises(DataError, match=r"modw\.account: 6 with checksum .* saved, 5 with"):
        restore(load(site.folder / "xdmod-cloud.toml"), None, check=True)
    assert not [name for name in _databases(xdmod) if name.startswith(SCRATCH)]


def _sealed(folder: Path, document: dict[str, object]) -> None:
    from operations.backup import manifest as manifests

    unsealed = msgspec.convert(document, manifests.Manifest)
    (folder / MANIFEST).write_bytes(manifests.written(unsealed, None)[1])


def _databases(server: MariaDB) -> list[str]:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        return [row[0] for row in cursor.fetchall()]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)


DAMAGES: list[tuple[str, Callable[[Path], object]]] = [
    ("ledger.sqlite*", _cut),
    ("ledger.sqlite*", _flip),
    ("outbox.tar*", _flip),
    ("outbox.tar*", Path.unlink),
    (MANIFEST, _cut),
    (MANIFEST, lambda path: path.write_text(path.read_text().replace('"count": ', '"count": 1', 1))),
]


@pytest.mark.parametrize("key", [False, True])
@pytest.mark.parametrize(("file", "damage"), DAMAGES)
def test_what_was_cut_or_altered_is_refused(
    small: Site, file: str, damage: Callable[[Path], object], key: bool
) -> None:
    """Nothing is touched: what is lost stays lost, and nothing half takes its place."""
    if key:
        _with_key(small)
    place = Path(made_of(small).place)
    (path,) = place.glob(file)
    damage(path)
    lose_everything(small, None)
    for check in (True, False):
        with pytest.raises(DataError, match=r"altered|has .* bytes|missing|cut"):
            restore(load(small.folder / "xdmod-cloud.toml"), str(place), check=check)
    assert not list(small.folder.glob("ledger.sqlite*"))
    assert not (small.folder / "etc-xdmod").exists()
    assert not files(small.folder / "outbox") if (small.folder / "outbox").exists() else True


def _with_key(site: Site, text: str = "k" * 44) -> None:
    (site.folder / "key").write_text(text + "\n")
    file = site.folder / "xdmod-cloud.toml"
    if "key_file" not in file.read_text():
        file.write_text(file.read_text() + 'key_file = "key"\n')


def test_an_encrypted_backup_needs_its_key(small: Site) -> None:
    """Without the key, or with another one, nothing can be read; with it, all comes back."""
    _with_key(small)
    before = small.content()
    place = made_of(small).place
    assert all(b"SQLite format" not in path.read_bytes() for path in Path(place).iterdir())
    lose_everything(small, None)
    _with_key(small, "another key, which is as long as it must be")
    with pytest.raises(DataError, match="another key than"):
        restore(load(small.folder / "xdmod-cloud.toml"), place)
    file = small.folder / "xdmod-cloud.toml"
    file.write_text(file.read_text().replace('key_file = "key"', ""))
    with pytest.raises(ConfigurationError, match=r"is encrypted\. Name the file with its key"):
        restore(load(file), place)
    (small.folder / "right").write_text("k" * 44)
    restore(load(file), place, key_file=small.folder / "right")
    assert small.content() == before


def test_a_plain_backup_is_not_taken_for_an_encrypted_one(small: Site) -> None:
    """Whoever may write to the place of backups cannot slip in one of their own."""
    place = made_of(small).place
    _with_key(small)
    with pytest.raises(DataError, match="not encrypted, though a key is configured"):
        restore(load(small.folder / "xdmod-cloud.toml"), place, check=True)


def test_what_is_there_is_lost_only_if_that_is_said(site: Site, xdmod: MariaDB) -> None:
    """A place that is not empty is named, and left alone; with --replace it is as it was when it was saved."""
    before = rows_of(site), files(site.folder / "outbox"), checksums(xdmod)
    made_of(site)
    xdmod.execute("DELETE FROM modw_cloud.session_records WHERE session_id < 100", "CREATE TABLE modw.later (i INT)")
    (site.outbox / "later.json").write_text("[]")
    changed = checksums(xdmod)
    refused = call(site, "restore")
    assert refused.returncode == 2
    assert "There is something already" in refused.stderr
    assert "modw, modw_cloud on mysql+pymysql://root@localhost" in refused.stderr
    assert checksums(xdmod) == changed
    done = call(site, "restore", "--replace")
    assert done.returncode == 0, done.stderr
    assert (rows_of(site), files(site.folder / "outbox"), checksums(xdmod)) == before


def test_only_some_parts_come_back(site: Site, xdmod: MariaDB) -> None:
    """The others are not looked at."""
    made_of(site)
    changed = checksums(xdmod)
    shutil.rmtree(site.folder / "etc-xdmod")
    done = call(site, "restore", "--only", "configuration")
    assert done.returncode == 0, done.stderr
    assert (site.folder / "etc-xdmod" / "roles.d" / "cloud.json").read_text() == "{}"
    assert checksums(xdmod) == changed
    assert "has no part" in call(site, "restore", "--only", "nonsense").stderr


def test_a_killed_backup_is_none(site: Site) -> None:
    """Whenever it is killed, there is a whole backup or none; the next one clears up."""
    place = site.folder / "backups"
    seconds = _seconds(site)
    shutil.rmtree(place)
    for share in (0.3, 0.5, 0.7, 0.9):
        with subprocess.Popen([COMMAND, "backup"], env=site.environment, stderr=subprocess.DEVNULL) as process:
            time.sleep(share * seconds)
            process.send_signal(signal.SIGKILL)
        for path in place.glob("xdmod-cloud-*"):
            restore(load(site.folder / "xdmod-cloud.toml"), str(path), check=True)
            shutil.rmtree(path)
    time.sleep(0.5)  # the dump of a killed process ends when it finds its pipe closed
    made_of(site)
    assert not list(place.glob(".xdmod-cloud-*.part"))
    assert not list(site.folder.glob("*.part"))


def _seconds(site: Site) -> float:
    began = time.monotonic()
    site.run("backup")
    return time.monotonic() - began


def test_a_full_disk_leaves_no_half(small: Site) -> None:
    """The error says so, with the exit code of trying again; earlier backups are as they were."""
    first = Path(made_of(small).place)
    before = files(first)
    folder = small.folder / "backups"
    inside = f"mount -t tmpfs -o size=24k tmpfs {folder} && {COMMAND} backup; code=$?; ls -A {folder} >&2; exit $code"
    words = ["unshare", "--map-root-user", "--mount", "bash", "-c", inside]
    if subprocess.run([*words[:3], "true"], capture_output=True, check=False).returncode:
        pytest.skip("a small disk needs mounts of our own: unshare --map-root-user --mount")
    done = subprocess.run(words, env=small.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr
    assert "There is no room left" in done.stderr
    assert done.stderr.splitlines()[1:] == [".xdmod-cloud.lock"]
    assert files(first) == before


def test_a_ledger_without_room_for_its_copy_is_as_it_was(small: Site) -> None:
    """The error is one line, and there is nothing of a copy or of a backup."""
    before = small.content()
    limited = ["bash", "-c", f"ulimit -f 8; trap '' XFSZ; exec {COMMAND} backup"]
    done = subprocess.run(limited, env=small.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list((small.folder / "backups").glob("*xdmod-cloud-*/"))
    assert not list(small.folder.glob("*.part"))
    assert small.content() == before


def test_databases_are_saved_at_one_moment(small: Site, xdmod: MariaDB) -> None:
    """While others write two databases at once, the backup has what both had at the same time."""
    for number in (1, 2):
        xdmod.execute(f"CREATE TABLE {DATABASES[number]}.pair (i INT AUTO_INCREMENT PRIMARY KEY, t VARCHAR(99))")
    stop = Event()

    def write() -> None:
        with pymysql.connect(unix_socket=str(xdmod.socket), user="root") as connection, connection.cursor() as cursor:
            while not stop.is_set():
                for number in (1, 2):
                    cursor.execute(f"INSERT INTO {DATABASES[number]}.pair (t) VALUES (REPEAT('x', 90))")
                connection.commit()

    file = small.folder / "xdmod-cloud.toml"
    file.write_text(file.read_text() + f'url = "mysql+pymysql://root@localhost?unix_socket={xdmod.socket}"\n')
    writer = Thread(target=write)
    writer.start()
    try:
        time.sleep(0.3)
        made = made_of(small)
    finally:
        stop.set()
        writer.join()
    saved = next(part for part in made.manifest.parts if part.name == "databases").contents
    assert saved["modw.pair"].count == saved["modw_cloud.pair"].count > 0
    restore(load(file), None, check=True, only=["databases"])


def test_a_ledger_is_saved_while_it_is_written(small: Site) -> None:
    """The copy is of one moment: each of its rows was written with another, and both are there."""
    stop, ledger = Event(), small.folder / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection:
        connection.executescript("CREATE TABLE one AS SELECT 1 AS i; CREATE TABLE two AS SELECT 1 AS i;")

    def write() -> None:
        with closing(sqlite3.connect(ledger, timeout=60)) as connection:
            while not stop.is_set():
                with connection:
                    connection.execute("INSERT INTO one VALUES (1)")
                    connection.execute("INSERT INTO two VALUES (1)")

    writer = Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            made = made_of(small)
            saved = made.manifest.parts[0].contents
            assert saved["one"] == saved["two"]
            time.sleep(1.1)
    finally:
        stop.set()
        writer.join()
    assert saved["one"].count > 1
    restore(load(small.folder / "xdmod-cloud.toml"), made.place, check=True)


def test_no_password_is_in_an_argument(small: Site, xdmod: MariaDB) -> None:
    """Whoever lists processes meanwhile sees the file of the account, and nothing of what is in it."""
    xdmod.execute(
        "CREATE OR REPLACE USER saver@localhost IDENTIFIED BY 'se\"cret\\\\#1'", "GRANT ALL ON *.* TO saver@localhost"
    )
    file = small.folder / "xdmod-cloud.toml"
    (small.folder / "url").write_text(f"mysql+pymysql://saver:se%22cret%5C%231@localhost?unix_socket={xdmod.socket}")
    file.write_text(file.read_text() + 'url_file = "url"\n')
    seen, stop = set[str](), Event()

    def watch() -> None:
        while not stop.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        made = made_of(small)
    finally:
        stop.set()
        watcher.join()
    assert any(part.name == "databases" for part in made.manifest.parts)
    assert any("--defaults-extra-file=" in line for line in seen)
    assert not [line for line in seen if "cret" in line and "mariadb" in line]


def test_the_rights_in_the_document_suffice(small: Site, xdmod: MariaDB) -> None:
    """An account with no more than docs/backup.md grants saves all; one for restoring proves it."""
    grants = [f"GRANT SELECT, SHOW VIEW, TRIGGER ON `{name}`.* TO saver2@localhost" for name in DATABASES]
    xdmod.execute(
        "CREATE OR REPLACE USER saver2@localhost",
        "CREATE OR REPLACE USER restorer@localhost",
        *grants,
        "GRANT SELECT ON `mysql`.`proc` TO saver2@localhost",
        *(f"GRANT ALL ON `{name}`.* TO restorer@localhost" for name in DATABASES),
        "GRANT ALL ON `xdmod\\_cloud\\_check\\_%`.* TO restorer@localhost",
        "GRANT SET USER ON *.* TO restorer@localhost",
        "GRANT SELECT ON `mysql`.`proc` TO restorer@localhost",
    )
    file = small.folder / "xdmod-cloud.toml"
    (small.folder / "restorer").write_text(f"mysql+pymysql://restorer@localhost?unix_socket={xdmod.socket}")
    lines = [
        f'url = "mysql+pymysql://saver2@localhost?unix_socket={xdmod.socket}"',
        'restore_url_file = "restorer"',
        "",
    ]
    file.write_text(file.read_text() + "\n".join(lines))
    made = made_of(small)
    (part,) = (part for part in made.manifest.parts if part.name == "databases")
    assert part.objects == 3
    restore(load(file), None, check=True)


def test_the_account_may_stand_in_a_file_of_the_client(small: Site, xdmod: MariaDB) -> None:
    """As `[xdmod] url` has it, for the program that reads XDMoD's database."""
    xdmod.execute("CREATE OR REPLACE USER filed@localhost IDENTIFIED BY 'x#y'", "GRANT ALL ON *.* TO filed@localhost")
    (small.folder / "my.cnf").write_text(f"[client]\nuser=filed\npassword='x#y'\nsocket={xdmod.socket}\n")
    file = small.folder / "xdmod-cloud.toml"
    url = f"mysql+pymysql://localhost?read_default_file={small.folder / 'my.cnf'}"
    file.write_text(file.read_text().replace("[backup]", f'url = "{url}"\n[backup]'))
    assert [part.name for part in made_of(small).manifest.parts][-1] == "databases"


def test_a_right_that_is_missing_is_said(small: Site, xdmod: MariaDB) -> None:
    """With the exit code of what only a person can put right, and no backup."""
    xdmod.execute("CREATE OR REPLACE USER nobody2@localhost", "GRANT INSERT ON modw.* TO nobody2@localhost")
    file = small.folder / "xdmod-cloud.toml"
    file.write_text(file.read_text() + f'url = "mysql+pymysql://nobody2@localhost?unix_socket={xdmod.socket}"\n')
    with pytest.raises(ConfigurationError, match="refuses the account"):
        made_of(small)
    assert not list((small.folder / "backups").glob("*xdmod*/"))


def test_older_backups_go_when_newer_ones_are_whole(small: Site) -> None:
    """So many stay as are configured; one that nobody has found whole does not count."""
    file = small.folder / "xdmod-cloud.toml"
    file.write_text(file.read_text() + "keep_last = 2\n")
    kept = []
    for _ in range(3):
        kept.append(Path(made_of(small).place).name)
        time.sleep(1.1)
    place = small.folder / "backups"
    assert sorted(path.name for path in place.glob("xdmod-cloud-*")) == kept[1:]
    (place / kept[2] / PROOF).unlink()
    (place / "xdmod-cloud-of-mine").mkdir()
    newest = made_of(small)
    assert newest.removed == []
    assert sorted(path.name for path in place.glob("xdmod-cloud-2*")) == [*kept[1:], Path(newest.place).name]
    assert (place / "xdmod-cloud-of-mine").exists()


def test_young_backups_stay_for_some_days(small: Site) -> None:
    """However many there are."""
    file = small.folder / "xdmod-cloud.toml"
    file.write_text(file.read_text() + "keep_last = 1\nkeep_days = 30\n")
    old = Path(made_of(small).place)
    aged = old.with_name("xdmod-cloud-20250101T000000Z")
    shutil.copytree(old, aged)
    time.sleep(1.1)
    assert made_of(small).removed == [aged.name]
    assert old.exists()


def test_a_server_that_is_away_costs_no_backup(small: Site) -> None:
    """The error asks to try again, and there is nothing of a new backup."""
    file = small.folder / "xdmod-cloud.toml"
    file.write_text(file.read_text() + 'url = "mysql+pymysql://root@localhost?unix_socket=/nowhere/socket"\n')
    with pytest.raises(SourceUnavailable, match="could not be used just now"):
        made_of(small)
    assert not list((small.folder / "backups").glob("*xdmod*/"))


def test_two_backups_at_once_do_not_meet(small: Site) -> None:
    """The second is told to wait."""
    from operations.backup.stores import FolderStore

    with FolderStore(small.folder / "backups").alone():
        done = call(small, "backup")
    assert done.returncode == 75
    assert "Another xdmod-cloud is writing a backup" in done.stderr


def test_a_backup_is_for_its_owner_only(small: Site) -> None:
    """Neither the folder nor a file in it can be read by others."""
    place = Path(made_of(small).place)
    assert place.stat().st_mode & 0o077 == 0
    assert os.access(place / MANIFEST, os.R_OK)


def test_a_new_ledger_can_be_restored_over(small: Site) -> None:
    """One that was just made is something already, and gives way if that is said."""
    before = small.content()
    made_of(small)
    lose_everything(small, None)
    upgrade(connect(load(small.folder / "xdmod-cloud.toml").ledger_url))
    with pytest.raises(ConfigurationError, match=r"something already: .*ledger\.sqlite"):
        restore(load(small.folder / "xdmod-cloud.toml"), None)
    restore(load(small.folder / "xdmod-cloud.toml"), None, replace=True)
    assert small.content() == before
