"""What XDMoD's commands mean by what they print: their exit code says little of it.

Measured on Open XDMoD 11.0.4, or read in its programs.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from ledger.counts import counted

__all__ = ["RULES", "Meaning", "Rule", "Said", "read"]


class Meaning(IntEnum):
    """What a line means for the call; the lowest of all lines counts."""

    AGAIN = 1
    CONFIGURATION = 2
    DATA = 3
    WARNING = 4
    COUNT = 5


class Rule(NamedTuple):
    """Lines that match, what they mean, and what to tell the operator; of a count, what it counts.

    Where the pattern has a group, a count is its number; the count of lines otherwise.
    """

    pattern: re.Pattern[str]
    meaning: Meaning
    tell: str


def _rule(pattern: str, meaning: Meaning, tell: str) -> Rule:
    return Rule(re.compile(pattern), meaning, tell)


#: In the order of precedence: the first that matches a line is what it means.
RULES = (
    _rule(r"Malformed Slurm sacct line", Meaning.DATA, "a line has too few fields, and nothing of its file was taken"),
    _rule(
        r"SQLSTATE\[\w+\]:?( General error:)? \[?(1205|2006|2013)\b|Lock wait timeout exceeded|server has gone away",
        Meaning.AGAIN,
        "a lock was not to be had, or the connection to XDMoD's database was lost",
    ),
    _rule(
        r"SQLSTATE\[40001\]|1213 Deadlock",
        Meaning.AGAIN,
        "two transactions in XDMoD's database were in each other's way",
    ),
    _rule(
        r"SQLSTATE\[\w+\]:?( General error:)? \[?(1040|2002|2003|2005)\b",
        Meaning.AGAIN,
        "XDMoD's database does not answer",
    ),
    _rule(
        r"ERROR (1040|1205|1213|2002|2003|2005|2006|2013) \(",
        Meaning.AGAIN,
        "XDMoD's database does not answer its client, or a lock was not to be had",
    ),
    _rule(
        r"No config found for",
        Meaning.CONFIGURATION,
        "XDMoD's resources.json does not have the resource: add it with xdmod-setup, or correct resource in the"
        " configuration",
    ),
    _rule(
        r"1452 Cannot add|foreign key constraint fails",
        Meaning.CONFIGURATION,
        "something refers to what XDMoD does not know, mostly a project in modw_cloud.staging_pi_to_project to a"
        " resource that is not in resources.json: add the resource with xdmod-setup, or delete those rows",
    ),
    _rule(
        r"SQLSTATE\[\w+\]:?( [\w ]+:)? \[?(1044|1045|1049|1142|1143)\b",
        Meaning.CONFIGURATION,
        "XDMoD's own account may not do this in its database: correct portal_settings.ini, or the account's rights",
    ),
    _rule(
        r"\bjq\b.*not found|not found.*\bjq\b",
        Meaning.CONFIGURATION,
        "XDMoD reads event files with jq: install it on this host",
    ),
    _rule(
        r"Unexpected option|Class not found|Invalid realm",
        Meaning.CONFIGURATION,
        "this XDMoD does not know what it was asked for: 10.0 to 11.0 are supported",
    ),
    _rule(
        r"(Jobs|Cloud|Storage) realm not enabled",
        Meaning.CONFIGURATION,
        "XDMoD has no resource of that realm: correct the resource's type with xdmod-setup",
    ),
    _rule(
        r"No (OpenStack events|cloud event data) to ingest",
        Meaning.CONFIGURATION,
        "XDMoD's tables of events are not there: finish its set-up, then shred the files of shredded once more",
    ),
    _rule(
        r"is not a directory|is not readable|Permission denied",
        Meaning.CONFIGURATION,
        "XDMoD may not read the files: let its account read the outbox",
    ),
    _rule(r"\bRecord \d+: ", Meaning.DATA, "a record does not fit XDMoD's schema and was skipped"),
    _rule(
        r"(?<!Warning )1048 Column .* cannot be null",
        Meaning.DATA,
        "a record lacks a key that XDMoD needs; what follows is unread",
    ),
    _rule(
        r"Unexpected number of fields",
        Meaning.DATA,
        "a row of other columns than XDMoD wants was skipped",
    ),
    _rule(r"Skipping unknown hierarchy", Meaning.DATA, "a row names a node of the hierarchy that XDMoD does not have"),
    _rule(r"Found job with unknown state", Meaning.DATA, "jobs in a state that XDMoD does not know were skipped"),
    _rule(r"Job errors written to", Meaning.WARNING, "XDMoD corrected the times or cores of jobs as it saw fit"),
    _rule(r"Rolling back", Meaning.DATA, "everything was rolled back"),
    _rule(r"^ *NOT OK\b", Meaning.WARNING, "XDMoD's own check of its host found something missing"),
    _rule(r"Found (\d+) records", Meaning.COUNT, "read"),
    _rule(r"Shredded (\d+) records$", Meaning.COUNT, "read"),
    _rule(r"Skipped (\d+) duplicate records", Meaning.COUNT, "duplicates"),
)
#: Lines of which each is a record, or a row, that XDMoD has not.
_SKIPPED = re.compile(r"\bRecord \d+: |Unexpected number of fields|Skipping unknown hierarchy")
_SCANNING = re.compile(r"Scanning file: (.+)")
#: Where XDMoD reads its own list of resources, as it does at the beginning of each call that shreds for a cloud.
_OWN = re.compile(r"(Start|Finished) processing section 'xdmod\.ingest-resources'")
#: What it says of realms, and of kinds of cloud, that it does not have, whenever it is to ingest all that it has.
_ABSENT = re.compile(r"realm not enabled|No (OpenStack events|cloud event data) to ingest")
_JOB_ERRORS = re.compile(r"Job errors written to '(.+?)'")
_ERROR = re.compile(r"\[(error|critical|alert|emergency)\]", re.IGNORECASE)
_LONGEST = 300


class Said(Struct, frozen=True):
    """What a call of one of XDMoD's commands came to.

    `fault` is none where nothing is wrong; `why` is then empty. `read` is none where XDMoD did not say how many records
    it read.
    """

    fault: Meaning | None
    why: str
    read: int | None
    duplicates: int
    skipped: int
    warnings: list[str]


def read(lines: Sequence[str], code: int, *, everything: bool = False) -> Said:
    """Judge the lines that a command printed, and its exit code.

    With `everything`, it was to do all that there is, and nothing is wrong with what there is not.
    """
    lines = [line for line in _of_others(lines) if not (everything and _ABSENT.search(line))]
    found = [(rule, line) for line in lines if (rule := _rule_of(line))]
    counts = _counted(lines)
    # Of equal meaning, what stands first in the table tells most.
    told = sorted((rule.meaning, RULES.index(rule), f"{rule.tell} ({_short(line)})") for rule, line in found)
    faults = [(meaning, why) for meaning, _, why in told if meaning < Meaning.WARNING]
    error = next((line for line in reversed(lines) if _ERROR.search(line)), None)
    if code and not faults:
        last = error or next((line for line in reversed(lines) if line.strip()), "it said nothing")
        faults = [(Meaning.DATA, f"it ended with exit code {code} ({_short(last)})")]
    elif faults and error and error not in "\n".join(why for _, why in faults):
        faults[0] = faults[0][0], f"{faults[0][1]}; {_short(error)}"
    return Said(
        fault=faults[0][0] if faults else None,
        why=faults[0][1] if faults else "",
        read=counts.get("read"),
        duplicates=counts["duplicates"],
        skipped=counts["skipped"],
        warnings=[why + _job_errors(why) for meaning, _, why in told if meaning is Meaning.WARNING],
    )


def _of_others(lines: Sequence[str]) -> Iterator[str]:
    """The lines without XDMoD's warnings about records of its own configuration.

    Whenever it looks at its resources, 11.0.4 skips its own types of allocation, whose file lacks an abbreviation.
    """
    inside = False
    for line in lines:
        if match := _OWN.search(line):
            inside = match[1] == "Start"
        if not (inside and _SKIPPED.search(line)):
            yield line


def _rule_of(line: str) -> Rule | None:
    return next((rule for rule in RULES if rule.pattern.search(line)), None)


def _counted(lines: Sequence[str]) -> Counter[str]:
    """What was counted. XDMoD may look at a file more than once in a call; the last time counts."""
    of_file: dict[str, Counter[str]] = {}
    counts = of_file[""] = Counter()
    for line in lines:
        if match := _SCANNING.search(line):
            counts = of_file[match[1]] = Counter()
        elif _SKIPPED.search(line):
            counts["skipped"] += 1
        elif (rule := _rule_of(line)) and rule.meaning is Meaning.COUNT and (match := rule.pattern.search(line)):
            counts[rule.tell] += int(match[1])
    total: Counter[str] = Counter()
    for one in of_file.values():
        total.update(one)
    return total


def _job_errors(line: str) -> str:
    """How many jobs it was, which only the file tells whose name XDMoD prints."""
    match = _JOB_ERRORS.search(line)
    if match is None:
        return ""
    try:
        jobs = sum(1 for row in Path(match[1]).read_text(errors="replace").splitlines() if row == "Input:")
    except OSError:
        return ""
    return f": {counted(jobs, 'jobs')}"


def _short(line: str) -> str:
    text = " ".join(line.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
