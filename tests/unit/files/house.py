"""The files service without its listeners: real databases, a directory of blobs, a fake clock."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.files import sql
from services.files.blobs import BlobStore
from services.files.blobs_directory import DirectoryBlobs
from services.files.checks import CiphertextCheck, OrphanedKeys
from services.files.keys import FileKeys
from services.files.keystore import KeyStore
from services.files.library import File, Library
from services.files.particulars import Particulars
from services.files.reconcile import ReconcileConfig, Reconciler
from services.files.shredding import Shredder
from services.files.store import Quota, Store
from services.files.stores import Stores
from services.files.uploads import UploadLimits, Uploads
from services.files.workers import Workers
from services.kit.db import Database, DatabaseConfig
from services.kit.envelope import FileRootKey, create_root_key
from services.kit.ids import Ids
from services.kit.keyring import Keyring, keyring_tables
from services.kit.outbox import Outbox
from services.kit.telemetry import Log
from tests.support.clock import FakeClock
from valv.audit.v1 import event_pb2

ANNA, BERTIL = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9", "usr_01jd9xk8w0q2m3n4p5r6s7t8w0"
QUOTA = Quota(bytes=10_000_000, files=100)


class House:
    """All parts of files over stores in one folder."""

    def __init__(self, folder: Path, blobs: BlobStore | None = None, url: str = "", keys_url: str = "") -> None:
        self.folder, self.clock = folder, FakeClock()
        self.database = Database(DatabaseConfig(url or f"sqlite+aiosqlite:///{folder}/files.db"))
        self.keys_database = Database(
            DatabaseConfig(keys_url or f"sqlite+aiosqlite:///{folder}/keys.db", secure_delete=True)
        )
        create_root_key(folder / "root.key")
        self.ids = Ids(self.clock)
        self.outbox = Outbox(self.database, self.clock, self.ids)
        self.workers = Workers(4)
        self.store = Store(QUOTA)
        self.keyring = Keyring(self.keys_database, FileRootKey(folder / "root.key"), "files", self.clock)
        self.keys = FileKeys(KeyStore(self.keys_database), self.keyring, secrets.token_bytes)
        self.blobs = blobs or DirectoryBlobs(folder / "blobs")
        self.assemble()

    def assemble(self) -> None:
        """Put the parts together from the present stores."""
        self.stores = Stores(self.database, self.store, self.keys, self.blobs, self.workers)
        self.library = Library(self.stores, self.clock)
        self.shredder = Shredder(self.stores)
        self.uploads = Uploads(
            self.stores, self.shredder, self.clock, self.ids, secrets.token_bytes, UploadLimits(8_000_000, 240)
        )
        self.reconciler = Reconciler(self.stores, self.shredder, self.clock, Log("test"), ReconcileConfig())
        self.check = CiphertextCheck(self.stores, secrets.token_bytes)
        self.orphans = OrphanedKeys(self.stores, KeyStore(self.keys_database), self.clock)

    async def open(self) -> House:
        """Make the tables."""
        keyring_tables(keys := MetaData())
        for database, metadata in ((self.database, sql.metadata), (self.keys_database, sql.keys_metadata)):
            async with database.write() as connection:
                await connection.run_sync(metadata.create_all)
        async with self.keys_database.write() as connection:
            await connection.run_sync(keys.create_all)
        return self

    async def close(self) -> None:
        """Close the stores."""
        await self.outbox.close()
        await self.workers.close()
        await self.database.close()
        await self.keys_database.close()

    async def put(self, customer: str, data: bytes, name: str = "a file", announced: int | None = None) -> str:
        """Upload a file the way the handler does."""
        upload = await self.uploads.begin(customer, len(data) if announced is None else announced)
        try:
            received = await self.uploads.receive(upload, Particulars.parse(name, "text/plain"), pieces(data))
        except BaseException:
            await self.uploads.abandon(upload)
            raise
        async with self.database.write() as connection:
            await self.uploads.publish(connection, received)
        return upload.ref.file

    async def file(self, customer: str, file: str) -> File:
        """Return a file."""
        async with self.database.read() as connection:
            return (await self.library.get(connection, customer, file))[0]

    async def read(self, customer: str, file: str, start: int = 0, stop: int | None = None) -> bytes:
        """Read a file or a part of it."""
        async with self.database.read() as connection:
            found, key = await self.library.get(connection, customer, file)
        content = self.library.content(found, key)
        parts = [bytes(p) async for p in content.read(start, found.stored.size if stop is None else stop)]
        return b"".join(parts)

    async def remove(self, customer: str, file: str, *, shred: bool = True) -> int:
        """Delete a file the way the handler does."""
        async with self.database.write() as connection:
            size = await self.library.remove(connection, customer, file)
        if shred:
            await self.shredder.shred(file)
        return size

    async def rows(self, table: str) -> list[tuple[object, ...]]:
        """Return all rows of a table."""
        metadata, database = sql.metadata, self.database
        if table in sql.keys_metadata.tables:
            metadata, database = sql.keys_metadata, self.keys_database
        async with database.read() as connection:
            return [tuple(row) for row in await connection.execute(select(metadata.tables[table]))]

    async def usage(self, customer: str) -> tuple[int, int, int]:
        """Return (stored bytes, reserved bytes, files)."""
        found = [row for row in await self.rows("usage") if row[0] == customer]
        return found[0][1:] if found else (0, 0, 0)  # type: ignore[return-value]  # a row of three numbers

    async def events(self) -> list[event_pb2.Event]:
        """Return what was recorded."""
        async with self.database.read() as connection:
            rows = await connection.execute(select(self.outbox.table.c.event).order_by(self.outbox.table.c.id))
            return [event_pb2.Event.FromString(data) for data in rows.scalars()]

    def stored(self) -> list[Path]:
        """Return all blobs, and what is being written."""
        return [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]

    async def change(self, work: Callable[[AsyncConnection], object]) -> None:
        """Change the main database behind the service's back."""
        async with self.database.write() as connection:
            await work(connection)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping


async def pieces(data: bytes, size: int = 70_001) -> AsyncIterator[bytes]:
    """Yield data as a network would."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)
