"""When the checkpoint was signed, and the one that is published with its cosignatures."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("checkpoint", sa.Column("signed_ms", sa.BigInteger))
    op.create_table(
        "published",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("note", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("cosignatures", sa.Integer, nullable=False),
        sa.Column("published_ms", sa.BigInteger, nullable=False),
    )
