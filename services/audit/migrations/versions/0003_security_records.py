"""Keep what stays of events about people who were erased, and who they are."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "erased_subjects",
        sa.Column("subject", sa.String(30), primary_key=True),
        sa.Column("begun_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "security_records",
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("subject", sa.String(30), nullable=False),
        sa.Column("period", sa.String(7), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("security_by_subject", "security_records", ["subject", "idx"])
    op.create_index("security_by_period", "security_records", ["period"])
