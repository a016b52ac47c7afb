"""Lay links to third parties, and what waits to be revoked there."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _links()
    _link_revocations()


def _links() -> None:
    op.create_table(
        "links",
        Column("link_id", String(30), primary_key=True),
        Column("account_id", String(30), nullable=False),
        Column("session_id", String(30), nullable=True),
        Column("provider", String(32), nullable=False),
        Column("purpose", String(32), nullable=False),
        Column("version", String(32), nullable=False),
        Column("locale", String(16), nullable=False),
        Column("roles", String(512), nullable=False),
        Column("used_for", String(1000), nullable=False),
        Column("kept_text", String(1000), nullable=False),
        Column("kept_for", String(1000), nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=True, index=True),
        Column("consented_us", BigInteger, nullable=True),
        Column("connected_us", BigInteger, nullable=True),
        Column("held_us", BigInteger, nullable=True),
        Column("state_hash", LargeBinary(32), nullable=True, unique=True),
        Column("kept", String(8), nullable=True),
        Column("sealed", LargeBinary, nullable=True),
    )
    connected = text("connected_us IS NOT NULL")
    op.create_index("links_of", "links", ["account_id", "provider"])
    op.create_index(
        "links_connected",
        "links",
        ["account_id", "provider"],
        unique=True,
        sqlite_where=connected,
        postgresql_where=connected,
    )


def _link_revocations() -> None:
    op.create_table(
        "link_revocations",
        Column("revocation_id", String(30), primary_key=True),
        Column("link_id", String(30), nullable=False),
        Column("account_id", String(30), nullable=False),
        Column("provider", String(32), nullable=False),
        Column("sealed", LargeBinary, nullable=False),
        Column("due_us", BigInteger, nullable=False, index=True),
        Column("ends_us", BigInteger, nullable=False),
        Column("attempts", Integer, nullable=False),
    )
