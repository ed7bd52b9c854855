"""An operator sees how far each source is, and so does Prometheus."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from ledger import SourceUnavailable
from operations.monitoring.metrics import METRICS, exposition
from operations.monitoring.status import Status, status
from tests.cli.here import call
from tests.operations.test_mariadb import NOW, lived, site_of
from tests.site import Site

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "k8s" / "monitoring"
_METRIC = re.compile(r"\bxdmod_cloud_[a-z_]+\b")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of three days, on one of which the cloud could not be read."""
    with site_of(tmp_path_factory.mktemp("monitoring") / "site") as made:
        lived(made)
        yield made


def found(site: Site) -> Status:
    """The status, in this process."""
    return status(*site.opened())


def values(text: str) -> dict[str, float]:
    """The samples of an exposition."""
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_the_table_tells_how_far_a_source_is(site: Site) -> None:
    """Its last good run, how long ago it is known to, and the files that wait."""
    done = call(site, "status")
    assert done.returncode == 0, done.stderr
    waiting = len(list(site.outbox.glob("*.json")))
    today = datetime.now(UTC)
    assert re.search(rf"sim .*{today:%Y-%m-%d}.* \d+ d \d+ h ", done.stdout)
    assert re.search(rf"sim .*events .*\b{waiting}\b", done.stdout)
    assert min(site.bytes())[:15] in done.stdout


def test_the_json_tells_the_same(site: Site) -> None:
    """A program finds each source with its watermark, failures and backlog."""
    told = json.loads(call(site, "status", "--json").stdout)
    (source,) = told["sources"]
    assert source["source"] == "sim"
    assert source["runs"] == 4
    assert source["failures"] == 1
    assert source["failures_since"] == 0
    assert "os-hypervisors" in source["last_failure"]["error"]
    assert source["watermark"].startswith("2026-10-07T13:00:00")
    assert source["backlog"] == {"openstack-events": 0}


def test_what_was_learned_and_not_exported_is_the_backlog(tmp_path: Path) -> None:
    """Until the export, and no longer."""
    with site_of(tmp_path / "site") as made:
        lived(made)
        made.server.cloud.change(0.3)  # type: ignore[attr-defined]
        made.server.at = NOW + timedelta(days=4)
        appended = made.collect().counts["appended"]
        assert found(made).sources[0].backlog == {"openstack-events": appended}
        made.export()
        assert found(made).sources[0].backlog == {"openstack-events": 0}


def test_a_cloud_that_was_never_read_is_named(tmp_path: Path) -> None:
    """Silence is not health."""
    with site_of(tmp_path / "site") as made:
        assert "sim was never read" in call(made, "status").stdout
        assert values(exposition(found(made)))['xdmod_cloud_never_read{source="sim"}'] == 1


def test_a_cloud_that_was_taken_out_of_the_configuration_is_quiet(tmp_path: Path) -> None:
    """It has no metrics that an alert could be of; the table says since when it is not read, and what is lost of it."""
    with site_of(tmp_path / "site") as made:
        lived(made)
        made.server.cloud.change(0.3)  # type: ignore[attr-defined]
        made.server.at = NOW + timedelta(days=4)
        appended = made.collect().counts["appended"]
        file = made.folder / "xdmod-cloud.toml"
        before = file.read_text()
        file.write_text(before.replace('name = "sim"', 'name = "other"'))
        text = exposition(found(made))
        assert '{source="sim"' not in text
        assert values(text)['xdmod_cloud_never_read{source="other"}'] == 1
        done = call(made, "status")
        assert re.search(
            rf"sim is no longer configured, .* read at .*; not exported: {appended} openstack-events\.", done.stdout
        )
        told = json.loads(call(made, "status", "--json").stdout)
        assert (told["sources"], [one["source"] for one in told["former"]]) == ([], ["sim"])
        file.write_text(before)
        assert values(exposition(found(made)))['xdmod_cloud_source_info{source="sim",kind="openstack"}'] == 1


def test_a_cluster_that_is_read_with_another_configuration_is_watched(tmp_path: Path) -> None:
    """One that has no url here can still be lost."""
    with site_of(tmp_path / "site") as made:
        lived(made)
        file = made.folder / "xdmod-cloud.toml"
        file.write_text('[[openshift]]\nname = "sim"\nresource = "sim"\n')
        told = values(exposition(found(made)))
        assert 'xdmod_cloud_watermark_timestamp_seconds{source="sim"}' in told


def test_failures_since_the_last_success_are_counted(tmp_path: Path) -> None:
    """With what was wrong in the last one."""
    from demo.replay import LOGIN_PAGE

    with site_of(tmp_path / "site") as made:
        lived(made)
        made.server.fault = lambda *_: LOGIN_PAGE
        for _ in range(2):
            with pytest.raises(SourceUnavailable):
                made.collect()
        assert values(exposition(found(made)))['xdmod_cloud_run_failures_since_success{source="sim"}'] == 2
        assert "sim failed at" in call(made, "status").stdout


