"""Keep what a check's measure was held against, that it could not measure, and alerts about promises."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("evidence") as evidence:
        evidence.alter_column("measured", existing_type=sa.BigInteger, nullable=True)
        evidence.add_column(sa.Column("threshold", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(96), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("opened_ms", sa.BigInteger, nullable=False),
        sa.Column("closed_ms", sa.BigInteger),
    )
    op.create_index("alerts_open", "alerts", ["closed_ms", "name"])
