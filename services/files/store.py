"""Owns what is kept about files in the main database, and the arithmetic of quotas. Must never see a key or a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, union, update
from sqlalchemy.dialects import postgresql, sqlite

from services.files import sql
from services.files.errors import QUOTA_EXCEEDED
from services.files.keys import FileRef
from services.kit.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True)
class Quota:
    """How many bytes and files one customer may store."""

    bytes: int
    files: int


@dataclass(frozen=True)
class StoredFile:
    """A published file as it is stored."""

    ref: FileRef
    size: int
    created_ms: int
    etag: str
    manifest: bytes
    particulars: bytes


@dataclass(frozen=True)
class Upload:
    """An upload in progress: what it may become, and what it holds of the quota."""

    ref: FileRef
    blob: str
    reserved: int


class Store:
    """Rows of files, uploads, usage, blobs and shreds. Each method works in the caller's transaction."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota

    async def begin(self, connection: AsyncConnection, upload: Upload, now_ms: int) -> None:
        """Reserve room for an upload and note what it will leave behind should it die.

        Raises:
            Fault: QUOTA_EXCEEDED.
        """
        customer, usage = upload.ref.customer, sql.usage
        make = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        empty = make(usage).values(customer=customer, stored_bytes=0, reserved_bytes=0, files=0)
        await connection.execute(empty.on_conflict_do_nothing())
        room = update(usage).where(
            usage.c.customer == customer,
            usage.c.stored_bytes + usage.c.reserved_bytes + upload.reserved <= self.quota.bytes,
            usage.c.files < self.quota.files,
        )
        taken = room.values(reserved_bytes=usage.c.reserved_bytes + upload.reserved, files=usage.c.files + 1)
        if (await connection.execute(taken)).rowcount != 1:
            raise Fault(QUOTA_EXCEEDED)
        row = {"file_id": upload.ref.file, "customer": customer, "reserved": upload.reserved, "touched_ms": now_ms}
        await connection.execute(insert(sql.uploads).values(row))
        await connection.execute(insert(sql.blobs).values(name=upload.blob, file_id=upload.ref.file))

    async def touch(self, connection: AsyncConnection, file: str, now_ms: int) -> bool:
        """Say that an upload still runs; False when it was given up meanwhile."""
        query = update(sql.uploads).where(sql.uploads.c.file_id == file).values(touched_ms=now_ms)
        return (await connection.execute(query)).rowcount == 1

    async def publish(self, connection: AsyncConnection, upload: Upload, stored: StoredFile) -> bool:
        """Turn an upload into a file; False when it was given up meanwhile."""
        gone = await connection.execute(delete(sql.uploads).where(sql.uploads.c.file_id == upload.ref.file))
        if gone.rowcount != 1:
            return False
        row = {
            "file_id": stored.ref.file,
            "customer": stored.ref.customer,
            "version": stored.ref.version,
            "size": stored.size,
            "created_ms": stored.created_ms,
            "etag": stored.etag,
            "manifest": stored.manifest,
            "particulars": stored.particulars,
        }
        await connection.execute(insert(sql.files).values(row))
        await self._use(connection, upload.ref.customer, stored=stored.size, reserved=-upload.reserved)
        return True

    async def abandon(self, connection: AsyncConnection, file: str, now_ms: int, *, idle_since_ms: int | None) -> bool:
        """Give up an upload (if given, only one idle since then) and free its room; False when there is none."""
        query = delete(sql.uploads).where(sql.uploads.c.file_id == file)
        if idle_since_ms is not None:
            query = query.where(sql.uploads.c.touched_ms < idle_since_ms)
        rows = await connection.execute(query.returning(sql.uploads.c.customer, sql.uploads.c.reserved))
        row = rows.one_or_none()
        if row is None:
            return False
        await self._use(connection, row.customer, reserved=-row.reserved, files=-1)
        await connection.execute(insert(sql.shreds).values(file_id=file, asked_ms=now_ms))
        return True

    async def remove(self, connection: AsyncConnection, customer: str, file: str, now_ms: int) -> int | None:
        """Remove a customer's file and mark it to be shredded; returns its size, or None when there is none."""
        query = delete(sql.files).where(sql.files.c.file_id == file, sql.files.c.customer == customer)
        size = (await connection.execute(query.returning(sql.files.c.size))).scalar_one_or_none()
        if size is None:
            return None
        await self._use(connection, customer, stored=-size, files=-1)
        await connection.execute(insert(sql.shreds).values(file_id=file, asked_ms=now_ms))
        return int(size)

    async def remove_all(self, connection: AsyncConnection, customer: str, now_ms: int) -> Sequence[str]:
        """Remove all of a customer's files and uploads and mark them to be shredded; returns their ids."""
        gone: list[str] = []
        for table in (sql.files, sql.uploads):
            query = delete(table).where(table.c.customer == customer).returning(table.c.file_id)
            gone += (await connection.execute(query)).scalars().all()
        await connection.execute(delete(sql.usage).where(sql.usage.c.customer == customer))
        if gone:
            await connection.execute(insert(sql.shreds), [{"file_id": file, "asked_ms": now_ms} for file in gone])
        return gone

    async def get(self, connection: AsyncConnection, customer: str, file: str) -> StoredFile | None:
        """Return a customer's file."""
        query = select(sql.files).where(sql.files.c.file_id == file, sql.files.c.customer == customer)
        row = (await connection.execute(query)).one_or_none()
        return None if row is None else _stored(row)

    async def page(self, connection: AsyncConnection, customer: str, before: str, size: int) -> Sequence[StoredFile]:
        """Return at most ``size`` of a customer's files, newest first: those older than ``before`` ("": all)."""
        query = select(sql.files).where(sql.files.c.customer == customer)
        if before:
            query = query.where(sql.files.c.file_id < before)
        rows = await connection.execute(query.order_by(sql.files.c.file_id.desc()).limit(size))
        return [_stored(row) for row in rows]

    async def used_bytes(self, connection: AsyncConnection, customer: str) -> int:
        """Return how many bytes a customer stores."""
        query = select(sql.usage.c.stored_bytes).where(sql.usage.c.customer == customer)
        return int((await connection.execute(query)).scalar_one_or_none() or 0)

    async def idle_uploads(self, connection: AsyncConnection, since_ms: int, limit: int) -> Sequence[str]:
        """Return uploads that nobody has touched since then."""
        query = select(sql.uploads.c.file_id).where(sql.uploads.c.touched_ms < since_ms)
        return (await connection.execute(query.order_by(sql.uploads.c.touched_ms).limit(limit))).scalars().all()

    async def shreddable(self, connection: AsyncConnection, limit: int) -> Sequence[str]:
        """Return files that wait to be destroyed, oldest first."""
        query = select(sql.shreds.c.file_id).order_by(sql.shreds.c.asked_ms).limit(limit)
        return (await connection.execute(query)).scalars().all()

    async def blobs_of(self, connection: AsyncConnection, file: str) -> Sequence[str]:
        """Return the blobs that belong to a file or an upload."""
        query = select(sql.blobs.c.name).where(sql.blobs.c.file_id == file)
        return (await connection.execute(query)).scalars().all()

    async def shredded(self, connection: AsyncConnection, file: str) -> None:
        """Forget a file of which nothing is left."""
        await connection.execute(delete(sql.blobs).where(sql.blobs.c.file_id == file))
        await connection.execute(delete(sql.shreds).where(sql.shreds.c.file_id == file))

    async def known_blobs(self, connection: AsyncConnection, names: Collection[str]) -> set[str]:
        """Return which of these blobs belong to something."""
        query = select(sql.blobs.c.name).where(sql.blobs.c.name.in_(names))
        return set((await connection.execute(query)).scalars())

    async def known_files(self, connection: AsyncConnection, files: Collection[str]) -> set[str]:
        """Return which of these are stored, on their way in, or about to be destroyed."""
        tables = (sql.files, sql.uploads, sql.shreds)
        queries = (select(table.c.file_id).where(table.c.file_id.in_(files)) for table in tables)
        return set((await connection.execute(union(*queries))).scalars())

    async def published_blobs(self, connection: AsyncConnection, prefix: str) -> set[str]:
        """Return the blobs of published files whose names begin so."""
        query = select(sql.blobs.c.name).join(sql.files, sql.files.c.file_id == sql.blobs.c.file_id)
        return set((await connection.execute(query.where(sql.blobs.c.name.startswith(prefix)))).scalars())

    async def sample(self, connection: AsyncConnection, after_blob: str, limit: int) -> Sequence[StoredFile]:
        """Return files of any customer in the order of blob names, which are random; for the live check alone."""
        query = select(sql.files).join(sql.blobs, sql.files.c.file_id == sql.blobs.c.file_id)
        query = query.where(sql.blobs.c.name > after_blob).order_by(sql.blobs.c.name).limit(limit)
        return [_stored(row) for row in await connection.execute(query)]

    async def _use(
        self, connection: AsyncConnection, customer: str, *, stored: int = 0, reserved: int = 0, files: int = 0
    ) -> None:
        usage = sql.usage
        change = {
            usage.c.stored_bytes: usage.c.stored_bytes + stored,
            usage.c.reserved_bytes: usage.c.reserved_bytes + reserved,
            usage.c.files: usage.c.files + files,
        }
        await connection.execute(update(usage).where(usage.c.customer == customer).values(change))


def _stored(row: Row[tuple[object, ...]]) -> StoredFile:
    return StoredFile(
        ref=FileRef(row.customer, row.file_id, row.version),
        size=row.size,
        created_ms=row.created_ms,
        etag=row.etag,
        manifest=bytes(row.manifest),
        particulars=bytes(row.particulars),
    )
