"""What becomes of files on their way into XDMoD, whatever its commands do."""

import json
from pathlib import Path

import pytest

from operations.xdmod.commands import Commands
from tests.real.mariadb import MariaDB
from tests.xdmod.place import CLOUD, CLUSTER, DAY, Place, event, job

EARLIER, LATER = "2026-10-04", "2026-10-06"


def archived(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files, all of them in the archive."""
    return {name.replace("outbox/", "archive/", 1): body for name, body in files.items()}


def in_folder(place: Place, step: str, kind: str, resource: str = CLOUD) -> list[str]:
    """The days of the files at one step of the way."""
    return sorted(path.name[:10] for path in (place.outbox / resource / step / kind).glob("*"))


def test_files_go_through_xdmod_into_the_archive(place: Place) -> None:
    """What lay in the outbox is in XDMoD, added up, and in the archive byte for byte."""
    place.events(DAY, event("a", 1), event("a", 2, "compute.instance.create.end"))
    place.facts(compute1=8)
    place.jobs(DAY, job(1), job(2))
    before = place.files()
    told = place.json("shred")["shredded"]
    assert [(one["resource"], one["kind"], one["exported"], one["read"]) for one in told] == [
        (CLOUD, "events", 2, 2),
        (CLOUD, "hypervisors", 1, 1),
        (CLUSTER, "jobs", 2, 2),
    ]
    assert in_folder(place, "shredded", "events") == [DAY]
    assert sorted(place.json("ingest")["ingested"]["aggregated"]) == ["cloud", "job", "resourcespecs"]
    assert place.files() == archived(before)
    assert len(place.rows("aggregated")) == 2 + 1 + 2


def test_each_format_with_its_arguments(place: Place) -> None:
    """XDMoD's commands get what they need: absolute folders, formats, phases, and a time before the first ingest."""
    place.events(DAY, event("a", 1))
    place.facts(compute1=8)
    place.jobs(DAY, job(1))
    place.run("shred")
    place.run("ingest")
    reading = {
        kind: str(place.outbox / resource / "shredding" / kind)
        for kind, resource in (("events", CLOUD), ("hypervisors", CLOUD), ("jobs", CLUSTER))
    }
    assert place.calls("xdmod-shredder") == [
        ["-v", "-f", "openstack", "-d", reading["events"], "-r", CLOUD],
        ["-v", "-f", "cloudresourcespecs", "-d", reading["hypervisors"], "-r", CLOUD],
        ["-v", "-f", "slurm", "-d", reading["jobs"], "-r", CLUSTER],
    ]
    steps = [words[1] for words in place.calls("xdmod-ingestor")]
    assert steps == [
        "--datatype=openstack",
        "--aggregate=cloud",
        "--aggregate=resourcespecs",
        "--ingest-shredded",
        "--ingest-staging",
        "--ingest-hpcdb",
        "--aggregate=job",
    ]
    assert all(words[2] == "--last-modified-start-date" for words in place.calls("xdmod-ingestor") if "agg" in words[1])
    assert place.calls("acl-config") == []


def test_nothing_to_do(place: Place) -> None:
    """Without files XDMoD is not bothered."""
    assert "nothing to shred" in place.run("shred")
    assert "nothing to ingest" in place.run("ingest")
    assert "nothing that XDMoD has not been told" in place.run("import-hierarchy")
    assert place.calls() == []


def test_nothing_is_shredded_from_the_archive(place: Place) -> None:
    """What XDMoD has is not given to it again, and a file of the same name that holds something else is kept beside."""
    place.events(DAY, event("a", 1))
    place.run("shred")
    place.run("ingest")
    shreds = len(place.calls("xdmod-shredder"))
    place.run("shred")
    assert len(place.calls("xdmod-shredder")) == shreds
    path = place.events(DAY, event("b", 1))
    place.run("shred")
    place.run("ingest")
    names = sorted(file.name for file in (place.archive / CLOUD / "events").iterdir())
    assert names == sorted([path.name, f"2-{path.name}"])
    assert len(place.rows("aggregated")) == 2


def test_foreign_files_are_left_alone(place: Place) -> None:
    """Whatever else lies in the outbox, hidden or in folders, stays as it is."""
    place.put(f"{CLOUD}/events/lost+found/old.json", "{")
    place.put(f"{CLOUD}/events/notes.txt", "mine")
    place.put(f"{CLOUD}/events/.{DAY}T00:00:00_{DAY}T23:59:59.part", "[")
    place.put(f"{CLOUD}/quarantine/events-1.json", "[]")
    before = place.files()
    place.run("shred")
    assert place.calls() == []
    place.events(DAY, event("a", 1))
    place.run("shred")
    place.run("ingest")
    assert {name: body for name, body in place.files().items() if name.startswith("outbox")} == before


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (event("bad", 1, vcpus="2.5"), "does not fit XDMoD's schema"),
        ({key: value for key, value in event("bad", 1).items() if key != "event_type"}, "lacks a key"),
        ("no object", "exit code 1"),
    ],
)
def test_a_bad_file_keeps_no_other_from_its_way(place: Place, broken: object, why: str) -> None:
    """The file is found among many, stays and is named; the others, that XDMoD had left unread, get through."""
    days = [f"2026-10-{day:02}" for day in range(1, 9)]
    for day in days:
        place.events(day, event(f"of-{day}", 1))
    place.events(DAY, event("good", 1), broken)
    said = place.fails(1, "shred")
    assert why in said
    assert f"claimed/events/{DAY}" in said
    assert in_folder(place, "claimed", "events") == [DAY]
    assert in_folder(place, "shredded", "events") == [day for day in days if day != DAY]
    place.run("ingest")
    others = {f"of-{day}" for day in days if day != DAY}
    assert {row[1] for row in place.rows("raw")} >= others
    assert in_folder(place, "claimed", "events") == [DAY]
    # New files get through beside it, and once it is corrected, so does it.
    place.events(LATER, event("new", 1))
    place.fails(1, "shred")
    assert in_folder(place, "shredded", "events") == [LATER]
    place.put(f"{CLOUD}/claimed/events/{DAY}T00:00:00_{DAY}T23:59:59.json", f"[\n{json.dumps(event('good', 1))}\n]\n")
    place.run("shred")
    place.run("ingest")
    assert in_folder(place, "claimed", "events") == []
    assert {row[1] for row in place.rows("raw")} >= {*others, "new", "good"}


def test_skipped_records_are_counted(place: Place) -> None:
    """Of a file that XDMoD took in part, the table says how many records it has not."""
    place.events(DAY, event("good", 1), event("bad", 1, memory_mb=None), event("bad", 2, host=7))
    done = place.call("shred", "--json")
    (told,) = json.loads(done.stdout)["shredded"]
    assert (told["exported"], told["read"], told["skipped"], len(told["faulty"])) == (3, 1, 2, 1)


def test_what_xdmod_looks_at_twice_counts_once(place: Place) -> None:
    """The table is about records, not about what is printed."""
    place.events(DAY, event("a", 1), event("b", 1))
    place.events(LATER, event("c", 1))
    place.fault("the first file is looked at twice")
    (told,) = place.json("shred")["shredded"]
    assert (told["exported"], told["read"]) == (3, 3)


def test_where_nothing_fits_not_all_is_tried(place: Place) -> None:
    """If every file fails it is not the files: XDMoD is not kept busy with hundreds of them."""
    for day in range(1, 29):
        place.events(f"2026-09-{day:02}", "no object")
    said = place.fails(1, "shred")
    assert "were not tried" in said
    assert len(place.calls("xdmod-shredder")) < 20
    assert len(in_folder(place, "claimed", "events")) == 28
    place.events(LATER, event("new", 1))
    place.fails(1, "shred")
    assert in_folder(place, "shredded", "events") == [LATER]


def test_a_malformed_line_of_jobs(place: Place) -> None:
    """Its file stays; the jobs of the other days are passed on, not only read."""
    place.jobs(EARLIER, job(1, day=EARLIER))
    place.jobs(DAY, job(2), "3|too|short")
    place.jobs(LATER, job(4, day=LATER))
    assert "too few fields" in place.fails(1, "shred")
    assert in_folder(place, "claimed", "jobs", CLUSTER) == [DAY]
    place.run("ingest")
    assert len(place.rows("passed_on")) == 2
    assert [row[1] for row in place.rows("aggregated")] == [
        f"{CLUSTER}1{EARLIER}T02:00:00",
        f"{CLUSTER}4{LATER}T02:00:00",
    ]


def test_jobs_again_are_duplicates(place: Place) -> None:
    """A file that is told once more does no harm, and the duplicates are counted."""
    place.jobs(DAY, job(1), job(2))
    place.run("shred")
    place.jobs(LATER, job(1), job(2))
    (told,) = place.json("shred")["shredded"]
    assert (told["read"], told["duplicates"], told["faulty"]) == (2, 2, [])


def test_job_errors_are_read_where_xdmod_hides_them(place: Place) -> None:
    """XDMoD prints the name of a file only; how many jobs are in it is said here."""
    place.jobs(DAY, job(1))
    place.fault("job errors")
    done = place.call("shred")
    assert done.returncode == 0
    assert "2 jobs" in done.stderr


def test_jobs_that_xdmod_took_and_never_passed_on(place: Place) -> None:
    """XDMoD would count them as duplicates for ever: the file stays until a person has seen to it."""
    place.jobs(DAY, job(1))
    place.fault("kill all at jobs are committed")
    assert place.killed("shred")
    for _ in range(2):
        assert "shredded_job_slurm" in place.fails(1, "shred")
        assert in_folder(place, "claimed", "jobs", CLUSTER) == [DAY]
    place.forget_jobs()
    place.run("shred")
    place.run("ingest")
    assert len(place.rows("aggregated")) == 1


def test_jobs_that_a_lock_kept_from_being_passed_on(place: Place) -> None:
    """To try again looks like success, and is none."""
    place.jobs(DAY, job(1))
    place.fault("locked in Ingestion failed")
    assert "shredded_job_slurm" in place.fails(1, "shred")
    place.forget_jobs()
    place.run("shred")
    assert len(place.rows("passed_on")) == 1


def test_jobs_whose_reading_came_to_its_end_alone(place: Place) -> None:
    """Where only the caller was killed, nothing is missing, and nobody is called."""
    place.jobs(DAY, job(1))
    place.fault("kill at jobs are committed")
    assert place.killed("shred")
    place.run("shred")
    place.run("ingest")
    assert len(place.rows("aggregated")) == 1


def test_files_that_xdmod_does_not_see(place: Place) -> None:
    """Where XDMoD says that it read no record of a file that has some, the file does not pass for shredded."""
    place.jobs(DAY, job(1))
    script = place.folder / "bin" / "xdmod-shredder"
    script.write_text("#!/bin/sh\necho '2026-10-05 00:00:00 [notice] Shredded 0 records'\n")
    assert "XDMoD read nothing of 1 record:" in place.fails(1, "shred")
    assert in_folder(place, "claimed", "jobs", CLUSTER) == [DAY]


@pytest.mark.parametrize("fault", ["locked", "gone", "deadlock", "away"])
def test_a_database_that_comes_back(place: Place, fault: str) -> None:
    """A lock, a deadlock and a lost connection are waited out, longer each time, and counted."""
    place.events(DAY, event("a", 1))
    place.fault(f"{fault} in xdmod-shredder", 4)
    assert place.json("shred")["retried"] == 4
    assert [round(wait / ideal) for wait, ideal in zip(place.waited, (5, 10, 20, 40), strict=True)] == [1] * 4
    assert len(place.rows("raw")) == 1


@pytest.mark.parametrize("program", ["xdmod-shredder", "xdmod-ingestor"])
def test_a_database_that_stays_away(place: Place, program: str) -> None:
    """After five more attempts it ends with 75; everything is kept, and goes through when the database is back."""
    place.events(DAY, event("a", 1))
    before = place.files()
    place.fault(f"away in {program}", 6)
    if program == "xdmod-ingestor":
        place.run("shred")
    said = place.fails(75, "ingest" if program == "xdmod-ingestor" else "shred")
    assert "does not answer" in said
    assert len(place.waited) == 5
    assert list(place.files().values()) == list(before.values())
    place.run("shred")
    place.run("ingest")
    assert place.files() == archived(before)
    assert len(place.rows("aggregated")) == 1


def test_an_unknown_resource(place: Place) -> None:
    """It ends with 2 and names it; other resources get through, and so does this one when it is known."""
    place.resources(CLUSTER)
    place.events(DAY, event("a", 1))
    place.jobs(DAY, job(1))
    assert "resources.json does not have the resource" in place.fails(2, "shred")
    assert in_folder(place, "claimed", "events") == [DAY]
    assert len(place.rows("slurm")) == 1
    place.resources(CLUSTER, CLOUD)
    place.run("shred")
    place.run("ingest")
    assert len(place.rows("aggregated")) == 2


def test_a_resource_that_is_not_configured(place: Place) -> None:
    """Whoever names another one is told which there are."""
    assert f"it has: {CLOUD}, {CLUSTER}" in place.fails(2, "shred", "elsewhere")
    assert place.calls() == []


def test_commands_that_are_not_there(place: Place) -> None:
    """A host without XDMoD is told so, and the files stay where they can be found."""
    place.events(DAY, event("a", 1))
    (place.folder / "bin" / "xdmod-shredder").unlink()
    assert "There is no xdmod-shredder in" in place.fails(2, "shred")
    assert in_folder(place, "claimed", "events") == [DAY]


def test_numbers_that_look_like_errors(place: Place) -> None:
    """As many records as an error has for a number are no error."""
    place.events(DAY, *(event(f"i{number}", number % 60) for number in range(1452)))
    place.run("shred")
    assert len(place.rows("raw")) == 1452


