"""Pods as jobs: their ids, and the form in which a cluster is told once and for ever."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_TABLE: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    # MariaDB ends a transaction with each table: what was made by an upgrade that died is there.
    there = set(sa.inspect(op.get_bind()).get_table_names())
    if "job" not in there:
        op.create_table(
            "job",
            sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), primary_key=True),
            sa.Column("subject", sa.String(300), primary_key=True),
            sa.Column("begins", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("id", sa.Integer, nullable=False),
            sa.UniqueConstraint("source_id", "id", name="job_once"),
            **_TABLE,
        )
    if "job_form" not in there:
        op.create_table(
            "job_form",
            sa.Column("source_id", sa.Integer, sa.ForeignKey("source.id"), primary_key=True),
            sa.Column("cpu", sa.String(16), nullable=False),
            sa.Column("per", sa.String(16), nullable=False),
            **_TABLE,
        )
