"""An XDMoD warehouse of any size in MariaDB: a year of sessions of one cloud, with the names that they refer to."""

from pymysql.connections import Connection

__all__ = ["ACCOUNTS", "RESOURCE", "fill"]

RESOURCE = "cloud"
ACCOUNTS = 500
_USERS, _PIS, _FLAVORS = 3_000, 400, 20
_SESSIONS_OF_A_SERVER = 10
#: 2025-01-01, in UTC, and a year from there.
_BEGIN, _YEAR = 1_735_689_600, 31_536_000
_LONGEST = 200_000

#: The columns and keys of XDMoD 11.0 that reports read. Source: its etl_tables.d.
_TABLES = """
CREATE DATABASE modw;
CREATE DATABASE modw_cloud;
USE modw_cloud;
CREATE TABLE modw.resourcefact (id INT PRIMARY KEY, resourcetype_id INT, organization_id INT, name VARCHAR(200),
    code VARCHAR(64) NOT NULL, timezone VARCHAR(30) NOT NULL);
CREATE TABLE modw.organization (id INT PRIMARY KEY, abbrev VARCHAR(100), name VARCHAR(300), short_name VARCHAR(300),
    long_name VARCHAR(300));
CREATE TABLE modw.piperson (person_id INT PRIMARY KEY, organization_id INT, long_name VARCHAR(400),
    short_name VARCHAR(100));
CREATE TABLE modw.systemaccount (id INT PRIMARY KEY, person_id INT NOT NULL, resource_id INT NOT NULL,
    username VARCHAR(255) NOT NULL);
CREATE TABLE modw_cloud.instance_states (instance_state_id INT PRIMARY KEY, display VARCHAR(64) NOT NULL,
    include_in_aggregation INT NOT NULL);
CREATE TABLE modw_cloud.account (resource_id INT NOT NULL, account_id INT NOT NULL AUTO_INCREMENT UNIQUE,
    provider_account VARCHAR(64) NOT NULL, display VARCHAR(256), PRIMARY KEY (resource_id, provider_account));
CREATE TABLE modw_cloud.domains (id INT NOT NULL AUTO_INCREMENT UNIQUE, resource_id INT NOT NULL,
    name VARCHAR(64) NOT NULL, PRIMARY KEY (resource_id, name));
CREATE TABLE modw_cloud.host (resource_id INT NOT NULL, host_id INT NOT NULL AUTO_INCREMENT UNIQUE,
    hostname VARCHAR(64) NOT NULL, PRIMARY KEY (resource_id, hostname));
CREATE TABLE modw_cloud.instance_type (resource_id INT NOT NULL, instance_type_id INT NOT NULL AUTO_INCREMENT UNIQUE,
    instance_type VARCHAR(64) NOT NULL, display VARCHAR(256) NOT NULL, num_cores INT NOT NULL, memory_mb INT NOT NULL,
    start_time DECIMAL(16, 6) NOT NULL DEFAULT 0, PRIMARY KEY (resource_id, instance_type, start_time));
CREATE TABLE modw_cloud.instance (resource_id INT NOT NULL, instance_id INT NOT NULL AUTO_INCREMENT UNIQUE,
    account_id INT NOT NULL DEFAULT 1, provider_identifier VARCHAR(256) NOT NULL, person_id INT NOT NULL DEFAULT -1,
    service_provider INT NOT NULL DEFAULT 1, PRIMARY KEY (resource_id, provider_identifier, service_provider))
    DEFAULT CHARSET=utf8mb3;
CREATE TABLE modw_cloud.session_records (session_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE,
    instance_id INT NOT NULL, resource_id INT NOT NULL, start_time DATETIME NOT NULL, start_event_type_id INT NOT NULL,
    end_time DATETIME NOT NULL, end_event_type_id INT NOT NULL, instance_type VARCHAR(64) NOT NULL,
    instance_type_id INT NOT NULL, num_cores INT NOT NULL, memory_mb INT NOT NULL, processorbucket_id INT NOT NULL,
    memorybucket_id INT NOT NULL, disk_gb INT NOT NULL, start_time_ts BIGINT NOT NULL, end_time_ts BIGINT NOT NULL,
    start_day_id INT, end_day_id INT, wallduration BIGINT, person_id INT, person_organization_id INT NOT NULL,
    systemaccount_id INT, submission_venue_id INT, domain_id INT, last_modified TIMESTAMP NOT NULL,
    service_provider INT NOT NULL, account_id INT, principalinvestigator_person_id INT NOT NULL,
    piperson_organization_id INT NOT NULL, fos_id INT NOT NULL, host_id INT NOT NULL, instance_state_id INT,
    PRIMARY KEY (resource_id, instance_id, start_time_ts, start_event_type_id), KEY (last_modified), KEY (instance_id))
    DEFAULT CHARSET=utf8mb3
"""

