"""Find events by what they say: an index of keyed tags, filled by the service."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "event_index",
        sa.Column("idx", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger),
        sa.Column("subject", sa.BigInteger),
        sa.Column("actor", sa.BigInteger),
        sa.Column("kind", sa.BigInteger),
        sa.Column("action", sa.BigInteger),
        sa.Column("area", sa.BigInteger),
        sa.Column("object", sa.BigInteger),
        sa.Column("outcome", sa.BigInteger),
    )
    op.create_index("event_index_by_time", "event_index", ["time_ms", "idx"])
    for name in ("subject", "actor", "action", "object", "outcome"):
        op.create_index(f"event_index_by_{name}", "event_index", [name, "time_ms", "idx"])
    state = op.create_table(
        "index_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("filled", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "version": 1, "filled": 0}])
