"""The last signed checkpoint."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
    )