def test_commands_that_cannot_be_run(place: Place) -> None:
    """A broken installation is no surprise to the program."""
    place.events(DAY, event("a", 1))
    (place.folder / "bin" / "xdmod-shredder").write_text("#!/nonexistent/php\n")
    assert "cannot be run" in place.fails(2, "shred")
    assert in_folder(place, "claimed", "events") == [DAY]


def test_commands_of_the_path(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder in the configuration, the commands are those of PATH."""
    place.bin_from_path(monkeypatch)
    place.events(DAY, event("a", 1))
    place.run("shred")
    assert len(place.rows("raw")) == 1


def test_realms_that_xdmod_does_not_have(place: Place) -> None:
    """XDMoD ends with 0 and does nothing: that is not taken for success."""
    place.events(DAY, event("a", 1))
    place.run("shred")
    place.fault("realm not enabled")
    assert "no resource of that realm" in place.fails(2, "ingest")
    assert in_folder(place, "shredded", "events") == [DAY]
    place.run("ingest")
    assert len(place.rows("aggregated")) == 1


def test_one_kind_that_fails_does_not_hold_up_another(place: Place) -> None:
    """Jobs are ingested although the cloud's data cannot be."""
    place.events(DAY, event("a", 1))
    place.jobs(DAY, job(1))
    place.run("shred")
    place.foreign_project()
    assert "staging_pi_to_project" in place.fails(2, "ingest")
    assert [row[0] for row in place.rows("aggregated")] == ["job"]
    assert in_folder(place, "shredded", "events") == [DAY]
    place.resources(CLOUD, CLUSTER, "elsewhere")
    place.run("ingest")
    assert sorted(row[0] for row in place.rows("aggregated")) == ["cloud", "job"]


def test_what_was_ingested_is_added_up_whenever_that_succeeds(place: Place) -> None:
    """The time that aggregation goes by is from before the ingest, however long ago that was."""
    place.events(DAY, event("a", 1))
    place.run("shred")
    place.fault("kill all at ingestor begins aggregating")
    assert place.killed("ingest")
    place.ago(hours=3)
    place.run("ingest")
    assert len(place.rows("aggregated")) == 1
    assert not (place.outbox / ".pending.json").exists()


def test_a_damaged_list_of_what_is_left(place: Place) -> None:
    """It says what to do instead of forgetting."""
    place.put(".pending.json", "{")
    assert "xdmod-cloud ingest --from DAY" in place.fails(2, "ingest")


def test_past_days_once_more(place: Place) -> None:
    """In chunks of a month, up to today, and after a failure from there on."""
    told = place.json("ingest", "--from", "2026-08-01")["ingested"]["again"]
    starts = [words[2] for words in place.calls("xdmod-ingestor")]
    assert starts[:3] == ["2026-08-01", "2026-09-01", "2026-10-02"]
    assert told[0] == ["2026-08-01", "2026-08-31"]
    place.fault("away in xdmod-ingestor", 6)
    place.fails(75, "ingest", "--from", "2026-08-01")
    before = len(place.calls("xdmod-ingestor"))
    place.run("ingest")
    assert place.calls("xdmod-ingestor")[before][2] == "2026-08-01"


def test_one_at_a_time(place: Place) -> None:
    """While a command of XDMoD is still at work, even one whose caller was killed, nobody begins another."""
    place.events(DAY, event("a", 1))
    place.fault("slow at shredder ends")
    place.fault("kill at shredder begins")
    assert place.killed("shred", orphans=True)
    assert "still at work" in place.fails(75, "shred")


def test_one_at_a_time_on_several_hosts(tmp_path: Path, mariadb: MariaDB) -> None:
    """Whoever has the same ledger has the same XDMoD, wherever the outbox is."""
    ledger = f'[ledger]\nurl = "{mariadb.url(mariadb.database())}"'
    here, there = (Place(tmp_path / name, settings=ledger) for name in ("here", "there"))
    opened, configuration = here.site.opened()
    there.events(DAY, event("a", 1))
    with Commands.alone(configuration.xdmod, here.outbox, opened):
        assert "Another xdmod-cloud" in there.fails(75, "shred")
    there.run("shred")


def test_the_archive_on_another_file_system(place: Place) -> None:
    """Files are copied there whole before they go from the outbox."""
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == place.folder.stat().st_dev:
        pytest.skip("There is no second file system at /dev/shm")
    with place.archive_in(other) as archive:
        place.events(DAY, event("a", 1))
        before = place.files()
        place.run("shred")
        place.run("ingest")
        assert place.files() == {}
        assert [path.read_bytes() for path in archive.rglob("*.json")] == list(before.values())
