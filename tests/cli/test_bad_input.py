"""Whatever goes wrong is said in one line, with the right exit code, and nothing is lost."""

import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from demo.replay import (
    DROPPED,
    INTERNAL_ERROR,
    LOGIN_PAGE,
    TRUNCATED,
    UNAVAILABLE,
    Account,
    Fault,
    FaultHook,
    Replay,
    Server,
    slow,
    too_many_requests,
)
from demo.replay.store import server_of
from ledger import Server as ServerRecord
from ledger import Watermark
from tests.cli.here import call, call_at, impatient
from tests.simulation import SimulatedCloud
from tests.site import COMMAND, Site

START = datetime(2026, 10, 1, 8, tzinfo=UTC)
FIRST, SECOND, THIRD = (START + timedelta(hours=hours) for hours in (3, 6, 30))
PASSWORD = "hush-4711"
MEMBER = Account(user="plain", password=PASSWORD, role="member")
Content = dict[str, list[tuple[str, str, str]]]


class FaultyCloud(SimulatedCloud):
    """A cloud that can serve a server without its flavor, as Nova does where a row is damaged."""

    damaged: str | None = None

    def servers(self) -> Sequence[Server]:
        return [_without_flavor(server) if server.id == self.damaged else server for server in super().servers()]


def _without_flavor(server: Server) -> Server:
    body = msgspec.json.decode(server.body)
    spoilt = {name: value for name, value in body.items() if name != "flavor"}
    return server_of(body, msgspec.json.encode(spoilt))


def lived() -> FaultyCloud:
    """Eight servers of two projects, of which some change before each reading; always the same."""
    cloud = FaultyCloud(START)
    ids = [cloud.boot(f"server-{number}", project=("astro", "bio")[number % 2]) for number in range(8)]
    for hours, act, number in [
        (1.5, cloud.stop, 0),
        (2.5, cloud.start, 0),
        (4.1, cloud.suspend, 1),
        (4.2, cloud.shelve, 2),
        (4.3, cloud.delete, 3),
        (5.1, cloud.resume, 1),
        (8.5, cloud.unshelve, 2),
        (9.5, cloud.pause, 4),
    ]:
        cloud.at(START + timedelta(hours=hours))
        act(ids[number])
    return cloud


@contextmanager
def opened_site(folder: Path, cloud: SimulatedCloud | None = None) -> Iterator[Site]:
    """A site beside that cloud, with pages of three servers, read once and exported once."""
    accounts = (Account(password=PASSWORD), MEMBER)
    with Replay(cloud or lived(), max_limit=3, accounts=accounts) as server:
        site = Site.beside(server, folder, sweep_hours=1)
        site.round(FIRST)
        yield site


def finished(site: Site) -> tuple[Content, dict[str, bytes]]:
    """What a site holds after two more readings."""
    site.round(SECOND)
    site.round(THIRD)
    return site.content(), site.bytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, dict[str, bytes]]:
    """What a site holds where nothing went wrong."""
    with opened_site(tmp_path_factory.mktemp("undisturbed")) as site:
        return finished(site)


