"""Lines that XDMoD's commands print, and what they are taken for."""

import pytest

from operations.xdmod.rules import Meaning, read

AGAIN, CONFIGURATION, DATA = Meaning.AGAIN, Meaning.CONFIGURATION, Meaning.DATA
CASES = [
    ("SQLSTATE[HY000]: General error: 1205 Lock wait timeout exceeded; try restarting transaction", AGAIN),
    ("SQLSTATE[HY000]: General error: 2006 MySQL server has gone away", AGAIN),
    ("SQLSTATE[HY000]: General error: 2013 Lost connection to MySQL server during query", AGAIN),
    ("SQLSTATE[40001]: Serialization failure: 1213 Deadlock found when trying to get lock", AGAIN),
    ("Failed to create database connection: SQLSTATE[HY000] [2002] Connection refused", AGAIN),
    ("SQLSTATE[08004] [1040] Too many connections", AGAIN),
    ("ERROR 2002 (HY000): Can't connect to server on 'localhost' (115)", AGAIN),
    ("Failed to create database connection: SQLSTATE[HY000] [1045] Access denied for user 'xdmod'", CONFIGURATION),
    ("SQLSTATE[42000]: Syntax error or access violation: 1142 INSERT command denied to user", CONFIGURATION),
    ("Failed to create shredder: No config found for 'kaizen' in 'resources.json'", CONFIGURATION),
    ("SQLSTATE[23000]: Integrity constraint violation: 1452 Cannot add or update a child row", CONFIGURATION),
    ("sh: 1: jq: not found", CONFIGURATION),
    ("2026-10-05 01:00:00 [notice] Cloud realm not enabled, not aggregating", CONFIGURATION),
    ("2026-10-05 01:00:00 [warning] Record 7: String value found, but an integer is required", DATA),
    ("SQLSTATE[23000]: Integrity constraint violation: 1048 Column 'event_type' cannot be null", DATA),
    ("Failed to shred line 3 of file a.log \"jq not found\": Malformed Slurm sacct line: 'jq not found'", DATA),
    ("2026-10-05 01:00:00 [warning] Unexpected number of fields (1452) in row: a,b", DATA),
    ("2026-10-05 01:00:00 [warning] Skipping unknown hierarchy abbreviation '99'", DATA),
    ("2026-10-05 01:00:00 [info] Rolling back database transaction", DATA),
    ("2026-10-05 01:00:00 [warning] Warning 1048 Column 'start_date_ts' cannot be null", None),
    ("2026-10-05 01:00:00 [info] Found 1452 records", None),
    ("2026-10-05 01:00:00 [notice] Shredded 2006 records", None),
    ("2026-10-05 01:00:00 [info] Committing database transaction", None),
    ("2026-10-05 01:00:00 [notice] Shredding file '/outbox/1205/2013-10-05.log'", None),
]


@pytest.mark.parametrize(("line", "meaning"), CASES)
def test_a_line(line: str, meaning: Meaning | None) -> None:
    """Whatever the exit code says."""
    said = read(["2026-10-05 01:00:00 [notice] start", line, "2026-10-05 01:00:01 [notice] end"], 0)
    assert said.fault is meaning
    assert bool(said.why) == (meaning is not None)


def test_a_lock_beside_skipped_records() -> None:
    """What may go away by itself is tried again before anybody is called."""
    lines = [line for line, meaning in CASES if meaning in (AGAIN, DATA)]
    assert read(lines, 1).fault is AGAIN


@pytest.mark.parametrize(
    "line",
    [
        "2026-10-05 01:00:00 [notice] Storage realm not enabled, not aggregating",
        "2026-10-05 01:00:00 [notice] No cloud event data to ingest",
    ],
)
def test_what_xdmod_does_not_have(line: str) -> None:
    """Nobody who asks for all that there is asks for that; whoever asks for it by name is told."""
    assert read([line], 0, everything=True).fault is None
    assert read([line], 0).fault is CONFIGURATION
    assert read([line, "SQLSTATE[HY000]: General error: 1205 Lock wait"], 1, everything=True).fault is AGAIN


def test_an_exit_code_that_nothing_explains() -> None:
    """The last error that was printed is all that can be told."""
    said = read(["[critical] Something else", "#0 {main}"], 3)
    assert (said.fault, said.why) == (DATA, "it ended with exit code 3 ([critical] Something else)")
    assert "said nothing" in read([], 1).why


def test_xdmods_own_configuration_is_no_fault_of_a_file() -> None:
    """Its list of types of allocation does not fit its schema; a record of a file that does not fit counts."""
    skipped = "2026-10-05 01:00:00 [warning] Record 1: NULL value found, but a string is required"
    own = [
        "2026-10-05 01:00:00 [notice] Start processing section 'xdmod.ingest-resources'",
        skipped,
        "2026-10-05 01:00:00 [notice] Finished processing section 'xdmod.ingest-resources'",
    ]
    assert (read(own, 0).fault, read(own, 0).skipped) == (None, 0)
    told = read([*own, skipped], 0)
    assert (told.fault, told.skipped) == (DATA, 1)


def test_what_xdmods_check_finds_missing_is_a_warning() -> None:
    """It ends with 0."""
    said = read([" OK       MySQL command line client installed", " NOT OK   Chromium configured"], 0)
    assert said.fault is None
    assert len(said.warnings) == 1
    assert "NOT OK Chromium configured" in said.warnings[0]
