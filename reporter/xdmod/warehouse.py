"""An XDMoD warehouse in MariaDB, read and never written: its sessions, jobs and storage facts, their dimensions, what
its resources had to give.

Everything comes from single records, those of the cloud from `modw_cloud.session_records`; nothing from the tables that
XDMoD aggregates into.
"""

import re
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import pymysql
from pymysql.cursors import SSCursor
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
)

from ledger import ConfigurationError, DataError, SourceUnavailable, XdmodCloudError
from usage import rules
from usage.statistics import (
    CLOUD,
    DIMENSIONS,
    JOBS,
    REALMS,
    STORAGE,
    UNITS,
    Attribute,
    Dimension,
    Period,
    Realm,
    Span,
    Unit,
    query,
)

__all__ = ["REPORTS", "VERSIONS", "Warehouse", "grants"]

_SESSIONS = "modw_cloud.session_records"
#: What of a session every version has and is read here.
_NEEDED = frozenset(
    {
        *("instance_id", "resource_id", "account_id", "person_id", "systemaccount_id", "fos_id"),
        *("start_time_ts", "end_time_ts", "start_day_id", "end_day_id", "start_event_type_id", "end_event_type_id"),
        *("instance_type", "instance_type_id", "num_cores", "memory_mb", "processorbucket_id", "memorybucket_id"),
        *("disk_gb", "submission_venue_id", "domain_id", "service_provider", "principalinvestigator_person_id"),
    }
)
#: XDMoD's versions by the columns that came with each. Source: its etl_tables.d/cloud_common/session_records.json.
VERSIONS = {
    "11.0": frozenset({"instance_state_id", "person_organization_id", "piperson_organization_id"}),
    "10.5": frozenset({"instance_state_id"}),
    "10.0": frozenset[str](),
}
#: Where capacities are: since 11.0 those of resource_specs.json, with their percent; before, those of hypervisors.
_SPECS = {"11.0": ("modw.resourcespecs", "modw.resource_allocated")}
_HOSTS = ("modw_cloud.cloud_resource_specs",)
#: What reports are made of, beside sessions.
REPORTS = {
    "usage": frozenset(
        {
            *("modw_cloud.account", "modw_cloud.domains", "modw_cloud.host", "modw_cloud.instance"),
            *("modw_cloud.instance_type", "modw.organization", "modw.piperson", "modw.resourcefact"),
            "modw.systemaccount",
        }
    ),
    "verify": frozenset(
        {
            *("modw_cloud.account", "modw_cloud.domains", "modw_cloud.host", "modw_cloud.instance"),
            *("modw_cloud.instance_type", "modw.fieldofscience_hierarchy", "modw.resourcefact", "modw.systemaccount"),
        }
    ),
    "jobs": frozenset(
        {
            *("mod_hpcdb.hpcdb_jobs", "mod_hpcdb.hpcdb_accounts", "mod_hpcdb.hpcdb_people", "mod_hpcdb.hpcdb_requests"),
            *("mod_hpcdb.hpcdb_principal_investigators", "mod_hpcdb.hpcdb_resources"),
        }
    ),
}
_ROWS_AT_ONCE = 10_000
#: How long a text may be that the database puts together, in bytes.
_LONGEST = 1 << 30
#: The end of what has none, in seconds since 1970.
_FOREVER = 9_999_999_999

_KNOWN_STATES = """JOIN modw_cloud.instance_states AS st
    ON st.instance_state_id = sr.instance_state_id AND st.include_in_aggregation = 1"""
#: Before 10.5 a session has no state of its own; it is that of its start event, among which there is no resize yet.
_STATE_OF_START = (
    "CASE sr.start_event_type_id "
    + " ".join(f"WHEN {event.id} THEN {event.state}" for event in rules.EVENT_TYPES)
    + " END"
)


class _Records(NamedTuple):
    """Records of a realm other than the cloud: the tables that they are in, and the SQL that reads them.

    It has room for the id and the name of a dimension, and for the join that these come from.
    """

    tables: tuple[str, ...]
    statement: str


