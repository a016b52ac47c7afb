"""Owns the shape of auth's tables. The migrations make them; a test compares the two. Times are Unix microseconds.

No column can sign anybody in: tokens and challenges are here as SHA-256 only, passwords as Argon2id under a key that is
elsewhere, seeds of authenticator apps sealed and recovery codes as HMAC under keys that are in the keys database.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table

from services.kit.outbox import outbox_tables

metadata = MetaData()
outbox_tables(metadata)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", String(30), primary_key=True),
    Column("email", String(320), nullable=False),
    Column("lookup", String(320), nullable=False, unique=True),
    Column("locale", String(16), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("confirmed_us", BigInteger, nullable=True),
    Column("disabled_us", BigInteger, nullable=True),
    Column("disabled_because", String(16), nullable=True),
)

passwords = Table(
    "passwords",
    metadata,
    Column("account_id", String(30), ForeignKey("accounts.account_id"), primary_key=True),
    Column("parameters", String(64), nullable=False),
    Column("digest", String(128), nullable=False),
    Column("pepper", String(32), nullable=False),
)

sign_ups = Table(
    "sign_ups",
    metadata,
    Column("sign_up_id", String(30), primary_key=True),
    Column("account_id", String(30), ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("parameters", String(64), nullable=False),
    Column("digest", String(128), nullable=False),
    Column("pepper", String(32), nullable=False),
    Column("created_us", BigInteger, nullable=False, index=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String(30), primary_key=True),
    Column("account_id", String(30), ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),
    Column("opened_us", BigInteger, nullable=False),
    Column("closes_us", BigInteger, nullable=False, index=True),
    Column("amr", String(64), nullable=False),
    Column("ended_us", BigInteger, nullable=True),
    Column("device", String(64), nullable=False, server_default=""),
    Column("place", String(64), nullable=False, server_default=""),
)

devices = Table(
    "devices",
    metadata,
    Column("account_id", String(30), ForeignKey("accounts.account_id"), primary_key=True),
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("device", String(64), nullable=False),
    Column("first_seen_us", BigInteger, nullable=False),
    Column("last_seen_us", BigInteger, nullable=False),
)

activity = Table(
    "activity",
    metadata,
    Column("session_id", String(30), primary_key=True),
    Column("active_us", BigInteger, nullable=False, index=True),
)

revocation_head = Table(
    "revocation_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

revocations = Table(
    "revocations",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("session_id", String(30), nullable=False),
    Column("revoked_us", BigInteger, nullable=False, index=True),
)

erasures = Table(
    "erasures",
    metadata,
    Column("account_id", String(30), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("requested_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False, index=True),
)

erasure_head = Table(
    "erasure_head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)

erasure_orders = Table(
    "erasure_orders",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", String(30), nullable=False),
    Column("phase", String(16), nullable=False),
)

erasure_parts = Table(
    "erasure_parts",
    metadata,
    Column("account_id", String(30), primary_key=True),
    Column("service", String(32), primary_key=True),
    Column("event_id", String(30), nullable=False),
    Column("done_us", BigInteger, nullable=False),
)

erasure_blocked = Table(
    "erasure_blocked",
    metadata,
    Column("account_id", String(30), primary_key=True),
    Column("service", String(32), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("cause", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=True),
)

mails = Table(
    "mails",
    metadata,
    Column("mail_id", String(30), primary_key=True),
    Column("account_id", String(30), nullable=False),
    Column("template", String(32), nullable=False),
    Column("reference", String(30), nullable=False),
    Column("due_us", BigInteger, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
)

mail_tokens = Table(
    "mail_tokens",
    metadata,
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("account_id", String(30), nullable=False, index=True),
    Column("reference", String(30), nullable=False),
    Column("expires_us", BigInteger, nullable=False, index=True),
    Column("used_us", BigInteger, nullable=True),
)

totp = Table(
    "totp",
    metadata,
    Column("account_id", String(30), ForeignKey("accounts.account_id"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("begun_us", BigInteger, nullable=False, index=True),
    Column("confirmed_us", BigInteger, nullable=True),
    Column("last_step", BigInteger, nullable=False),
)

passkeys = Table(
    "passkeys",
    metadata,
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

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("account_id", String(30), ForeignKey("accounts.account_id"), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("made_us", BigInteger, nullable=False),
    Column("used_us", BigInteger, nullable=True),
)

challenges = Table(
    "challenges",
    metadata,
    Column("challenge_hash", LargeBinary(32), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("account_id", String(30), nullable=False, index=True),
    Column("session_id", String(30), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("expires_us", BigInteger, nullable=False, index=True),
    Column("used_us", BigInteger, nullable=True),
)

email_changes = Table(
    "email_changes",
    metadata,
    Column("change_id", String(30), primary_key=True),
    Column("account_id", String(30), ForeignKey("accounts.account_id"), nullable=False, index=True),
    Column("email", String(320), nullable=False),
    Column("lookup", String(320), nullable=False),
    Column("old_email", String(320), nullable=False),
    Column("begun_us", BigInteger, nullable=False, index=True),
    Column("closed_us", BigInteger, nullable=True),
)

counters = Table(
    "counters",
    metadata,
    Column("bucket", String(64), primary_key=True),
    Column("hits", Integer, nullable=False),
    Column("expires_us", BigInteger, nullable=False, index=True),
)

links = Table(
    "links",
    metadata,
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

link_revocations = Table(
    "link_revocations",
    metadata,
    Column("revocation_id", String(30), primary_key=True),
    Column("link_id", String(30), nullable=False),
    Column("account_id", String(30), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("due_us", BigInteger, nullable=False, index=True),
    Column("ends_us", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
)

Index("links_of", links.c.account_id, links.c.provider)
Index(
    "links_connected",
    links.c.account_id,
    links.c.provider,
    unique=True,
    sqlite_where=links.c.connected_us.is_not(None),
    postgresql_where=links.c.connected_us.is_not(None),
)
Index(
    "sessions_open",
    sessions.c.session_id,
    sqlite_where=sessions.c.ended_us.is_(None),
    postgresql_where=sessions.c.ended_us.is_(None),
)
