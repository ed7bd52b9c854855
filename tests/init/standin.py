"""What XDMoD's own set-up does to its databases, as far as anybody looks: run in place of php, acl-config and others.

Goes by portal_settings.ini and the JSON files beside it, as XDMoD does, and by its account alone. Calls are noted in
the file that STANDIN_NOTES names, and faults taken from there.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pymysql

STATE = Path(os.environ["STANDIN_NOTES"])
TABLES = """
CREATE TABLE IF NOT EXISTS moddb.Users (id INT AUTO_INCREMENT PRIMARY KEY, username VARCHAR(200), password VARCHAR(255),
    email_address VARCHAR(200), first_name VARCHAR(50), last_name VARCHAR(50));
CREATE TABLE IF NOT EXISTS moddb.modules (name VARCHAR(255) PRIMARY KEY);
CREATE TABLE IF NOT EXISTS moddb.group_bys (name VARCHAR(255) PRIMARY KEY);
CREATE TABLE IF NOT EXISTS moddb.resource_type_realms (abbrev CHAR(10), realm CHAR(99), PRIMARY KEY (abbrev, realm));
CREATE TABLE IF NOT EXISTS modw.years (year INT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS modw.organization (id INT PRIMARY KEY, name VARCHAR(300), abbrev CHAR(100)) CHARSET latin1;
CREATE TABLE IF NOT EXISTS modw.resourcetype (id INT AUTO_INCREMENT PRIMARY KEY, abbrev CHAR(10) UNIQUE);
CREATE TABLE IF NOT EXISTS modw.resourcefact (code VARCHAR(64) PRIMARY KEY, name VARCHAR(200), resourcetype_id INT,
    shared_jobs INT, timezone VARCHAR(30)) CHARSET latin1;
CREATE TABLE IF NOT EXISTS mod_shredder.staging_resource (id INT);
CREATE TABLE IF NOT EXISTS mod_hpcdb.hpcdb_resources (id INT);
CREATE TABLE IF NOT EXISTS mod_logger.log_table (id INT);
"""
#: Which tables come with which pipeline.
PIPELINES = {
    "xdb-bootstrap": ("moddb.Users",),
    "jobs-xdw-bootstrap": ("modw.",),
    "xdw-bootstrap-storage": (),
    "shredder-bootstrap": ("mod_shredder.",),
    "staging-bootstrap": (),
    "hpcdb-bootstrap": ("mod_hpcdb.",),
    "acls-xdmod-management": ("moddb.modules", "moddb.group_bys", "moddb.resource_type_realms"),
    "logger-bootstrap": ("mod_logger.",),
}


def main(program: str, words: list[str]) -> int:
    state = json.loads(STATE.read_text())
    configuration = Path(state["configuration"])
    state["calls"].append([program, *words[2:]])
    fault = state["faults"].pop(" ".join(state["calls"][-1][:4]), None)
    STATE.write_text(json.dumps(state))
    if fault:
        print(fault)
        return 0 if "quietly" in fault else 1
    if program == "xdmod-check-config":
        print(" OK       PHP version must be at least 5.4.0\n NOT OK   Chromium configured")
        return 0
    with connected(configuration) as connection, connection.cursor() as cursor:
        if program == "acl-config":
            cursor.execute("INSERT IGNORE INTO moddb.modules VALUES ('xdmod')")
            cursor.execute("INSERT IGNORE INTO moddb.group_bys SELECT DISTINCT realm FROM moddb.resource_type_realms")
        else:
            assert Path(words[1]).is_file(), "the linker"
            assert Path(words[2]).samefile(configuration)
            STEPS[words[3]](cursor, configuration, words[4:])
    return 0


def connected(configuration: Path) -> Any:
    """XDMoD's account, as portal_settings.ini has it."""
    said: dict[str, dict[str, str]] = {}
    section = ""
    for line in (configuration / "portal_settings.ini").read_text().splitlines():
        if head := re.match(r"\[(\w+)\]", line):
            section = head[1]
        elif pair := re.match(r'(\w+) = "(.*)"$', line):
            said.setdefault(section, {})[pair[1]] = pair[2]
    ((host, user, password),) = {
        (part["host"], part["user"], part["pass"]) for part in said.values() if "db_engine" in part
    }
    socket = os.environ["STANDIN_SOCKET"]
    return pymysql.connect(host=host, user=user, password=password, unix_socket=socket, autocommit=True)


def pipeline(cursor: Any, configuration: Path, words: list[str]) -> None:
    (name,) = words
    if name in PIPELINES:
        for statement in filter(str.strip, TABLES.split(";")):
            if re.search(r"EXISTS (\S+)", statement)[1].startswith(PIPELINES[name] or ("-",)):  # type: ignore[index]
                cursor.execute(statement)
        return
    INGEST[name](cursor, configuration)


def organizations(cursor: Any, configuration: Path) -> None:
    said = json.loads((configuration / "organization.json").read_text())
    cursor.execute("REPLACE INTO modw.organization VALUES (1, %s, %s)", (said["name"], said["abbrev"]))


def types(cursor: Any, configuration: Path) -> None:
    for name in json.loads((configuration / "resource_types.json").read_text())["resource_types"]:
        cursor.execute("INSERT IGNORE INTO modw.resourcetype (abbrev) VALUES (%s)", (name,))


def resources(cursor: Any, configuration: Path) -> None:
    print("2026-10-05 12:00:00 [warning] Record 1: NULL value found, but a string is required", flush=True)
    realms = json.loads((configuration / "resource_types.json").read_text())["resource_types"]
    cursor.execute("SELECT 1 FROM moddb.modules")
    assert cursor.fetchall(), "1452 Cannot add or update a child row: a foreign key constraint fails (moddb.realms)"
    for one in json.loads((configuration / "resources.json").read_text()):
        kind, shared, zone = one.get("resource_type"), bool(one.get("shared_jobs")), one.get("timezone", "UTC")
        found = "(SELECT id FROM modw.resourcetype WHERE abbrev = %s)"
        named = f"REPLACE INTO modw.resourcefact SELECT %s, %s, {found}, %s, %s"
        cursor.execute(named, (one["resource"], one["name"], kind, shared, zone))
        for realm in realms[one["resource_type"]]["realms"]:
            cursor.execute(
                "INSERT IGNORE INTO moddb.resource_type_realms VALUES (%s, %s)", (one["resource_type"], realm)
            )


def periods(cursor: Any, _: Path, words: list[str]) -> None:
    assert not words
    cursor.execute("TRUNCATE modw.years")
    cursor.executemany("INSERT INTO modw.years VALUES (%s)", [(year,) for year in range(2000, 2039)])


def administrator(cursor: Any, _: Path, words: list[str]) -> None:
    kind, where, user, first, last, email = words
    password = (Path(where).read_text() if kind == "file" else os.environ[where]).rstrip("\r\n")
    hashed = hashlib.sha256(password.encode()).hexdigest()
    cursor.execute("SELECT 1 FROM moddb.Users WHERE username = %s OR email_address = %s", (user, email))
    assert not cursor.fetchall(), "such a user exists"
    named = "INSERT INTO moddb.Users (username, password, email_address, first_name, last_name)"
    cursor.execute(f"{named} VALUES (%s, %s, %s, %s, %s)", (user, hashed, email, first, last))


STEPS = {"pipeline": pipeline, "periods": periods, "administrator": administrator}
INGEST = {"ingest-organizations": organizations, "ingest-resource-types": types, "ingest-resources": resources}

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).name, sys.argv[2:]))
