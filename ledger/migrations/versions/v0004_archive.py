"""Records that left for the archive: which file has them, and whose they are."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TABLE: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    # MariaDB ends a transaction with each table: what was made by an upgrade that died is there.
    there = set(sa.inspect(op.get_bind()).get_table_names())
    if "archive" not in there:
        op.create_table(
            "archive",
            sa.Column("id", _SEQUENCE, primary_key=True),
            sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), nullable=False),
            sa.Column("file", sa.String(255), nullable=False, unique=True),
            sa.Column("month", sa.BigInteger, nullable=False),
            sa.Column("older_than", sa.BigInteger, nullable=False),
            sa.Column("made", sa.BigInteger, nullable=False),
            sa.Column("servers", sa.BigInteger, nullable=False),
            sa.Column("records", sa.BigInteger, nullable=False),
            sa.Column("first_seq", sa.BigInteger, nullable=False),
            sa.Column("last_seq", sa.BigInteger, nullable=False),
            sa.Column("last_run", sa.BigInteger, nullable=False),
            sa.Column("sha256", sa.String(64), nullable=False),
            **_TABLE,
        )
    if "archived" not in there:
        op.create_table(
            "archived",
            sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), primary_key=True),
            sa.Column("subject", sa.String(300), primary_key=True),
            sa.Column("archive_id", _SEQUENCE, sa.ForeignKey("archive.id"), primary_key=True),
            **_TABLE,
        )
