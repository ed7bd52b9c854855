"""XDMoD's commands, as they were measured to behave: what they take, what they print, and what they leave undone.

Run under the name of one of them. State is in the SQLite file that XDMOD_STANDIN names; beside it lies resources.json.
"""

import json
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

TABLES = """
CREATE TABLE IF NOT EXISTS fault (name TEXT PRIMARY KEY, times INTEGER);
CREATE TABLE IF NOT EXISTS call (program TEXT, words TEXT, at TEXT);
CREATE TABLE IF NOT EXISTS raw (
    resource, instance, at, type, host, body, PRIMARY KEY (resource, instance, at, type, host)
);
CREATE TABLE IF NOT EXISTS host (resource, name, day, vcpus, memory, PRIMARY KEY (resource, name, day));
CREATE TABLE IF NOT EXISTS slurm (id INTEGER PRIMARY KEY, resource, job, ends, line, UNIQUE (resource, job, ends));
CREATE TABLE IF NOT EXISTS passed_on (id INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS usage (resource, dt, person, body, PRIMARY KEY (resource, dt, person));
CREATE TABLE IF NOT EXISTS fact (realm, key, body, modified, PRIMARY KEY (realm, key));
CREATE TABLE IF NOT EXISTS aggregated (realm, key, body, PRIMARY KEY (realm, key));
CREATE TABLE IF NOT EXISTS imported (type, key, line, PRIMARY KEY (type, key));
CREATE TABLE IF NOT EXISTS person (key);
CREATE TABLE IF NOT EXISTS acl (runs INTEGER);
"""
EVENT_FILE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.json")
FACT_FILE = re.compile(r"hypervisor_facts_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.json")
#: What XDMoD's schema says of an event's fields; others are not looked at.
STRINGS = frozenset(
    {
        *("disk_gb", "ephemeral_gb", "event_type", "generated", "host", "instance_id", "instance_type", "launched_at"),
        *("message_id", "project_id", "project_name", "request_id", "resource_id", "service", "state", "tenant_id"),
        *("user_id", "volume_id", "domain"),
    }
)
INTEGERS = frozenset(["vcpus", "memory_mb", "root_gb", "instance_type_id"])
FINAL = frozenset(["BOOT_FAIL", "CANCELLED", "COMPLETED", "FAILED", "NODE_FAIL", "PREEMPTED", "TIMEOUT", "REVOKED"])
LEVELS = {"critical": 2, "error": 3, "warning": 4, "notice": 5, "info": 6}
LOCKED = "SQLSTATE[HY000]: General error: 1205 Lock wait timeout exceeded; try restarting transaction"
GONE = "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away"
DEADLOCK = "SQLSTATE[40001]: Serialization failure: 1213 Deadlock found when trying to get lock"
AWAY = "SQLSTATE[HY000] [2002] Connection refused"
NO_KEY = "SQLSTATE[23000]: Integrity constraint violation: 1048 Column '{}' cannot be null"
FOREIGN = (
    "SQLSTATE[23000]: Integrity constraint violation: 1452 Cannot add or update a child row: a foreign key constraint"
    " fails (`modw_cloud`.`account`)"
)
TRANSIENT = {"locked": LOCKED, "gone": GONE, "deadlock": DEADLOCK, "away": AWAY}


