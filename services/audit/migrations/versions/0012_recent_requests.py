"""Keep for a while which requests entries were made in, to be compared with those that the edge answered."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "recent_requests",
        sa.Column("period", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("request", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
