"""The ledger's tables. Migrations create them; a test holds the two against each other."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import LONGTEXT

from ledger.times import UtcDateTime, UtcTime

__all__ = [
    "IDENTITY_WIDTH",
    "SUBJECT_WIDTH",
    "archive",
    "archived",
    "export",
    "export_file",
    "hierarchy_item",
    "hierarchy_rec",
    "hierarchy_told",
    "job",
    "job_form",
    "latest",
    "metadata",
    "quarantine",
    "record",
    "run",
    "source",
]

metadata = MetaData()
#: So long may be what a record is about, and what tells it apart from others about the same.
SUBJECT_WIDTH, IDENTITY_WIDTH = 300, 255
#: Keyword arguments of every table; not typed, for the library takes them by their database's name.
_TABLE: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
# SQLite counts rows up by itself only for a column of type INTEGER.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")
_BODY = Text().with_variant(LONGTEXT, "mysql", "mariadb")

#: Where records come from: one row for each cloud and region, or other system.
source = Table(
    "source",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    **_TABLE,
)

#: Each reading of a source. The newest `window_to` of a run that is done is the source's watermark.
run = Table(
    "run",
    metadata,
    Column("id", _SEQUENCE, primary_key=True),
    Column("source_id", ForeignKey(source.c.id), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime),
    Column("window_from", UtcTime),
    Column("window_to", UtcTime),
    Column("last_seq", BigInteger),
    Column("outcome", String(16), nullable=False),
    Column("counts", Text),
    Column("error", Text),
    Index("run_by_outcome", "source_id", "outcome", "id"),
    **_TABLE,
)

#: What was observed, in the order in which it became known; appended, never rewritten.
record = Table(
    "record",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True),
    Column("source_id", ForeignKey(source.c.id), nullable=False),
    Column("run_id", ForeignKey(run.c.id), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject", String(SUBJECT_WIDTH), nullable=False),
    Column("identity", String(IDENTITY_WIDTH), nullable=False),
    Column("observed", UtcTime, nullable=False),
    Column("body", _BODY, nullable=False),
    Index("record_by_subject", "source_id", "subject", "seq"),
    Index("record_by_kind", "source_id", "kind", "seq"),
    **_TABLE,
)

#: The newest record of each thing and a digest of its content, so that the same observation is not appended twice;
#: and when the thing began and ended by that record, so that past things need not be read to know the present.
latest = Table(
    "latest",
    metadata,
    Column("source_id", ForeignKey(source.c.id), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("subject", String(SUBJECT_WIDTH), primary_key=True),
    Column("identity", String(IDENTITY_WIDTH), primary_key=True),
    Column("digest", String(32), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("begins", UtcTime),
    Column("ends", UtcTime),
    Index("latest_by_end", "source_id", "kind", "ends"),
    **_TABLE,
)

#: What could not be made a record, whole, with the reason.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _SEQUENCE, primary_key=True),
    Column("source_id", ForeignKey(source.c.id), nullable=False),
    Column("run_id", ForeignKey(run.c.id), nullable=False),
    Column("observed", UtcTime, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", _BODY, nullable=False),
    UniqueConstraint("source_id", "digest", name="quarantine_once"),
    **_TABLE,
)

#: Which part of the ledger has been handed on: records up to `seq_to`, events up to `horizon_to`.
export = Table(
    "export",
    metadata,
    Column("id", _SEQUENCE, primary_key=True),
    Column("source_id", ForeignKey(source.c.id), nullable=False),
    Column("target", String(64), nullable=False),
    Column("seq_from", BigInteger, nullable=False),
    Column("seq_to", BigInteger, nullable=False),
    Column("horizon_from", UtcTime),
    Column("horizon_to", UtcTime, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime),
    Index("export_by_target", "source_id", "target", "id"),
    **_TABLE,
)

#: The files that an export wrote.
export_file = Table(
    "export_file",
    metadata,
    Column("export_id", ForeignKey(export.c.id), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("records", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    **_TABLE,
)


def _item_columns() -> list[Column[Any]]:
    return [
        Column("id", BigInteger, nullable=False, autoincrement=False),
        Column("create_ts", UtcDateTime, nullable=False),
        Column("type", String(100), nullable=False),
        Column("name", String(500), nullable=False),
        Column("status", String(100)),
        Column("display_name", String(500)),
        Column("parent_id", BigInteger),
    ]


#: Every state that an item of the hierarchy was ever in: appended, never rewritten. The columns are those of the first
#: design, so that its tools read it. MariaDB keeps rows in the order of the key: with the time first, it appends, and
#: what was in force at one time lies together.
hierarchy_rec = Table(
    "hierarchy_rec",
    metadata,
    *_item_columns(),
    PrimaryKeyConstraint("create_ts", "id"),
    Index("hierarchy_rec_by_item", "id", "create_ts"),
    **_TABLE,
)

#: The newest state of each item. It follows from `hierarchy_rec`, and spares reading all of it.
hierarchy_item = Table(
    "hierarchy_item",
    metadata,
    *_item_columns(),
    PrimaryKeyConstraint("id"),
    UniqueConstraint("type", "name", name="hierarchy_item_once"),
    **_TABLE,
)

#: What was last written for XDMoD under each key of a file; and, while that waits to be imported, what it has instead.
hierarchy_told = Table(
    "hierarchy_told",
    metadata,
    Column("file", String(32), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("line", Text, nullable=False),
    Column("before", Text),
    Column("waiting", Boolean, nullable=False),
    **_TABLE,
)

#: The id that XDMoD knows an interval of a pod by: that of the pod's key and the interval's start, for ever.
job = Table(
    "job",
    metadata,
    Column("source_id", ForeignKey(source.c.id), primary_key=True),
    Column("subject", String(SUBJECT_WIDTH), primary_key=True),
    Column("begins", UtcTime, primary_key=True, autoincrement=False),
    Column("id", Integer, nullable=False),
    UniqueConstraint("source_id", "id", name="job_once"),
    **_TABLE,
)

#: How the pods of a cluster were first told: XDMoD never forgets a job, so that it stays so.
job_form = Table(
    "job_form",
    metadata,
    Column("source_id", ForeignKey(source.c.id), primary_key=True),
    Column("cpu", String(16), nullable=False),
    Column("per", String(16), nullable=False),
    **_TABLE,
)

#: Files of records that left the ledger, each of the servers that ended in one month, or of the pods that were last
#: seen in it, which `servers` counts then; what asked for it, and when.
archive = Table(
    "archive",
    metadata,
    Column("id", _SEQUENCE, primary_key=True),
    Column("source_id", ForeignKey(source.c.id), nullable=False),
    Column("file", String(255), nullable=False, unique=True),
    Column("month", UtcTime, nullable=False),
    Column("older_than", UtcTime, nullable=False),
    Column("made", UtcTime, nullable=False),
    Column("servers", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_run", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    **_TABLE,
)

#: Whose records are in which of these files.
archived = Table(
    "archived",
    metadata,
    Column("source_id", ForeignKey(source.c.id), primary_key=True),
    Column("subject", String(SUBJECT_WIDTH), primary_key=True),
    Column("archive_id", ForeignKey(archive.c.id), primary_key=True),
    **_TABLE,
)
