"""Let accounts be disabled."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, String

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("accounts", Column("disabled_us", BigInteger, nullable=True))
    op.add_column("accounts", Column("disabled_because", String(16), nullable=True))
