"""Keep legal holds, the bodies they keep, and how far retention has come."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _holds()
    _retention()


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.String(30), primary_key=True),
        sa.Column("subject", sa.String(30), nullable=False),
        sa.Column("since_ms", sa.BigInteger),
        sa.Column("until_ms", sa.BigInteger),
        sa.Column("cause", sa.String(16), nullable=False),
        sa.Column("secret", sa.Boolean, nullable=False),
        sa.Column("placed_ms", sa.BigInteger, nullable=False),
        sa.Column("placed_by", sa.String(96), nullable=False),
        sa.Column("released_ms", sa.BigInteger),
        sa.Column("released_by", sa.String(96), nullable=False),
        sa.Column("dropped", sa.BigInteger, nullable=False),
        sa.Column("cleared", sa.Boolean, nullable=False),
    )
    op.create_table(
        "held_bodies",
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("hold", sa.String(30), sa.ForeignKey("holds.id"), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("held_by_hold", "held_bodies", ["hold", "idx"])


def _retention() -> None:
    retention = op.create_table(
        "retention",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("cold_below", sa.BigInteger, nullable=False),
        sa.Column("expired_below", sa.BigInteger, nullable=False),
        sa.Column("minimum", sa.BigInteger, nullable=False),
        sa.Column("swept_ms", sa.BigInteger),
        sa.Column("kept_from", sa.BigInteger),
        sa.Column("cooled", sa.BigInteger, nullable=False),
        sa.Column("expired", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(retention, [{"id": 1, "cold_below": 0, "expired_below": 0, "minimum": 0, "cooled": 0, "expired": 0}])
    op.create_table(
        "cold_bundles",
        sa.Column("bundle", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("period", sa.String(7), nullable=False),
    )
    op.create_index("cold_by_period", "cold_bundles", ["period"])
    leases = sa.table("leases", sa.column("name"), sa.column("holder"), sa.column("token"), sa.column("until_ms"))
    op.bulk_insert(leases, [{"name": "retention", "holder": "", "token": 0, "until_ms": 0}])
