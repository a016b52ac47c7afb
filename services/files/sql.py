"""Owns the tables of the files service. The main database holds no key; names of files are in it only sealed.

``blobs`` says whose each blob is, so that whatever a crash leaves can be told from what is in use. ``shreds`` holds
what has been deleted or given up and must be destroyed; rows leave it when nothing is left to destroy.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

from services.kit.erasure import erasure_table
from services.kit.outbox import outbox_tables

MAIN_REVISION = "0002"
KEYS_REVISION = "0001"

metadata = MetaData()
outbox_tables(metadata)
erasure_table(metadata)

files = Table(
    "files",
    metadata,
    Column("file_id", String(30), primary_key=True),
    Column("customer", String(30), nullable=False),
    Column("version", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("etag", String(32), nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("particulars", LargeBinary, nullable=False),
    Index("files_of_customer", "customer", "file_id"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("file_id", String(30), primary_key=True),
    Column("customer", String(30), nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("touched_ms", BigInteger, nullable=False, index=True),
)

usage = Table(
    "usage",
    metadata,
    Column("customer", String(30), primary_key=True),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("reserved_bytes", BigInteger, nullable=False),
    Column("files", Integer, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("file_id", String(30), nullable=False, index=True),
)

shreds = Table(
    "shreds",
    metadata,
    Column("file_id", String(30), primary_key=True),
    Column("asked_ms", BigInteger, nullable=False),
)

keys_metadata = MetaData()

file_keys = Table(
    "file_keys",
    keys_metadata,
    Column("file_id", String(30), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)
