"""The first ledger: sources, runs, records, exports."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "0001"
down_revision = None

_TABLE: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_BODY = sa.Text().with_variant(LONGTEXT, "mysql", "mariadb")
_TIME = sa.BigInteger


def _source() -> sa.Column[int]:
    return sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), nullable=False)


def _run() -> sa.Column[int]:
    return sa.Column("run_id", _SEQUENCE, sa.ForeignKey("run.id"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "source",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        **_TABLE,
    )
    op.create_table(
        "run",
        sa.Column("id", _SEQUENCE, primary_key=True),
        _source(),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("started", _TIME, nullable=False),
        sa.Column("finished", _TIME),
        sa.Column("window_from", _TIME),
        sa.Column("window_to", _TIME),
        sa.Column("last_seq", sa.BigInteger),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("counts", sa.Text),
        sa.Column("error", sa.Text),
        **_TABLE,
    )
    op.create_index("run_by_outcome", "run", ["source_id", "outcome", "id"])
    op.create_table(
        "record",
        sa.Column("seq", _SEQUENCE, primary_key=True),
        _source(),
        _run(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        sa.Column("identity", sa.String(255), nullable=False),
        sa.Column("observed", _TIME, nullable=False),
        sa.Column("body", _BODY, nullable=False),
        **_TABLE,
    )
    op.create_index("record_by_subject", "record", ["source_id", "subject", "seq"])
    op.create_index("record_by_kind", "record", ["source_id", "kind", "seq"])
    op.create_table(
        "latest",
        sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("subject", sa.String(300), primary_key=True),
        sa.Column("identity", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("begins", _TIME),
        sa.Column("ends", _TIME),
        **_TABLE,
    )
    op.create_index("latest_by_end", "latest", ["source_id", "kind", "ends"])
    op.create_table(
        "quarantine",
        sa.Column("id", _SEQUENCE, primary_key=True),
        _source(),
        _run(),
        sa.Column("observed", _TIME, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("body", _BODY, nullable=False),
        sa.UniqueConstraint("source_id", "digest", name="quarantine_once"),
        **_TABLE,
    )
    op.create_table(
        "export",
        sa.Column("id", _SEQUENCE, primary_key=True),
        _source(),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("seq_from", sa.BigInteger, nullable=False),
        sa.Column("seq_to", sa.BigInteger, nullable=False),
        sa.Column("horizon_from", _TIME),
        sa.Column("horizon_to", _TIME, nullable=False),
        sa.Column("started", _TIME, nullable=False),
        sa.Column("finished", _TIME),
        **_TABLE,
    )
    op.create_index("export_by_target", "export", ["source_id", "target", "id"])
    op.create_table(
        "export_file",
        sa.Column("export_id", _SEQUENCE, sa.ForeignKey("export.id"), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        **_TABLE,
    )