_NAMES = f"""
INSERT INTO modw.resourcefact VALUES (1, 1, 1, '{RESOURCE}', '{RESOURCE}', 'UTC');
INSERT INTO modw.organization SELECT seq, CONCAT('u', seq), CONCAT('University ', seq), CONCAT('University ', seq),
    CONCAT('University ', seq) FROM seq_1_to_20;
INSERT INTO modw.piperson SELECT seq, 1 + seq MOD 20, CONCAT('Person ', seq, ', Ann'), CONCAT('Person ', seq, ', A')
    FROM seq_1_to_{_PIS};
INSERT INTO modw.systemaccount SELECT seq, seq, 1, CONCAT('user-', seq, '@university.example')
    FROM seq_1_to_{_USERS};
INSERT INTO modw_cloud.instance_states
    VALUES (-1, 'Unknown', 0), (1, 'Active', 1), (2, 'Inactive', 1), (3, 'Shelved', 1);
INSERT INTO modw_cloud.instance_type VALUES (1, 1, 'Unknown', 'Unknown', 0, 0, 0);
INSERT INTO modw_cloud.instance_type SELECT 1, 2 + seq, CONCAT('flavor-', seq), CONCAT('flavor-', seq), 4, 8192, 0
    FROM seq_0_to_19;
INSERT INTO modw_cloud.account SELECT 1, seq, LPAD(HEX(seq), 32, '0'), CONCAT('project-', seq) FROM seq_1_to_{ACCOUNTS};
INSERT INTO modw_cloud.domains VALUES (1, 1, 'Unknown'), (2, 1, 'Default');
INSERT INTO modw_cloud.host SELECT 1, seq, CONCAT('node-', seq) FROM seq_1_to_100
"""

_SERVERS = """
INSERT INTO modw_cloud.instance
SELECT 1, seq, 1 + seq MOD {accounts},
    CONCAT(LPAD(HEX(seq), 8, '0'), '-0000-4000-8000-', LPAD(HEX(seq * 7919), 12, '0')), 1 + seq MOD {users}, 1
FROM seq_2_to_{servers}
"""

#: Ten sessions follow each other in the life of a server, which begins anywhere in the year.
_SESSIONS = """
INSERT INTO modw_cloud.session_records
SELECT NULL, server, 1, FROM_UNIXTIME(since), 2, FROM_UNIXTIME(since + length), 45,
    CONCAT('flavor-', server MOD {flavors}), 2 + server MOD {flavors}, 1 + server MOD 8,
    2048 * (1 + server MOD 8), 1, 2, 20, since, since + length,
    YEAR(FROM_UNIXTIME(since)) * 100000 + DAYOFYEAR(FROM_UNIXTIME(since)),
    YEAR(FROM_UNIXTIME(since + length)) * 100000 + DAYOFYEAR(FROM_UNIXTIME(since + length)), length,
    1 + server MOD {users}, 1 + server MOD 20, 1 + server MOD {users}, 1, 2, NOW(), 1, 1 + server MOD {accounts},
    1 + server MOD {pis}, 1 + server MOD 20, 1, 1 + server MOD 100, 1 + nth MOD 3
FROM (
    SELECT 2 + seq DIV {each} AS server, seq MOD {each} AS nth, (seq * 31) MOD {longest} AS length,
        {begin} + (seq DIV {each} * 7919) MOD {year} + seq MOD {each} * {longest} AS since
    FROM seq_0_to_{last}
) AS made
"""


def fill(connection: Connection, sessions: int) -> None:
    """Make the warehouse, with so many sessions, on a server that has none."""
    sizes = {
        "accounts": ACCOUNTS,
        "users": _USERS,
        "pis": _PIS,
        "flavors": _FLAVORS,
        "each": _SESSIONS_OF_A_SERVER,
        "longest": _LONGEST,
        "begin": _BEGIN,
        "year": _YEAR,
        "servers": 2 + sessions // _SESSIONS_OF_A_SERVER,
        "last": sessions - 1,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        for statement in f"{_TABLES};{_NAMES};{_SERVERS};{_SESSIONS}".split(";"):
            cursor.execute(statement.format_map(sizes))
    connection.commit()