def test_metrics_are_what_the_ledger_knows(site: Site, tmp_path: Path) -> None:
    """The file has the watermark, the duration, the records and the files, in base units."""
    file = tmp_path / "metrics" / "xdmod-cloud.prom"
    done = call(site, "status", "--textfile", str(file))
    assert done.returncode == 0, done.stderr
    told = values(file.read_text())
    known = datetime(2026, 10, 7, 13, tzinfo=UTC).timestamp()
    assert told['xdmod_cloud_watermark_timestamp_seconds{source="sim"}'] == known
    assert told['xdmod_cloud_run_failures_total{source="sim"}'] == 1
    assert told["xdmod_cloud_records_total"] == sum(map(len, site.content().values()))
    assert told['xdmod_cloud_outbox_files{resource="sim",kind="events",state="waiting"}'] == len(site.bytes())
    assert told['xdmod_cloud_last_run_duration_seconds{source="sim"}'] > 0
    assert {name.partition("{")[0] for name in told} <= set(METRICS)
    assert not list(file.parent.glob(".*"))


def _promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is in the package prometheus: run tests/real/install-packages")
    return program


def test_prometheus_reads_the_metrics(site: Site) -> None:
    """Its own tool finds nothing to object to, neither in the format nor in the names."""
    text = exposition(found(site))
    done = subprocess.run([_promtool(), "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_labels_with_odd_characters_stay_one_label(site: Site) -> None:
    """A quotation mark in a name ends neither the label nor the line."""
    odd = msgspec.structs.replace(found(site), never=['a"b\\c\nd'])
    line = next(line for line in exposition(odd).splitlines() if line.startswith("xdmod_cloud_never_read"))
    assert line == r'xdmod_cloud_never_read{source="a\"b\\c\nd"} 1'


@contextmanager
def pushgateway(code: int) -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """A server that takes what is put there, as a Pushgateway does."""
    taken = list[tuple[str, str, bytes]]()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((self.command, self.path, body))
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", taken
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("code", "expected"), [(200, 0), (202, 0), (503, 75), (404, 2)])
def test_metrics_reach_a_pushgateway(tmp_path: Path, code: int, expected: int) -> None:
    """They replace those of the last time; where they are not taken, the exit code says what to do."""
    with site_of(tmp_path / "site") as made, pushgateway(code) as (url, taken):
        file = made.folder / "xdmod-cloud.toml"
        file.write_text(file.read_text() + f'[metrics]\npushgateway = "{url}/"\n')
        done = call(made, "status")
        assert done.returncode == expected, done.stderr
        assert [(how, path) for how, path, _ in taken] == [("PUT", "/metrics/job/xdmod-cloud")]
        assert b"xdmod_cloud_status_timestamp_seconds" in taken[0][2]


def test_alerts_are_rules_that_prometheus_takes() -> None:
    """Its own tool reads the example, and its tests of the rules hold."""
    for words in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]):
        done = subprocess.run([_promtool(), *words], cwd=MONITORING, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["alerts.yaml", "dashboard.json"])
def test_examples_speak_of_metrics_that_there_are(file: str) -> None:
    """No alert waits for ever, and no panel stays empty, for a name that nobody writes."""
    named = set(_METRIC.findall((MONITORING / file).read_text()))
    assert named
    assert named <= set(METRICS)


def test_every_metric_is_documented() -> None:
    """With its name, in the document on monitoring."""
    text = (ROOT / "docs" / "monitoring.md").read_text()
    assert [name for name in METRICS if f"`{name}`" not in text] == []


def test_logs_are_objects_if_that_is_asked_for(site: Site) -> None:
    """Each line on stderr is JSON with its time, its level and the text; stdout stays as it is."""
    done = site.call("--log-format", "json", "-v", "collect", "openstack", "nonsense")
    assert done.returncode == 2
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines[-1]["level"] == "error"
    assert 'has no [[openstack]] "nonsense"' in lines[-1]["message"]
    assert all(datetime.fromisoformat(line["time"]).tzinfo for line in lines)
    assert json.loads(site.call("--log-format", "json", "status", "--json").stdout)["sources"]


def test_usage_errors_are_objects_too(site: Site) -> None:
    """Whoever collects logs need not understand another form."""
    done = site.call("--log-format", "json", "status", "--nonsense")
    assert done.returncode == 2
    assert any("nonsense" in json.loads(line)["message"] for line in done.stderr.splitlines())


def test_backups_are_told(site: Site) -> None:
    """When the newest whole one was begun, wherever it is, and those that failed since."""
    file = site.folder / "xdmod-cloud.toml"
    file.write_text(file.read_text() + '[backup]\noutput = "backups"\n')
    assert call(site, "backup").returncode == 0
    told = values(exposition(found(site)))
    assert abs(told["xdmod_cloud_backup_timestamp_seconds"] - datetime.now(UTC).timestamp()) < 60
    assert told["xdmod_cloud_backup_failures_since_success"] == 0
    file.write_text(file.read_text() + 'url = "mysql+pymysql://root@localhost?unix_socket=/nowhere/socket"\n')
    assert call(site, "backup").returncode == 75
    again = values(exposition(found(site)))
    assert again["xdmod_cloud_backup_timestamp_seconds"] == told["xdmod_cloud_backup_timestamp_seconds"]
    assert again["xdmod_cloud_backup_failures_since_success"] == 1
    assert "(backup) failed at" in call(site, "status").stdout
    assert [one.source for one in found(site).sources] == ["sim"]
