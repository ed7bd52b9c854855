"""The way into a real XDMoD, where the environment names one that may be written to.

XDMOD_HOME is its folder, with `bin`, and its configuration in `etc` or `configuration` (else in /etc/xdmod). It is set
up, as `xdmod-cloud init` does, with a resource of the type Cloud and one of the type HPC, the first of which are
filled; nothing else should be in them. XDMOD_CLOUD_XDMOD is the URL of its database, for the account that `xdmod-cloud
report grants` names the rights of. What XDMoD's commands need themselves, as `php`, `jq` and `mysql`, is in PATH.
"""

import csv
import json
import os
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from demo.__main__ import CONFIGURATION, DAY, RECORDING
from demo.cluster import Cluster
from demo.owners import CLIENT, REALM, Owners
from demo.replay import Recording, Replay
from tests.cli.here import impatient
from tests.xdmod.place import CONFIGURATION as PLAIN
from tests.xdmod.place import Place, event, job

MONTH = ("--month", "2026-10")
#: What XDMoD calls by other names, or does not keep apart from session to session.
OTHERWISE = {"institution", "pi", "resource"}


class Xdmod(NamedTuple):
    """A real XDMoD: its commands, its configuration, its database, and two of its resources."""

    bin: Path
    configuration: Path
    url: str
    cloud: str
    cluster: str

    def configure(self, place: Place, clouds: str) -> None:
        """Let a site have this XDMoD."""
        place.configure(clouds, bin=str(self.bin), configuration=str(self.configuration), url=self.url)


class Lived(NamedTuple):
    """A month that was brought into XDMoD: the site, and what each `run` said."""

    xdmod: Xdmod
    place: Place
    told: list[Any]

    def table(self, *words: str) -> list[dict[str, str]]:
        """What a report prints."""
        return list(csv.DictReader(StringIO(self.place.run("report", *words))))


@pytest.fixture(scope="module")
def xdmod() -> Xdmod:
    """The XDMoD of the environment."""
    if "XDMOD_HOME" not in os.environ:
        pytest.skip("XDMOD_HOME names no XDMoD to shred into")
    home = Path(os.environ["XDMOD_HOME"])
    found = [folder for folder in (home / "etc", home / "configuration") if (folder / "resources.json").is_file()]
    configuration = found[0] if found else Path("/etc/xdmod")
    resources = json.loads((configuration / "resources.json").read_text())
    first = {kind: [one["resource"] for one in resources if one["resource_type"] == kind] for kind in ("Cloud", "HPC")}
    if not (first["Cloud"] and first["HPC"]):
        pytest.skip(f"{configuration}/resources.json has no cloud, or no cluster")
    if "XDMOD_CLOUD_XDMOD" not in os.environ:
        pytest.skip("XDMOD_CLOUD_XDMOD does not name its database")
    return Xdmod(home / "bin", configuration, os.environ["XDMOD_CLOUD_XDMOD"], first["Cloud"][0], first["HPC"][0])


