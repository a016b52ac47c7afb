"""The customers' keys and the files' keys, wrapped."""

import sqlalchemy as sa
from alembic import op

from services.kit.keyring import create_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tables(op)  # type: ignore[arg-type]  # Alembic's module stands in for its class
    op.create_table(
        "file_keys",
        sa.Column("file_id", sa.String(30), primary_key=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )
