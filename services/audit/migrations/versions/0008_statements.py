"""Keep what each producer last said of its outbox, and how late each result of a check arrived."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("evidence", sa.Column("late_ms", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "statements",
        sa.Column("producer", sa.String(32), primary_key=True),
        sa.Column("epoch", sa.String(30), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
    )
