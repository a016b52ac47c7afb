"""Keep, until a recovery ends, what stays of events of people who were erased and whose place is not known."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("set_aside", sa.Column("entry", sa.LargeBinary))
    op.add_column("set_aside", sa.Column("subject", sa.String(30)))
    op.add_column("set_aside", sa.Column("period", sa.String(7)))
    op.add_column("set_aside", sa.Column("sealed", sa.LargeBinary))
