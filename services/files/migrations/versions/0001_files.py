"""Published files, uploads in progress, what customers use of their quota, blobs, and what waits to be destroyed."""

import sqlalchemy as sa
from alembic import op

from services.kit.migrate import create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_outbox(op)  # type: ignore[arg-type]  # Alembic's module stands in for its class
    op.create_table(
        "files",
        sa.Column("file_id", sa.String(30), primary_key=True),
        sa.Column("customer", sa.String(30), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.Column("manifest", sa.LargeBinary, nullable=False),
        sa.Column("particulars", sa.LargeBinary, nullable=False),
    )
    op.create_index("files_of_customer", "files", ["customer", "file_id"])
    op.create_table(
        "uploads",
        sa.Column("file_id", sa.String(30), primary_key=True),
        sa.Column("customer", sa.String(30), nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("touched_ms", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "usage",
        sa.Column("customer", sa.String(30), primary_key=True),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger, nullable=False),
        sa.Column("files", sa.Integer, nullable=False),
    )
    op.create_table(
        "blobs",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("file_id", sa.String(30), nullable=False, index=True),
    )
    op.create_table(
        "shreds",
        sa.Column("file_id", sa.String(30), primary_key=True),
        sa.Column("asked_ms", sa.BigInteger, nullable=False),
    )