#: The dimensions are joined with `sr` as with sessions, hence the names in it.
#: Source: XDMoD's hpc-aggregation.json and storagefact.aggregation.json.
_RECORDS = {
    JOBS.name: _Records(
        ("modw.job_tasks", "modw.job_records", "modw.resourcefact"),
        """
SELECT {key} AS dimension_id, {label} AS label, sr.task_resource_id AS resource_id, sr.start_time_ts AS start_second,
    sr.end_time_ts AS end_second, sr.start_day_id AS start_day, sr.end_day_id AS end_day, sr.wallduration AS wall,
    sr.processor_count AS cores, sr.gpu_count AS gpus
FROM (
    SELECT t.resource_id AS task_resource_id, t.systemaccount_id, t.person_id, t.person_organization_id,
        t.start_time_ts, t.end_time_ts, t.start_day_id, t.end_day_id, t.wallduration, t.processor_count, t.gpu_count,
        r.resource_id, r.queue, r.fos_id, r.principalinvestigator_person_id, r.piperson_organization_id
    FROM modw.job_tasks AS t
    JOIN modw.job_records AS r ON r.job_record_id = t.job_record_id
    JOIN modw.resourcefact AS asked_of ON asked_of.id = r.resource_id
    JOIN modw.resourcefact AS ran_on ON ran_on.id = t.resource_id
    WHERE t.is_deleted = 0
) AS sr
{joined}
""",
    ),
    STORAGE.name: _Records(
        ("modw.storagefact",),
        """
SELECT {key} AS dimension_id, {label} AS label, sr.ts AS second,
    YEAR(sr.dt) * 100000 + DAYOFYEAR(sr.dt) AS day,
    CONCAT_WS('/', sr.resource_id, sr.resourcetype_id, sr.mountpoint_id, sr.person_id,
        sr.principalinvestigator_person_id, sr.systemaccount_id, sr.fos_id) AS whose,
    sr.file_count AS files, sr.logical_usage AS logical, COALESCE(sr.physical_usage, 0) AS physical,
    sr.soft_threshold AS soft, sr.hard_threshold AS hard
FROM modw.storagefact AS sr
{joined}
""",
    ),
}

#: So long a table may be locked by another, who changes it; the server's own default is a day.
_LOCKED_SECONDS = 300
#: The driver's own errors that say that the database does not answer.
_UNAVAILABLE = (pymysql.OperationalError, pymysql.InternalError, pymysql.InterfaceError)

#: What MariaDB's numbers of errors come to.
_DENIED = (1142, 1143)
_NO_LOGIN = (1044, 1045, 1698)
_NOT_THERE = (1049, 1054, 1146)
_NOT_UNDERSTOOD = (1064,)
_NAMED_TABLE = re.compile(r"for table [`'](?:(?P<schema>\w+)`\.`)?(?P<table>\w+)[`']")
_ACCOUNT = re.compile(r"'(?P<user>[^']*)'@'(?P<host>[^']*)'")


