"""Who owns what: the hierarchy's history, its present, and what XDMoD was told of it."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

revision = "0002"
down_revision = "0001"

_TABLE: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}
_TIME = sa.DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")


def _item_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("create_ts", _TIME, nullable=False),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("status", sa.String(100)),
        sa.Column("display_name", sa.String(500)),
        sa.Column("parent_id", sa.BigInteger),
    ]


def upgrade() -> None:
    # MariaDB ends a transaction with each table: what was made by an upgrade that died is there.
    there = set(sa.inspect(op.get_bind()).get_table_names())
    if "hierarchy_rec" not in there:
        index = sa.Index("hierarchy_rec_by_item", "id", "create_ts")
        op.create_table("hierarchy_rec", *_item_columns(), sa.PrimaryKeyConstraint("create_ts", "id"), index, **_TABLE)
    if "hierarchy_item" not in there:
        op.create_table(
            "hierarchy_item",
            *_item_columns(),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("type", "name", name="hierarchy_item_once"),
            **_TABLE,
        )
    if "hierarchy_told" not in there:
        op.create_table(
            "hierarchy_told",
            sa.Column("file", sa.String(32), primary_key=True),
            sa.Column("key", sa.String(255), primary_key=True),
            sa.Column("line", sa.Text, nullable=False),
            sa.Column("before", sa.Text),
            sa.Column("waiting", sa.Boolean, nullable=False),
            **_TABLE,
        )