def said(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The command ended with that code, and with one line on stderr that has those words and no secret."""
    assert done.returncode == code, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("xdmod-cloud: ")
    for word in words:
        assert word in lines[0]


def state(site: Site) -> tuple[Content, Watermark | None, dict[str, bytes]]:
    """What a failed run must leave as it is."""
    ledger, _ = site.opened()
    return site.content(), ledger.watermark("sim"), site.bytes()


# What goes wrong while the cloud is read


@contextmanager
def edited(path: Path, pattern: str, new: str) -> Iterator[None]:
    """Another text in a file, for as long as the block runs."""
    before = path.read_text()
    after = re.sub(pattern, new, before)
    assert after != before
    path.write_text(after)
    yield
    path.write_text(before)


@contextmanager
def failing(site: Site, hook: FaultHook) -> Iterator[None]:
    """A server with a fault, for as long as the block runs."""
    site.server.fault = hook
    yield
    site.server.fault = None


def in_clouds(pattern: str, new: str) -> Callable[[Site], AbstractContextManager[None]]:
    return lambda site: edited(site.folder / "clouds.yaml", pattern, new)


def in_configuration(pattern: str, new: str) -> Callable[[Site], AbstractContextManager[None]]:
    return lambda site: edited(site.folder / "xdmod-cloud.toml", pattern, new)


def answering(path: str, fault: Fault, *, since: int = 1) -> Callable[[Site], AbstractContextManager[None]]:
    """A fault of all answers to that path, from the n-th on."""
    return lambda site: failing(
        site, lambda _, asked, __, nth: fault if asked.endswith(path) and nth >= since else None
    )


@contextmanager
def clock_set_back(site: Site) -> Iterator[None]:
    site.server.at = FIRST - timedelta(hours=1)
    yield
    site.server.at = SECOND


@contextmanager
def deleted_ignored(site: Site) -> Iterator[None]:
    """Asked for deleted servers, list a live one, as Nova does for an account that may not see those."""
    live = next(server for server in site.server.cloud.servers() if not server.deleted)
    shown = Fault(200, b'{"servers": [' + live.body + b"]}")
    with failing(site, lambda _, __, query, ___: shown if "deleted=True" in query else None):
        yield


class Wrong(NamedTuple):
    """Something that is wrong, the exit code that it must lead to, and what must be said of it."""

    id: str
    disturb: Callable[[Site], AbstractContextManager[None]]
    code: int
    words: tuple[str, ...]


PAGE = "/servers/detail"
#: Cut in the middle, with a length that says it is whole.
HALF = Fault(200, b'{"servers": [{"id": "0a1b", "name": "wo')
WRONG = [
    Wrong("password", in_clouds(PASSWORD, "wrong"), 2, ("Keystone", "refuses the account", "Correct the password")),
    Wrong("cloud", in_configuration('cloud = "demo"', 'cloud = "kaizen"'), 2, ('no cloud "kaizen" (it has: demo)',)),
    Wrong("region", in_clouds("RegionOne", "Atlantis"), 2, ("Atlantis", "region")),
    Wrong("clouds.yaml is no YAML", in_clouds("clouds:", "clouds: ]["), 2, ("clouds.yaml",)),
    Wrong("no password", in_clouds("password: [^,]*, ", ""), 2, ('Cloud "demo"', "password", "secure.yaml")),
    Wrong("no auth_url", in_clouds("auth_url: [^,]*, ", ""), 2, ('Cloud "demo"', "clouds.yaml", "auth_url")),
    Wrong(
        "no certificate authority",
        in_clouds("http://([^}]*)}", r"https://\1}\n    cacert: /nonexistent/ca.pem"),
        2,
        ("/nonexistent/ca.pem",),
    ),
    Wrong(
        "path of Keystone", in_clouds("/identity/v3", "/idenity/v3"), 75, ('Keystone of cloud "demo"', "auth_url")
    ),
    Wrong(
        "unreachable",
        in_clouds("    region_name", "    compute_endpoint_override: http://127.0.0.1:9/v2.1\n    region_name"),
        75,
        ('Nova of cloud "demo" does not answer', "Nothing was recorded; run again later."),
    ),
    Wrong(
        "silent",
        lambda site: _both(in_clouds("    region_name", "    api_timeout: 0.3\n    region_name"), slow(30))(site),
        75,
        ('Nova of cloud "demo" does not answer', "timed out"),
    ),
    Wrong(
        "500 on page 3",
        answering(PAGE, INTERNAL_ERROR, since=4),
        75,
        ('Nova of cloud "demo"', "servers/detail", "500", "run again later"),
    ),
    Wrong("404", answering(PAGE, Fault(404, b"{}")), 75, ("Nova", "servers/detail", "404", "Nothing was recorded")),
    Wrong("connection cut", answering(PAGE, TRUNCATED, since=3), 75, ("Nova", "servers/detail", "run again later")),
    Wrong("half", answering(PAGE, HALF, since=3), 75, ("Nova", "servers/detail", "cannot be read", "run again later")),
    Wrong("login page", answering(PAGE, LOGIN_PAGE), 75, ("Nova", "cannot be read", "<!DOCTYPE html>")),
    Wrong("login page of Keystone", answering("/v3/projects", LOGIN_PAGE), 75, ("Keystone", "/projects", "<!DOCTYPE")),
    Wrong("no actions", answering("/os-instance-actions", LOGIN_PAGE), 75, ("Nova", "os-instance-actions")),
    Wrong("no hosts", answering("/os-hypervisors/detail", LOGIN_PAGE), 75, ("Nova", "os-hypervisors")),
    Wrong("clock", clock_set_back, 75, ("clock", "2026-10-01T10:00:00Z", "2026-10-01T11:00:00Z", "wait")),
    Wrong(
        "member",
        in_clouds("username: .*}", f"username: plain, password: {PASSWORD}, user_domain_name: Default, "
                  "project_name: astro, project_domain_name: Default}"),
        2,
        ("Nova", "forbids", "docs/openstack.md"),
    ),
    Wrong("deleted ignored", deleted_ignored, 2, ("shows this account no deleted servers", "docs/openstack.md")),
]  # fmt: skip


def _both(
    first: Callable[[Site], AbstractContextManager[None]], fault: Fault
) -> Callable[[Site], AbstractContextManager[None]]:
    @contextmanager
    def both(site: Site) -> Iterator[None]:
        with first(site), answering(PAGE, fault)(site):
            yield

    return both


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.id)
def test_a_failed_reading_loses_nothing(
    tmp_path: Path, undisturbed: tuple[Content, dict[str, bytes]], wrong: Wrong
) -> None:
    """It leaves the ledger as it was, and the next reading catches up."""
    with opened_site(tmp_path) as site:
        site.server.at = SECOND
        before = state(site)
        with wrong.disturb(site), impatient():
            done = call(site, "collect", "openstack")
        said(done, wrong.code, *wrong.words)
        assert state(site) == before
        assert finished(site) == undisturbed


@pytest.mark.parametrize(
    ("path", "turn", "fault", "seconds"),
    [
        (PAGE, 2, too_many_requests(1), 1),
        (PAGE, 2, DROPPED, 0),
        ("/compute/v2.1", 1, UNAVAILABLE, 0),
    ],
    ids=["rate limit", "dropped connection", "Nova is just starting"],
)
def test_what_passes_is_waited_for(
    tmp_path: Path,
    undisturbed: tuple[Content, dict[str, bytes]],
    path: str,
    turn: int,
    fault: Fault,
    seconds: float,
) -> None:
    """What is refused or breaks off once is asked again, not before it is allowed, and the reading is as any other."""
    with opened_site(tmp_path) as site:
        site.server.at = SECOND
        asked: list[float] = []

        def once(_: str, at: str, __: str, nth: int) -> Fault | None:
            if not at.rstrip("/").endswith(path):
                return None
            asked.append(time.monotonic())
            return fault if nth == turn else None

        with failing(site, once):
            done = call(site, "collect", "openstack")
        assert (done.returncode, done.stderr) == (0, "")
        assert asked[turn] - asked[turn - 1] >= seconds
        assert finished(site) == undisturbed


@contextmanager
def at_work(site: Site) -> Iterator["subprocess.Popen[str]"]:
    """A collector that has begun to read a slow Nova."""
    with failing(site, lambda _, path, __, ___: slow(0.3) if path.endswith(PAGE) else None):
        site.server.requests.clear()
        with subprocess.Popen(
            [str(COMMAND), "collect", "openstack"],
            env=site.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests in the background of a shell has Ctrl-C ignored, and so have all below.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as first:
            while not any(PAGE in request.path for request in site.server.requests):
                assert first.poll() is None
                time.sleep(0.02)
            yield first


def test_one_collector_at_a_time(tmp_path: Path, undisturbed: tuple[Content, dict[str, bytes]]) -> None:
    """The second one says that the first is at work; the first is not disturbed."""
    with opened_site(tmp_path) as site:
        site.server.at = SECOND
        with at_work(site) as first:
            said(call(site, "collect", "openstack"), 75, "Another xdmod-cloud", "sim", "run again")
            assert first.wait(60) == 0
        assert finished(site) == undisturbed


@pytest.mark.parametrize(
    ("sign", "code", "line"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        (signal.SIGHUP, 129, "ended by SIGHUP"),
    ],
)
def test_an_interrupted_collector(
    tmp_path: Path, undisturbed: tuple[Content, dict[str, bytes]], sign: signal.Signals, code: int, line: str
) -> None:
    """Ctrl-C ends it at once, as does whoever stops its pod, in one line, and with nothing recorded."""
    with opened_site(tmp_path) as site:
        site.server.at = SECOND
        before = state(site)
        with at_work(site) as process:
            process.send_signal(sign)
            _, stderr = process.communicate(timeout=30)
        assert (process.returncode, stderr.strip()) == (code, f"xdmod-cloud: {line}; what was complete is kept.")
        assert state(site) == before
        assert finished(site) == undisturbed


# What cannot be used of what the cloud says


def test_a_server_without_a_flavor(tmp_path: Path, undisturbed: tuple[Content, dict[str, bytes]]) -> None:
    """It is set aside whole, the rest goes through, and it is not taken for vanished."""
    cloud = lived()
    with opened_site(tmp_path, cloud) as site:
        site.server.at = SECOND
        known = next(server.id for server in cloud.servers() if b'"server-6"' in server.body)
        cloud.damaged = known
        said(call(site, "collect", "openstack"), 1, "warning", known, "flavor", "quarantine")
        ledger, _ = site.opened()
        [aside] = ledger.quarantined("sim")
        assert msgspec.json.decode(aside["body"])["id"] == known
        assert len(site.content()[f"server {known}"]) == 1
        mark = ledger.watermark("sim")
        assert mark is not None
        assert mark.at == SECOND
        site.export()
        cloud.damaged = None
        assert finished(site) == undisturbed


def test_a_server_with_a_name_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are set aside, and do not stop the reading."""
    with opened_site(tmp_path) as site:
        site.server.at = SECOND
        live = [server.body for server in site.server.cloud.servers() if not server.deleted]
        bodies = [body.replace(b'"server-6"', b'"\xff\xfe"') for body in live]
        page = Fault(200, b'{"servers": [' + b", ".join(bodies) + b"]}")
        with failing(site, lambda _, path, query, __: page if path.endswith(PAGE) and "deleted" not in query else None):
            said(call(site, "collect", "openstack"), 1, "warning", "quarantine")


def test_a_project_that_keystone_no_longer_has(tmp_path: Path) -> None:
    """It keeps its name, and its loss is told once."""
    cloud = lived()
    with opened_site(tmp_path, cloud) as site:
        project = cloud.project("bio")
        cloud.at(SECOND - timedelta(minutes=1))
        cloud.delete_project("bio")
        site.server.at = SECOND
        said(call(site, "collect", "openstack"), 0, "warning", f"project {project}", "reported as bio")
        site.export()
        assert {event["project_name"] for event in site.events()} == {"astro", "bio"}
        again = call(site, "collect", "openstack")
        assert (again.returncode, again.stderr) == (0, "")


def test_many_vanished_servers_are_not_believed(tmp_path: Path) -> None:
    """That many servers are gone without a trace must be confirmed."""
    cloud = SimulatedCloud(START)
    ids = [cloud.boot(f"server-{number}") for number in range(30)]
    with opened_site(tmp_path, cloud) as site:
        cloud.at(SECOND - timedelta(minutes=1))
        for id in ids[:12]:
            cloud.lose(id)
        site.server.at = SECOND
        before = state(site)
        said(call(site, "collect", "openstack", "--sweep"), 2, "12 servers", "sim", "--accept-vanished")
        assert state(site) == before
        site.run("collect", "openstack", "--sweep", "--accept-vanished")
        ledger, _ = site.opened()
        assert sum(server.vanished for server in ledger.newest("sim", ServerRecord)) == 12


# What is wrong with the ledger


def as_newer(site: Site) -> None:
    _told(site, "UPDATE alembic_version SET version_num = '9001'")


def as_foreign(site: Site) -> None:
    _without_ledger(site)
    _told(site, "CREATE TABLE addresses (street TEXT)")


def as_corrupt(site: Site) -> None:
    _without_ledger(site)
    (site.folder / "ledger.sqlite").write_bytes(b"This was a ledger once. " * 1000)


def as_holed(site: Site) -> None:
    _told(site, "PRAGMA user_version")
    with (site.folder / "ledger.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xaa" * 8 * 4096)


def _told(site: Site, statement: str) -> None:
    """Say something to the database, and leave nothing outside its main file."""
    with closing(sqlite3.connect(site.folder / "ledger.sqlite")) as connection:
        connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _without_ledger(site: Site) -> None:
    for file in site.folder.glob("ledger.sqlite*"):
        file.unlink()


def as_folder(site: Site) -> None:
    _without_ledger(site)
    (site.folder / "ledger.sqlite").mkdir()


@pytest.mark.parametrize("command", ["collect", "export"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (as_newer, ("9001", "newer", "install the newer xdmod-cloud")),
        (as_foreign, ("holds tables, but is no ledger", "Name another")),
        (as_corrupt, ("damaged", "restore it from a backup")),
        (as_holed, ("damaged", "restore it from a backup")),
        (_without_ledger, ("There is no ledger at", "xdmod-cloud ledger upgrade")),
        (as_folder, ("cannot be opened", "Check the folder")),
    ],
)
def test_a_ledger_that_cannot_be_used(
    tmp_path: Path, spoil: Callable[[Site], None], words: tuple[str, ...], command: str
) -> None:
    """It is refused, with the way out, and left as it is."""
    with opened_site(tmp_path) as site:
        spoil(site)
        path = site.folder / "ledger.sqlite"
        before = path.read_bytes() if path.is_file() else None
        said(call(site, command, "openstack"), 2, str(path), *words)
        assert (path.read_bytes() if path.is_file() else None) == before


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[None]:
    """Something mounted at a folder; skips where that is not allowed."""
    done = subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"This account cannot mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def read_only_folder(site: Site) -> AbstractContextManager[None]:
    return mounted(site.folder, "-o", "bind,ro", str(site.folder))


def read_only_url(site: Site) -> AbstractContextManager[None]:
    url = f"sqlite:///file:{site.folder}/ledger.sqlite?mode=ro&uri=true"
    return edited(site.folder / "xdmod-cloud.toml", r"\A", f'ledger.url = "{url}"\n')


@pytest.mark.parametrize("read_only", [read_only_url, read_only_folder])
def test_a_read_only_ledger(
    tmp_path: Path,
    undisturbed: tuple[Content, dict[str, bytes]],
    read_only: Callable[[Site], AbstractContextManager[None]],
) -> None:
    """Where the ledger cannot be written, nothing is read, and nothing exported."""
    with opened_site(tmp_path) as site:
        site.server.at = SECOND
        site.collect()
        before = state(site)
        with read_only(site):
            for command in ("collect", "export"):
                said(call(site, command, "openstack"), 2, "ledger", str(site.folder))
        assert state(site) == before
        assert finished(site) == undisturbed


@pytest.mark.parametrize("url", ["mysql://u:{}@h/db", "mysql+pymysql//u:{}@h/db", "mysql+pymysql://u:{}@h:port/db"])
def test_a_ledger_url_that_cannot_be_used(tmp_path: Path, url: str) -> None:
    """The form is told, and the password in it is not."""
    (tmp_path / "xdmod-cloud.toml").write_text(f'ledger.url = "{url.format(PASSWORD)}"\n')
    said(call_at(tmp_path, "ledger", "upgrade"), 2, "[ledger] url", "mysql+pymysql://USER:PASSWORD@HOST/DATABASE")


def test_a_ledger_in_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Making a ledger names the folder that is in the way."""
    (tmp_path / "xdmod-cloud.toml").write_text('ledger.url = "sqlite:///xdmod-cloud.toml/ledger.sqlite"\n')
    said(call_at(tmp_path, "ledger", "upgrade"), 2, str(tmp_path / "xdmod-cloud.toml"), "[ledger] url")


# What is wrong with the disk


@pytest.mark.parametrize("room", [0, 20_000], ids=["no room at all", "room for a part"])
def test_a_full_disk_under_the_outbox(tmp_path: Path, undisturbed: tuple[Content, dict[str, bytes]], room: int) -> None:
    """No file is there by half, and once there is room the same files are written."""
    with opened_site(tmp_path) as site:
        site.server.at = SECOND
        site.collect()
        written = tmp_path / "written"
        shutil.move(site.folder / "outbox", written)
        (site.folder / "outbox").mkdir()
        with mounted(site.folder / "outbox", "-t", "tmpfs", "-o", "size=256k", "tmpfs"):
            shutil.copytree(written, site.folder / "outbox", dirs_exist_ok=True)
            filler, before = site.folder / "outbox" / "filler", state(site)
            _fill(filler, room)
            for _ in range(2):
                said(call(site, "export", "openstack"), 75, "no room", str(site.folder / "outbox"), "make room")
                assert state(site) == before
            filler.unlink()
            site.run("export", "openstack")
            assert finished(site) == undisturbed


def _fill(filler: Path, room: int) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() // 4096 * 4096 - room // 4096 * 4096)


def test_a_full_disk_under_the_ledger(tmp_path: Path, undisturbed: tuple[Content, dict[str, bytes]]) -> None:
    """The reading is not recorded by half."""
    with opened_site(tmp_path) as site:
        site.server.at = SECOND
        folder = site.folder / "small"
        folder.mkdir()
        with (
            mounted(folder, "-t", "tmpfs", "-o", "size=1m", "tmpfs"),
            edited(site.folder / "xdmod-cloud.toml", r"\A", 'ledger.url = "sqlite:///small/ledger.sqlite"\n'),
        ):
            for file in site.folder.glob("ledger.sqlite*"):
                shutil.copy(file, folder)
            before = state(site)
            _fill(folder / "filler", 40_000)
            said(call(site, "collect", "openstack"), 75, str(folder / "ledger.sqlite"), "full", "run again later")
            assert state(site) == before
            (folder / "filler").unlink()
            assert finished(site) == undisturbed


# What is wrong with the configuration


CLOUD = '[[openstack]]\nname = "sim"\ncloud = "demo"\nresource = "sim"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ("There is no configuration", "--config", "XDMOD_CLOUD_CONFIG")),
        ("[[openstack]\n", ("cannot be read", "line 1")),
        (f"{CLOUD}worker = 3\n", ("openstack.0", "'worker'")),
        ('[[openstack]]\nname = "sim"\n', ("openstack.0", '"cloud"')),
        (f'{CLOUD}workers = "many"\n', ("openstack.0.workers", '"many"', "integer")),
        (f"{CLOUD}{CLOUD}", ("two [[openstack]]", '"sim"')),
        ("", ("names no cloud", "[[openstack]]")),
        (f'ledger = "mysql+pymysql://u:{PASSWORD}@h/db"\n', ("ledger", "url_file", "not repeated")),
        (f'[ledger]\nurl = "mysql+pymysql://u:{PASSWORD}@h/db"\nurl_file = "url"\n', ("ledger", "not both")),
        ('[ledger]\nurl_file = "nowhere"\n', ("ledger.url_file", "nowhere")),
        ('[ledger]\nurl = "postgresql://u@h/db"\n', ("postgresql", "mysql+pymysql")),
    ],
)
def test_a_configuration_that_cannot_be_used(tmp_path: Path, text: str | None, words: tuple[str, ...]) -> None:
    """The file and the key are named."""
    path = tmp_path / "xdmod-cloud.toml"
    if text is not None:
        path.write_text(text)
    if text == "":
        call_at(tmp_path, "ledger", "upgrade")
    named = (str(path),) if "postgresql" not in words else ()
    said(call_at(tmp_path, "collect", "openstack"), 2, *named, *words)


def test_an_unknown_name_of_a_source(tmp_path: Path) -> None:
    """The names that there are, are told."""
    with opened_site(tmp_path) as site:
        said(call(site, "collect", "openstack", "simm"), 2, '"simm"', "it has: sim", str(site.folder))


@pytest.mark.parametrize("words", [("collect", "openstack"), ("ledger", "runs", "--json"), ("export", "openstack")])
def test_secrets_are_not_printed(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Not even where all that libraries say is logged."""
    with opened_site(tmp_path) as site:
        site.server.at = SECOND
        done = site.call("--verbose", *words)
        assert done.returncode == 0
        assert PASSWORD not in done.stdout + done.stderr
        assert "gAAAAA-" not in done.stdout + done.stderr
