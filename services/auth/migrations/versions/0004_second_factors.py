"""Lay authenticator apps, passkeys, recovery codes and challenges."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "totp",
        Column("account_id", String(30), ForeignKey("accounts.account_id"), primary_key=True),
        Column("sealed", LargeBinary, nullable=False),
        Column("begun_us", BigInteger, nullable=False, index=True),
        Column("confirmed_us", BigInteger, nullable=True),
        Column("last_step", BigInteger, nullable=False),
    )
    op.create_table(
        "passkeys",
        Column("passkey_id", String(30), primary_key=True),
        Column("account_id", String(30), ForeignKey("accounts.account_id"), nullable=False, index=True),
        Column("credential_id", LargeBinary, nullable=False, unique=True),
        Column("public_key", LargeBinary, nullable=False),
        Column("sign_count", BigInteger, nullable=False),
        Column("verifies_user", Boolean, nullable=False),
        Column("transports", String(64), nullable=False),
        Column("display_name", String(64), nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("used_us", BigInteger, nullable=True),
    )
    op.create_table(
        "recovery_codes",
        Column("account_id", String(30), ForeignKey("accounts.account_id"), primary_key=True),
        Column("digest", LargeBinary(32), primary_key=True),
        Column("made_us", BigInteger, nullable=False),
        Column("used_us", BigInteger, nullable=True),
    )
    op.create_table(
        "challenges",
        Column("challenge_hash", LargeBinary(32), primary_key=True),
        Column("purpose", String(16), nullable=False),
        Column("account_id", String(30), nullable=False, index=True),
        Column("session_id", String(30), nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("expires_us", BigInteger, nullable=False, index=True),
        Column("used_us", BigInteger, nullable=True),
    )
