"""What a site's file may not say, though each value is well formed: clashes, unknown names, what has no effect."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from ledger import ConfigurationError
from operations.init.installation import Installation
from operations.init.secrets import secret_of
from operations.init.site import Capacity, Faulty, Read, Resource

__all__ = ["check"]

#: So many characters of a resource's code tell jobs apart. Source: the key of XDMoD's job tables.
_CODE = 20


class _Said(NamedTuple):
    """Where something is wrong, and what."""

    where: tuple[str | int, ...]
    said: str


def check(read: Read, installation: Installation) -> None:
    """Raise Faulty with everything that this XDMoD would not understand, or pass over."""
    faults = [
        read.fault(*one)
        for rule in (_accounts, _secrets, _logo, _codes, _resources, _capacities)
        for one in rule(read, installation)
    ]
    if faults:
        raise Faulty(read.file, faults)


def _accounts(read: Read, _: Installation) -> Iterator[_Said]:
    """Each account has one task, and none is the administrator's."""
    database = read.site.database
    users: dict[str, tuple[str | int, ...]] = {}
    for where, account in (
        (("database", "user"), database.user),
        (("database", "ledger", "user"), database.ledger and database.ledger.user),
        (("database", "reader", "user"), database.reader and database.reader.user),
    ):
        if account in users:
            yield _Said(where, f"{account} is the account of {'.'.join(map(str, users[account]))}; choose another")
        if account == "root" or (database.administrator and account == database.administrator.user):
            yield _Said(where, f"{account} administers the server; choose an account for this alone")
        if account:
            users[account] = where
    far = database.host != "localhost"
    if database.socket and far:
        yield _Said(("database", "socket"), f"it has no effect: {database.host} is not localhost")
    if database.administrator and database.administrator.password is None and (far or not database.socket):
        yield _Said(("database", "administrator"), 'the key "password" is missing; only a socket is without one')


def _secrets(read: Read, _: Installation) -> Iterator[_Said]:
    """The accounts that are used every day; the others' secrets are asked for when they are needed."""
    database = read.site.database
    for where, secret in (
        (("database", "password"), database.password),
        (("database", "ledger", "password"), database.ledger and database.ledger.password),
        (("database", "reader", "password"), database.reader and database.reader.password),
    ):
        try:
            if secret:
                secret_of(secret, read.file.parent, "it")
        except ConfigurationError as error:
            yield _Said(where, str(error).removeprefix("it: "))


def _logo(read: Read, _: Installation) -> Iterator[_Said]:
    if read.site.site.logo_width and not read.site.site.logo:
        yield _Said(("site", "logo_width"), "it has no effect without logo")


def _codes(read: Read, installation: Installation) -> Iterator[_Said]:
    """Codes and names are keys, of which jobs keep a part only."""
    listed = read.site.resources
    for key in ("resource", "name"):
        for number, value in _twice([getattr(one, key) for one in listed]):
            yield _Said(("resources", number, key), f'"{value}" stands twice')
    jobs = [(n, one.resource) for n, one in enumerate(listed) if "Jobs" in installation.realms(one.resource_type)]
    for number, _value in _twice([code[:_CODE] for _, code in jobs]):
        where, code = jobs[number]
        if (where, code) not in [(n, value) for n, value in _twice([one.resource for one in listed])]:
            said = f'XDMoD tells the jobs of resources apart by {_CODE} characters, and another begins like "{code}"'
            yield _Said(("resources", where, "resource"), said)


def _twice(values: Sequence[str]) -> Iterator[tuple[int, str]]:
    return ((n, value) for n, value in enumerate(values) if value in values[:n])


def _resources(read: Read, installation: Installation) -> Iterator[_Said]:
    for number, one in enumerate(read.site.resources):
        for key, said in _of_resource(one, installation):
            yield _Said(("resources", number, key), said)


def _of_resource(one: Resource, installation: Installation) -> Iterator[tuple[str, str]]:
    kinds, allocations = installation.types, installation.allocations
    if one.resource_type not in kinds:
        yield "resource_type", _unknown(one.resource_type, kinds)
    elif "Jobs" not in installation.realms(one.resource_type):
        for key in ("shared_jobs", "pi_column"):
            if getattr(one, key) is not None:
                yield key, f"it has no effect: a resource of type {one.resource_type} has no jobs"
    if one.resource_allocation_type is not None:
        if not installation.is_11:
            yield "resource_allocation_type", f"it has no effect in XDMoD {installation.version}"
        elif one.resource_allocation_type not in allocations:
            yield "resource_allocation_type", _unknown(one.resource_allocation_type, allocations)
    if one.timezone is not None and one.timezone not in available_timezones():
        yield "timezone", f'"{one.timezone}" is no time zone that the IANA\'s database knows'


def _unknown(value: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    alike = [name for name in known if name.lower() == value.lower()]
    return f'XDMoD has no "{value}" (it has: {", ".join(alike or known)})'


def _capacities(read: Read, installation: Installation) -> Iterator[_Said]:
    for number, one in enumerate(read.site.resources):
        if one.capacity is None:
            continue
        where = ("resources", number, "capacity")
        if not installation.is_11:
            yield _Said(where, f"it is written for XDMoD 11, and this is {installation.version}")
        elif one.resource_type in installation.types and not installation.computes(one.resource_type):
            yield _Said(where, f"it has no effect: a resource of type {one.resource_type} does not compute")
        yield from (_Said((*where, *more), said) for more, said in _spans(one.capacity))


def _spans(spans: Sequence[Capacity]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    days: list[tuple[date, date | None]] = []
    for number, span in enumerate(spans):
        ends = list[date]()
        for key in ("start_date", "end_date"):
            try:
                if (text := getattr(span, key)) is not None:
                    ends.append(date.fromisoformat(text))
            except ValueError:
                yield (number, key), f'"{text}" is no day of the calendar'
                return
        if len(ends) > 1 and ends[1] < ends[0]:
            yield (number, "end_date"), "it is before start_date"
        days.append((ends[0], ends[1] if len(ends) > 1 else None))
    for number, ((_, end), (start, _)) in enumerate(pairwise(days)):
        if end is None:
            yield (number,), 'the key "end_date" is missing: only the last span may last'
        elif start <= end:
            yield (number + 1, "start_date"), f"the span before it ends on {end}"