@pytest.fixture(scope="module")
def lived(xdmod: Xdmod, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """The demo's month of a cloud, its owners, who move, and its cluster, brought into XDMoD at three moments."""
    place = Place(tmp_path_factory.mktemp("lived") / "site")
    recording = Recording.read(RECORDING)
    owners, cluster = Owners(clock=lambda: recording.now), Cluster(clock=lambda: recording.now)
    with (
        Replay(recording, mounts={**owners.mounts, **cluster.mounts}) as server,
        pytest.MonkeyPatch.context() as environment,
        impatient(),
    ):
        environment.delenv("XDMOD_CLOUD_XDMOD")
        server.clouds_yaml(place.folder / "clouds.yaml")
        owners.write_secret(place.folder / "keycloak.secret")
        clouds = CONFIGURATION.format(url=server.url, realm=REALM, client=CLIENT)
        clouds = clouds.replace('"demo-cloud"', json.dumps(xdmod.cloud))
        xdmod.configure(place, clouds.replace('"demo-ocp-mcpu"', json.dumps(xdmod.cluster)))
        first, _, moved, last = recording.moments
        told = []
        for moment in (first, moved):
            server.at = moment
            told.append(place.json("run", "demo"))
        server.at = last
        told.append(place.json("run"))
        yield Lived(xdmod, place, told)


def test_events_get_into_a_real_xdmod(place: Place, xdmod: Xdmod) -> None:
    """Its own commands take a file, and it ends in the archive."""
    xdmod.configure(place, PLAIN.replace('"kaizen"', json.dumps(xdmod.cloud)))
    told_of = {"generated": "2020-01-01T00:01:00.000000", "domain": "Default", "project_id": "p"}
    place.events("2020-01-01", event(str(uuid4()), 1, **told_of), resource=xdmod.cloud)
    (told,) = place.json("shred", xdmod.cloud)["shredded"]
    assert (told["exported"], told["read"], told["skipped"], told["faulty"]) == (1, 1, 0, [])
    ((before, after),) = place.json("ingest")["ingested"]["sessions"].values()
    assert after == before + 1
    assert len(list((place.archive / xdmod.cloud / "events").iterdir())) == 1


def test_bad_files_are_found_among_good_ones(place: Place, xdmod: Xdmod) -> None:
    """Each is named with what is wrong with it, and stays; the others are read."""
    clouds = PLAIN.replace('"kaizen"', json.dumps(xdmod.cloud)).replace('"ocp"', json.dumps(xdmod.cluster))
    xdmod.configure(place, clouds)
    good = {"generated": "2020-01-02T00:01:00.000000", "domain": "Default", "project_id": "p"}
    bad: dict[str, dict[str, Any]] = {
        "2020-01-03": {"vcpus": "2.5"},
        "2020-01-04": {"generated": None},
        "2020-01-05": {"memory_mb": True},
    }
    for day, wrong in {"2020-01-02": {}, **bad, "2020-01-06": {}}.items():
        told = event(str(uuid4()), 1, **{**good, **wrong})
        record = {key: value for key, value in told.items() if value is not None}
        place.events(day, record, resource=xdmod.cloud)
    place.put(f"{xdmod.cluster}/jobs/2020-01-02.log", "1|2|3\n")
    place.put(f"{xdmod.cluster}/jobs/2020-01-03.log", f"{job(uuid4().int % 2**31, day='2020-01-03')}\n")
    said = place.fails(1, "shred")
    assert said.count("does not fit XDMoD's schema") == 2
    assert said.count("lacks a key that XDMoD needs") == said.count("too few fields") == 1
    claimed = place.outbox / xdmod.cloud / "claimed" / "events"
    assert sorted(path.name[:10] for path in claimed.iterdir()) == sorted(bad)
    assert [path.stem for path in (place.outbox / xdmod.cluster / "claimed" / "jobs").glob("*.log")] == ["2020-01-02"]
    shredded = place.outbox / xdmod.cluster / "shredded" / "jobs"
    assert [path.stem for path in shredded.iterdir()] == ["2020-01-03"]


def test_nothing_is_left_or_doubted(lived: Lived) -> None:
    """XDMoD reads all that was written, at the first attempt, and it is all in the archive."""
    for told in lived.told:
        assert (told["troubles"], told["ingested"]["troubles"], told["retried"]) == ([], [], 0)
        for part in told["shredded"]:
            assert (part["read"], part["skipped"], part["untried"], part["faulty"]) == (part["exported"], 0, 0, [])
            assert part["warnings"] == []
    left = [name for name in lived.place.files() if name.startswith("outbox")]
    assert [name for name in left if not name.startswith("outbox/hierarchy")] == []
    shredded = {part["kind"] for told in lived.told for part in told["shredded"]}
    archived = {part["kind"] for told in lived.told for part in told["ingested"]["archived"]}
    assert shredded == archived == {"events", "hypervisors", "jobs"}


def test_owners_come_first_and_again(lived: Lived) -> None:
    """The four files are imported whole, and where a PI has moved, the days since then are ingested once more."""
    first, *later = lived.told
    assert [one["file"] for one in first["imported"]] == ["hierarchy.csv", "group.csv", "names.csv", "pi2project.csv"]
    assert all(one["lines"] for one in first["imported"])
    assert any(told["imported"] and told["ingested"]["again"] for told in later)


def test_its_sessions_are_those_of_the_ledger(lived: Lived) -> None:
    """Each of them, and for each difference there is a reason."""
    (told,) = lived.place.json("verify", "xdmod")
    listed = {(row["instance"], row["start"], row["start_event_type_id"]) for row in lived.table("sessions", *MONTH)}
    assert told["compared"]["sessions"] >= len(listed) > 100
    assert [one for one in told["differences"] if one["reason"] is None or not one["benign"]] == []


def test_its_sessions_are_listed_as_the_ledgers(lived: Lived) -> None:
    """Row by row, whichever of both tells them."""

    def rows(*words: str) -> list[tuple[tuple[str, str], ...]]:
        found = lived.table("sessions", *MONTH, *words)
        return sorted(tuple(item for item in row.items() if item[0] not in OTHERWISE) for row in found)

    ours = rows()
    assert len(ours) > 100
    assert rows("--xdmod", lived.xdmod.url, lived.xdmod.cloud) == ours


def test_its_usage_is_that_of_the_ledger(lived: Lived) -> None:
    """Hours and servers of the month are the same."""
    (ours,) = lived.place.json("report", "usage", *MONTH, "--output", str(lived.place.folder / "ours"))
    there = ("--xdmod", lived.xdmod.url, lived.xdmod.cloud, "--output", str(lived.place.folder / "theirs"))
    (theirs,) = lived.place.json("report", "usage", *MONTH, *there)
    assert theirs["report"]["total"] == ours["report"]["total"]


def test_its_jobs_are_the_clusters(lived: Lived) -> None:
    """Each job of the day is there once, with its cores and seconds."""
    file = lived.place.archive / lived.xdmod.cluster / "jobs" / f"{DAY}.log"
    written = [line.split("|", 25) for line in file.read_text().splitlines()]
    listed = lived.table("sessions", "--jobs", *MONTH, "--xdmod", lived.xdmod.url, lived.xdmod.cluster)
    found = sorted((row["job"], row["cores"], row["start"], row["end"], row["user"]) for row in listed)
    assert found == sorted((job[0], job[18], f"{job[12]}Z", f"{job[13]}Z", job[8]) for job in written)


def test_a_second_run_has_nothing_to_do(lived: Lived) -> None:
    """Nothing is shredded or imported again, and no file is touched."""
    before = lived.place.files()
    told = lived.place.json("run")
    assert (told["shredded"], told["imported"], told["troubles"]) == ([], [], [])
    assert (told["ingested"]["archived"], told["ingested"]["aggregated"], told["ingested"]["again"]) == ([], [], [])
    assert lived.place.files() == before


def test_what_is_shredded_again_changes_nothing(lived: Lived) -> None:
    """Files that come back from the archive make no session and no job more, and none less."""
    for resource, kind in ((lived.xdmod.cloud, "events"), (lived.xdmod.cluster, "jobs")):
        shutil.copytree(lived.place.archive / resource / kind, lived.place.outbox / resource / kind, dirs_exist_ok=True)
    events, jobs = lived.place.json("shred")["shredded"]
    assert (events["read"], jobs["duplicates"]) == (events["exported"], jobs["exported"])
    ((before, after),) = lived.place.json("ingest")["ingested"]["sessions"].values()
    assert after == before > 0
    test_its_sessions_are_those_of_the_ledger(lived)
    test_its_jobs_are_the_clusters(lived)
