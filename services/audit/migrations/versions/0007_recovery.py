"""Keep what a recovery after a restore needs: the signed entries without a record, and what producers replayed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("log_state", sa.Column("wanted", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("log_state", sa.Column("bodiless", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "bodiless",
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entry", sa.LargeBinary, nullable=False, unique=True),
    )
    op.create_table(
        "set_aside",
        sa.Column("epoch_id", sa.Integer, sa.ForeignKey("epochs.id"), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.String(30), nullable=False),
    )
    op.create_table(
        "recoveries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("began_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("target", sa.BigInteger, nullable=False),
        sa.Column("lost", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "replays",
        sa.Column("producer", sa.String(32), primary_key=True),
        sa.Column("standing", sa.String(16), nullable=False),
    )
