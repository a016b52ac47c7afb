"""Lay the keyring."""

from __future__ import annotations

from alembic import op

from services.kit.keyring import create_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_tables(op)  # type: ignore[arg-type]  # Alembic's module stands in for its class