class Warehouse:
    """Answers from one warehouse. Days are those of its own time zone, as XDMoD made them.

    Of every version the same is reckoned, what 11.0 reckons. XDMoD 10.0 itself shows less: the sessions of its active
    states alone, with a resize for a start like any other.
    """

    def __init__(self, connection: Connection, version: str) -> None:
        self._connection = connection
        self._sending = False
        self.version = version

    @classmethod
    @contextmanager
    def open(cls, url: str) -> Iterator["Warehouse"]:
        """Connect, find out the version, and see one state of the warehouse until the context is left.

        Raises ConfigurationError for a URL, an account or a schema that cannot be used, SourceUnavailable where the
        database does not answer, also in what is asked later.
        """
        engine = _engine(url)
        try:
            with _explained(engine.url), engine.connect() as connection:
                connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
                connection.exec_driver_sql(f"SET SESSION group_concat_max_len = {_LONGEST}")
                connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {_LOCKED_SECONDS}")
                connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT")
                yield cls(connection, _version(connection))
        finally:
            engine.dispose()

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The dimensions that this version has."""
        columns = VERSIONS[self.version]
        return {name: it for name, it in DIMENSIONS.items() if it.column is None or it.column in columns}

    def periods(self, unit: Unit, first: date, last: date) -> list[Period]:
        """Return the periods of XDMoD's calendar that touch the days, both included, in order."""
        rows = self._rows(f"{_periods(unit)} ORDER BY period_id", {"first": first, "last": last})
        return [Period(*map(int, row)) for row in rows]

    def sums(self, dimension: str, unit: Unit, first: date, last: date, *, series: bool) -> Sequence[Sequence[Any]]:
        """Return what `query` says of the sessions."""
        asked = query(self._sessions(dimension), _periods(unit), unit, series=series)
        return self._rows(asked, {"first": first, "last": last})

    def resources(self) -> dict[str, int]:
        """Return the ids of resources by what resources.json calls them."""
        return {str(code): int(key) for key, code in self._rows("SELECT id, code FROM modw.resourcefact")}

    def capacities(self) -> tuple[list[Span], list[Span]]:
        """Return the spans of cores and of percent that this version divides by.

        From 11.0 on they are what the last ingest read of resource_specs.json, and end with its day where the file
        says no end; before, they are made of hypervisor facts, of which XDMoD leaves out the last second.
        """
        if self.version in _SPECS:
            ends = f"COALESCE(end_date_ts, {_FOREVER})"
            cores, percents = (
                self._spans(f"SELECT resource_id, start_date_ts, {ends}, COALESCE({amount}, 0) FROM {table}")
                for amount, table in zip(("cpu_processor_count", "percent"), _SPECS[self.version], strict=True)
            )
            return cores, percents
        cores = self._spans(
            "SELECT resource_id, CAST(start_date_ts AS SIGNED), CAST(end_date_ts AS SIGNED) - 1, SUM(vcpus)"
            f" FROM {_HOSTS[0]} WHERE end_date_ts IS NOT NULL GROUP BY resource_id, start_date_ts, end_date_ts"
        )
        return cores, [Span(resource, 0, _FOREVER, 100) for resource in {span.resource_id for span in cores}]

    @property
    def state(self) -> str:
        """The SQL of the state of a session `sr`: its own, or before 10.5 that of its start event."""
        return "sr.instance_state_id" if "instance_state_id" in VERSIONS[self.version] else _STATE_OF_START

    @property
    def tells_organizations(self) -> bool:
        """Whether a session names the organization of its PI."""
        return "piperson_organization_id" in VERSIONS[self.version]

    def stream(self, statement: str, values: Mapping[str, Any] | None = None) -> Iterator[Sequence[Any]]:
        """Yield rows as the database sends them; nothing else can be asked until the last one has come."""
        asked = text(statement).execution_options(stream_results=True, yield_per=_ROWS_AT_ONCE)
        yield from self._connection.execute(asked, dict(values or {}))

    def ask(self, statement: str, values: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """Return all rows of what is asked."""
        return self._rows(statement, values)

    def texts(self, statement: str, at_once: int = _ROWS_AT_ONCE) -> Generator[list[str], None, None]:
        """Yield the texts that are the only column of each row, many at once, as the database sends them.

        Nothing else can be asked until the last one has come.
        """
        # Of the driver itself: what lies between takes longer than all else for a row of one text.
        cursor = self._connection.connection.cursor(SSCursor)
        try:
            self._sending = True
            cursor.execute(statement)
            while rows := cursor.fetchmany(at_once):
                yield [said for (said,) in rows]
            cursor.close()
        except pymysql.MySQLError as error:
            kind = OperationalError if isinstance(error, _UNAVAILABLE) else DBAPIError
            raise kind(None, None, error) from error
        finally:
            self._sending = False

    @property
    def host(self) -> str:
        """Where it is, as its URL says it."""
        return self._connection.engine.url.host or "localhost"

    @property
    def written(self) -> datetime | None:
        """When XDMoD last wrote a session (UTC); None where it has none."""
        ((seconds,),) = self._rows(f"SELECT UNIX_TIMESTAMP(MAX(last_modified)) FROM {_SESSIONS}")
        return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)

    def of(self, realm: Realm) -> "Warehouse | _Part":
        """Return what can be asked for the statistics of a realm; that of the cloud is asked here."""
        return self if realm is CLOUD else _Part(self, realm)

    def _spans(self, statement: str) -> list[Span]:
        return [Span(*map(int, row)) for row in self._rows(statement)]

    def _sessions(self, dimension: str) -> str:
        """Return the SQL of the sessions that XDMoD aggregates, each with the state that counts."""
        key, label, joined = _named_by(DIMENSIONS[dimension].attribute)
        has_state = "instance_state_id" in VERSIONS[self.version]
        state, known = ("sr.instance_state_id", _KNOWN_STATES) if has_state else (_STATE_OF_START, "")
        return f"""
SELECT {key} AS dimension_id, {label} AS label, sr.resource_id, sr.start_time_ts AS start_second,
    sr.end_time_ts AS end_second, sr.start_day_id AS start_day, sr.end_day_id AS end_day,
    sr.start_event_type_id AS start_event, sr.end_event_type_id AS end_event, {state} AS state,
    sr.num_cores AS cores, sr.memory_mb, sr.disk_gb
FROM {_SESSIONS} AS sr
JOIN modw_cloud.instance AS i ON i.instance_id = sr.instance_id AND i.resource_id = sr.resource_id
JOIN modw.resourcefact AS r ON r.id = sr.resource_id
{known}
{joined}
WHERE sr.instance_type <> 'Unknown' AND sr.instance_id <> 1
"""

    def _rows(self, statement: str, values: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        if self._sending:
            # The driver would drop what is still to come, and only warn of it.
            raise RuntimeError("The warehouse is asked while it still sends what it was asked before.")
        return self._connection.execute(text(statement), dict(values or {})).fetchall()


class _Part:
    """Answers from other records of a warehouse than its sessions; they are the same in every version."""

    def __init__(self, whole: Warehouse, realm: Realm) -> None:
        self._whole = whole
        self._realm = realm
        self.dimensions = realm.dimensions
        self.periods, self.resources, self.capacities = whole.periods, whole.resources, whole.capacities

    def sums(self, dimension: str, unit: Unit, first: date, last: date, *, series: bool) -> Sequence[Sequence[Any]]:
        """Return what the query of the realm says of its records."""
        key, label, joined = _named_by(self.dimensions[dimension].attribute)
        records = _RECORDS[self._realm.name].statement.format(key=key, label=label, joined=joined)
        asked = self._realm.query(records, _periods(unit), unit, series=series)
        return self._whole._rows(asked, {"first": first, "last": last})


def _named_by(attribute: Attribute | None) -> tuple[str, str, str]:
    """Return the SQL of the id and of the name that records have by an attribute, and of the join for it."""
    if attribute is None:
        return "0", "'Summary'", ""
    return attribute.id, attribute.label, f"LEFT JOIN {attribute.table} AS a ON {attribute.on}"


def _periods(unit: Unit) -> str:
    """Return the SQL of XDMoD's calendar; bound are the days `first` and `last`.

    Source: TimeAggregationUnit::getDateRangeIds. The columns are unsigned, and no difference of them may be negative.
    """
    name = unit.name
    days = [
        "id" if name == "day" else f"YEAR({name}_{end}) * 100000 + DAYOFYEAR({name}_{end})" for end in ("start", "end")
    ]
    seconds = [f"CAST({name}_{end}_ts AS SIGNED)" for end in ("start", "end")]
    columns = zip((*days, *seconds), ("first_day", "last_day", "first_second", "last_second"), strict=True)
    return (
        f"SELECT id AS period_id, {', '.join(f'{column} AS {alias}' for column, alias in columns)}"
        f" FROM modw.{name}s FORCE INDEX (PRIMARY) WHERE {name}_start <= :last AND {name}_end > :first"
    )


def grants(
    account: str, version: str = "11.0", realms: Collection[str] = (CLOUD.name,), reports: Collection[str] = ()
) -> list[str]:
    """Return the GRANT statements that an account needs for all statistics of realms and for reports, and no others.

    `account` is written as user@host, with or without quotes. Raises ConfigurationError for anything else, and for a
    version, a realm or a report that is not known.
    """
    user, _, host = account.rpartition("@")
    if not user or not re.fullmatch(r"[\w.%:/-]+", host.strip("'")) or not re.fullmatch(r"[\w.@-]+", user.strip("'")):
        raise ConfigurationError(f"{account} is no account. Write it as user@host, for example report@localhost.")
    if version not in VERSIONS:
        raise ConfigurationError(f"There is no XDMoD {version} here (there are: {', '.join(VERSIONS)}).")
    unknown = sorted(set(realms) - REALMS.keys())
    if unknown:
        raise ConfigurationError(f"There is no realm {unknown[0]} here (there are: {', '.join(REALMS)}).")
    unknown = sorted(set(reports) - REPORTS.keys())
    if unknown:
        raise ConfigurationError(f"There is no report {unknown[0]} of XDMoD here (there are: {', '.join(REPORTS)}).")
    # Sessions tell the version, whatever is asked.
    calendar = {f"modw.{name}s" for name in UNITS} if realms else set()
    tables = {_SESSIONS, *calendar}.union(
        *(_tables(REALMS[name], version) for name in realms), *(REPORTS[name] for name in reports)
    )
    whom = f"'{user.strip(chr(39))}'@'{host.strip(chr(39))}'"
    return [f"GRANT SELECT ON {table} TO {whom};" for table in sorted(tables)]


def _tables(realm: Realm, version: str) -> set[str]:
    """Return the tables of a realm's records, and of its dimensions."""
    cloud = realm is CLOUD
    named = {
        it.attribute.table
        for it in realm.dimensions.values()
        if it.attribute and (not cloud or it.column is None or it.column in VERSIONS[version])
    }
    if not cloud:
        return named.union(_RECORDS[realm.name].tables)
    return named.union({"modw_cloud.instance"}, _SPECS.get(version, _HOSTS))


def _engine(url: str) -> Engine:
    way_out = "Write mysql+pymysql://USER:PASSWORD@HOST, with %40 for an @ and %2F for a / in the password."
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("mysql", "mariadb"):
            raise ConfigurationError(
                f"The XDMoD URL names {parsed.get_backend_name()}; XDMoD lives in MariaDB. {way_out}"
            )
        return create_engine(
            parsed.set(drivername="mysql+pymysql"),
            isolation_level="REPEATABLE READ",
            connect_args={"connect_timeout": 20},
            hide_parameters=True,
        )
    except (ArgumentError, ImportError, NoSuchModuleError, ValueError) as error:
        # What could not be read is not repeated: it may hold a password.
        raise ConfigurationError(f"The XDMoD URL cannot be used ({type(error).__name__}). {way_out}") from error


def _version(connection: Connection) -> str:
    """Tell the version by the columns of its sessions."""
    columns = set(connection.exec_driver_sql(f"SELECT * FROM {_SESSIONS} LIMIT 0").keys())
    missing = _NEEDED - columns
    if missing:
        raise ConfigurationError(
            f"{_SESSIONS} is of no XDMoD that is known here ({', '.join(VERSIONS)}): it has no"
            f" {', '.join(sorted(missing))}. Name the warehouse of such an XDMoD."
        )
    return next(version for version, has in VERSIONS.items() if has <= columns)


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    """Turn what the database says into errors that an operator can act on."""
    try:
        yield
    except DBAPIError as error:
        at = url.render_as_string(hide_password=True)
        raise _explain(at, error) from error


def _explain(at: str, error: DBAPIError) -> XdmodCloudError:
    said = error.orig.args if error.orig else ()
    code, words = (said[0], str(said[-1])) if said else (0, str(error))
    if code in _DENIED:
        return ConfigurationError(_denied(at, words))
    if code in _NO_LOGIN:
        return ConfigurationError(
            f"XDMoD's database at {at} refuses the account: {words}. Correct the URL; what an account needs,"
            " xdmod-cloud report grants prints."
        )
    if code in _NOT_THERE:
        return ConfigurationError(
            f"The database at {at} is no XDMoD with a cloud, of {', '.join(VERSIONS)}: {words}. Name its warehouse."
        )
    if code in _NOT_UNDERSTOOD:
        return ConfigurationError(f"The database at {at} is too old: {words}. It takes MariaDB 10.2 or MySQL 8.")
    if error.connection_invalidated or isinstance(error, OperationalError | InternalError | InterfaceError):
        return SourceUnavailable(f"XDMoD's database at {at} does not answer: {words}. Run again later.")
    return DataError(f"XDMoD's database at {at} refuses the question: {words}. Run again with -v, and report it.")


def _denied(at: str, words: str) -> str:
    named, account = _NAMED_TABLE.search(words), _ACCOUNT.search(words)
    whom = account[0] if account else "USER@HOST"
    tables = [line.split()[3] for line in grants("any@any", realms=REALMS, reports=REPORTS)] + list(_HOSTS)
    wanted = named["table"] if named else ""
    schema = named["schema"] if named else None
    table = next(
        (it for it in tables if it.split(".")[1] == wanted and (schema is None or it.startswith(f"{schema}."))), wanted
    )
    return (
        f"The account {whom} may not read {table} of XDMoD's database at {at}. Give it the right with GRANT SELECT ON"
        f" {table} TO {whom}; all that it needs, xdmod-cloud report grants prints."
    )
