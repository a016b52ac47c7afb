"""Keep which record says what the minimum index is: the public log shows it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "prunings",
        sa.Column("event_id", sa.String(30), primary_key=True),
        sa.Column("minimum", sa.BigInteger, nullable=False),
        sa.Column("said_ms", sa.BigInteger, nullable=False),
    )