class Program:
    """One call of one command."""

    def __init__(self, name: str, words: list[str]) -> None:
        self.name, self.words = name, words
        self.level = 6 if "-v" in words else 4 if "-q" in words else 5
        self.state = Path(os.environ["XDMOD_STANDIN"])
        self.db = sqlite3.connect(self.state, isolation_level=None, timeout=30)
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.executescript(TABLES)
        self.db.execute("INSERT INTO call VALUES (?, ?, ?)", (name, json.dumps(words), now()))

    def say(self, level: str, text: str) -> None:
        if LEVELS[level] <= self.level:
            print(f"{now()} [{level}] {text}", flush=True)

    def die(self, text: str) -> NoReturn:
        self.say("critical", text)
        sys.exit(1)

    def option(self, flag: str) -> str:
        for place, word in enumerate(self.words):
            if word == flag:
                return self.words[place + 1]
            if word.startswith(f"{flag}="):
                return word.removeprefix(f"{flag}=")
        return ""

    def fault(self, name: str) -> bool:
        """Whether a fault is due now; it is so as often as was asked for."""
        changed = self.db.execute("UPDATE fault SET times = times - 1 WHERE name = ? AND times > 0", (name,))
        return changed.rowcount > 0

    def step(self, where: str) -> None:
        """A moment at which whoever called may be killed, or at which a call may last."""
        caller = int(os.environ.get("XDMOD_STANDIN_CALLER", 0))
        if self.fault(f"kill at {where}"):
            os.kill(caller, signal.SIGKILL)
        if self.fault(f"kill all at {where}"):
            for process in dict.fromkeys([caller, os.getppid(), os.getpid()]):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        if self.fault(f"slow at {where}"):
            time.sleep(1)
        if self.fault(f"deaf at {where}"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self.fault(f"hang at {where}"):
            # What it has begun hangs, too, and holds all that it holds.
            os.fork()
            time.sleep(600)

    def transient(self, prefix: str) -> None:
        for name, text in TRANSIENT.items():
            if self.fault(f"{name} in {prefix}") or self.fault(f"{name} in {self.name}"):
                self.die(f"{prefix}: {text}")

    @property
    def resources(self) -> dict[str, dict[str, str]]:
        listed = json.loads((self.state.parent / "resources.json").read_text())
        return {one["resource"]: one for one in listed}


def now() -> str:
    """The local time, as a database tells it."""
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"


def shredder(it: Program) -> None:
    form, folder, resource = it.option("-f"), Path(it.option("-d")), it.option("-r")
    if it.fault("away in xdmod-shredder"):
        it.die(f"Failed to create database connection: {AWAY}")
    if resource not in it.resources:
        it.die(f"Failed to create shredder: No config found for '{resource}' in 'resources.json'")
    if not folder.is_absolute() or not folder.is_dir():
        it.die(f"'{folder}' is not a directory")
    it.step("shredder begins")
    it.transient("Failed to shred files")
    if form == "openstack":
        look_at_resources(it)
    {"openstack": events, "cloudresourcespecs": facts, "slurm": jobs, "storage": storage}[form](it, folder, resource)
    it.step("shredder ends")
    it.say("notice", "xdmod-shredder end")


def look_at_resources(it: Program) -> None:
    """XDMoD 11.0.4 does not accept its own types of allocation, each time."""
    it.say("notice", "Start processing section 'xdmod.ingest-resources'")
    for number in range(1, 5):
        it.say("warning", f"Record {number}: NULL value found, but a string is required")
    it.say("notice", "Finished processing section 'xdmod.ingest-resources'")


def found(it: Program, folder: Path, names: re.Pattern[str]) -> Iterator[tuple[Path, Any]]:
    """The files that are read, in no order, one level of folders deep, each as it is decoded."""
    inside = [entry.path for entry in os.scandir(folder)]
    deeper = [entry.path for path in inside if Path(path).is_dir() for entry in os.scandir(path)]
    for path in map(Path, inside + deeper):
        if path.is_file() and names.search(path.name):
            it.say("info", f"Scanning file: {path}")
            body = path.read_bytes()
            try:
                yield path, json.loads(body) if body else []
            except ValueError:
                it.die(f"Failed to shred files: Error decoding JSON from '{path}'")


def events(it: Program, folder: Path, resource: str) -> None:
    twice = it.fault("the first file is looked at twice")
    for path, told in found(it, folder, EVENT_FILE):
        if twice and isinstance(told, list):
            # What it found out is printed each time.
            twice = False
            it.say("info", f"Found {len(told)} records")
            it.say("info", f"Scanning file: {path}")
        if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
            it.die(f"Failed to shred files: '{path}' holds no array of objects")
        fit = []
        for number, record in enumerate(told, 1):
            if why := unfit(record):
                it.say("warning", f"Record {number}: {why}")
            else:
                fit.append(record)
        it.say("info", f"Found {len(fit)} records")
        for record in fit:
            missing = next((key for key in ("event_type", "generated") if key not in record), None)
            if missing:
                it.die(f"Failed to shred files: Error inserting data. {NO_KEY.format(missing)}")
            key = (record["instance_id"], record["generated"], record["event_type"], record.get("host", ""))
            row = (resource, *key, json.dumps(record, sort_keys=True))
            it.db.execute("INSERT OR REPLACE INTO raw VALUES (?, ?, ?, ?, ?, ?)", row)
            it.step("an event")


def unfit(record: dict[str, Any]) -> str:
    for key, value in record.items():
        kind = type(value).__name__.replace("str", "String").replace("NoneType", "NULL")
        if key in STRINGS and not isinstance(value, str):
            return f"{kind} value found, but a string is required"
        if key in INTEGERS and not whole(value):
            return f"{kind} value found, but an integer is required"
    return ""


def whole(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and float(value).is_integer()
    except (TypeError, ValueError):
        return False


def facts(it: Program, folder: Path, resource: str) -> None:
    for _path, told in found(it, folder, FACT_FILE):
        it.say("info", f"Found {len(told['hypervisors'])} records")
        for one in told["hypervisors"]:
            if "vcpus" not in one or "memory_mb" not in one:
                it.die(f"Failed to shred files: {NO_KEY.format('vcpus')}")
            row = (resource, one["hypervisor_hostname"], told["ts"][:10], one["vcpus"], one["memory_mb"])
            it.db.execute("INSERT OR REPLACE INTO host VALUES (?, ?, ?, ?, ?)", row)


def jobs(it: Program, folder: Path, resource: str) -> None:
    """Each file is a transaction; only at the end of a call are its new rows passed on."""
    before = it.db.execute("SELECT COALESCE(MAX(id), 0) FROM slurm").fetchone()[0]
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if not path.is_file():
            it.say("error", f"'{path}' is not a file")
            continue
        it.db.execute("BEGIN IMMEDIATE")
        lines, doubled = [line for line in path.read_text().splitlines() if line], 0
        for number, line in enumerate(lines, 1):
            fields = line.split("|", 25)
            if len(fields) < 26:
                it.db.execute("ROLLBACK")
                said = f"Failed to shred line {number} of file {path} \"{line}\": Malformed Slurm sacct line: '{line}'"
                it.die(f"Failed to shred files: {said}")
            if fields[16].split()[0] not in FINAL:
                it.say(
                    "warning", f'Found job with unknown state "{fields[16]}", all jobs with this state will be ignored'
                )
                continue
            row = (resource, fields[0], fields[13], line)
            try:
                it.db.execute("INSERT INTO slurm (resource, job, ends, line) VALUES (?, ?, ?, ?)", row)
            except sqlite3.IntegrityError:
                doubled += 1
        it.db.execute("COMMIT")
        it.step("jobs are committed")
        it.say("notice", f"Shredded {len(lines)} records")
        if doubled:
            it.say("info", f"Skipped {doubled} duplicate records")
    it.say("notice", "Shredded 1 files")
    it.say("notice", "Shredded 1 records total")
    if it.fault("job errors"):
        log = it.state.with_name("xdmod_shredder_job_errors-1")
        log.write_text("=====\n\nInput:\n1|1\n\nFound 0 start time.\n\nInput:\n2|2\n\nFound 0 end time.\n")
        it.say("notice", f"Job errors written to '{log}'")
    it.transient("Ingestion failed")
    it.db.execute("INSERT INTO passed_on SELECT id FROM slurm WHERE id > ?", (before,))


def storage(it: Program, folder: Path, _: str) -> None:
    for _path, told in found(it, folder, re.compile(r"\.json$")):
        it.say("info", f"Found {len(told)} records")
        for one in told:
            row = (one["resource"], one["dt"], one["user"], json.dumps(one, sort_keys=True))
            it.db.execute("INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?)", row)


#: Where the facts of a realm come from: key, body.
REALMS = {
    "cloud": "SELECT resource || instance || at || type || host, body FROM raw",
    "resourcespecs": "SELECT resource || name || day, vcpus || '/' || memory FROM host",
    "job": "SELECT resource || job || ends, line FROM slurm JOIN passed_on USING (id)",
    "storage": "SELECT resource || dt || person, body FROM usage",
}
PHASES = {
    "--datatype=openstack": ("cloud", "resourcespecs"),
    "--datatype=storage": ("storage",),
    "--ingest-shredded": (),
    "--ingest-staging": (),
    "--ingest-hpcdb": ("job",),
}


def ingestor(it: Program) -> None:
    realm, since = it.option("--aggregate"), it.option("--last-modified-start-date")
    it.step(f"ingestor begins {'aggregating' if realm else 'ingesting'}")
    it.transient("Aggregation failed" if realm else "Ingestion failed")
    if realm:
        if it.fault("realm not enabled"):
            it.say("notice", "Cloud realm not enabled, not aggregating")
            return
        aggregate(it, realm, since or now())
        it.step("ingestor ends aggregating")
        return
    phases = [word for word in it.words if word in PHASES]
    again = it.option("--start-date")
    begun = now()
    for name in {realm for phase in phases or PHASES for realm in PHASES[phase]}:
        ingest(it, name, again=bool(again) and not phases)
    it.step("ingestor ends ingesting")
    it.db.execute("INSERT INTO acl VALUES (1)")
    if not phases:
        it.say("notice", "No cloud event data to ingest")
        for name in REALMS:
            aggregate(it, name, begun)
        if not any(one["resource_type"] == "Disk" for one in it.resources.values()):
            it.say("notice", "Storage realm not enabled, not aggregating")


def ingest(it: Program, realm: str, *, again: bool) -> None:
    if realm == "cloud":
        named = {line.split(",")[2].strip('"') for (line,) in rows(it, "cloud-project-to-pi")}
        if named - it.resources.keys():
            it.die(f"Ingestion failed: {FOREIGN}")
    known = dict(it.db.execute("SELECT key, body FROM fact WHERE realm = ?", (realm,)))
    for key, body in it.db.execute(REALMS[realm]).fetchall():
        # What has not changed is not touched, and not found by its time of change either.
        if again or known.get(key) != body:
            it.db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?, ?, ?)", (realm, key, body, now()))


def aggregate(it: Program, realm: str, since: str) -> None:
    chosen = "SELECT realm, key, body FROM fact WHERE realm = ? AND modified >= ?"
    it.db.execute(f"INSERT OR REPLACE INTO aggregated {chosen}", (realm, since))


def rows(it: Program, kind: str) -> list[tuple[str]]:
    return it.db.execute("SELECT line FROM imported WHERE type = ?", (kind,)).fetchall()


def import_csv(it: Program) -> None:
    """Whatever happens, it ends with 0."""
    kind, lines = it.option("-t"), Path(it.option("-i")).read_text().splitlines()
    wanted = {"hierarchy": 3, "group-to-hierarchy": 2, "names": 3, "cloud-project-to-pi": 3}[kind]
    nodes = {line.split(",")[0] for (line,) in rows(it, "hierarchy")}
    it.step(f"import of {kind} begins")
    odd = it.fault(f"odd row in {kind}")
    failed = next((text for name, text in TRANSIENT.items() if it.fault(f"{name} in {it.name}")), "")
    failed = failed or ("SQLSTATE[22001]: String data, right truncated: 1406" if it.fault("rollback") else "")
    it.db.execute("BEGIN IMMEDIATE")
    for line in lines:
        fields = line.split(",")
        if len(fields) != wanted or odd:
            it.say("warning", f"Unexpected number of fields ({len(fields)}) in row: {line}")
        elif kind == "group-to-hierarchy" and fields[1] not in nodes:
            it.say("warning", f"Skipping unknown hierarchy abbreviation '{fields[1]}'")
        else:
            key = fields[1] if kind == "cloud-project-to-pi" else fields[0]
            it.db.execute("INSERT OR REPLACE INTO imported VALUES (?, ?, ?)", (kind, key, line))
            if kind == "names":
                it.db.execute("INSERT INTO person VALUES (?)", (key,))
    if failed:
        it.say("error", failed)
        it.say("info", "Rolling back database transaction")
        it.db.execute("ROLLBACK")
        return
    it.db.execute("COMMIT")
    it.step(f"import of {kind} ends")
    it.say("info", "Committing database transaction")


def acl_config(it: Program) -> None:
    it.transient("acl-config")
    it.db.execute("INSERT INTO acl VALUES (1)")


PROGRAMS = {
    "xdmod-shredder": shredder,
    "xdmod-ingestor": ingestor,
    "xdmod-import-csv": import_csv,
    "acl-config": acl_config,
}

if __name__ == "__main__":
    program = Path(sys.argv[1]).name
    PROGRAMS[program](Program(program, sys.argv[2:]))
