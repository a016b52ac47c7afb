"""Keep how far the log was exported, and who exports."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "siem_cursors",
        sa.Column("sink", sa.String(16), primary_key=True),
        sa.Column("next_idx", sa.BigInteger, nullable=False),
        sa.Column("untold", sa.BigInteger, nullable=False),
        sa.Column("told_ms", sa.BigInteger),
    )
    leases = sa.table("leases", sa.column("name"), sa.column("holder"), sa.column("token"), sa.column("until_ms"))
    names = ("siem-https", "siem-directory")
    op.bulk_insert(leases, [{"name": name, "holder": "", "token": 0, "until_ms": 0} for name in names])
