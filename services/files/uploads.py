"""Owns the way of a new file from its first byte to its publication. Plaintext must never reach a disk.

Room is reserved and the upload noted before the first byte; the blob is durable before the file is published; the
file is published in the transaction that records it. Whatever breaks in between leaves an upload that is given up, here
or by the reconciler, and its key and bytes are destroyed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.files.errors import FILE_TOO_LARGE, UPLOAD_INCOMPLETE
from services.files.keys import FileRef
from services.files.manifest import Manifest
from services.files.segments import BATCH_BYTES, SegmentWriter
from services.files.store import StoredFile, Upload
from services.files.workers import settle
from services.kit.clock import milliseconds
from services.kit.db import finish
from services.kit.faults import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.files.keys import FileKey
    from services.files.particulars import Particulars
    from services.files.shredding import Shredder
    from services.files.stores import Stores
    from services.kit.clock import Clock
    from services.kit.ids import Ids

_VERSION = 1


@dataclass(frozen=True)
class UploadLimits:
    """How large one file may be, and how long an upload may go without a sign of life before it is given up."""

    file_bytes: int
    grace_seconds: float

    @property
    def pace_seconds(self) -> float:
        """How long a body may be silent, and how often a running upload says that it lives: well within the grace."""
        return self.grace_seconds / 4


@dataclass(frozen=True)
class Received:
    """An upload all of whose bytes are durable, ready to be published."""

    upload: Upload
    stored: StoredFile


class Uploads:
    """Receives files."""

    def __init__(
        self,
        stores: Stores,
        shredder: Shredder,
        clock: Clock,
        ids: Ids,
        entropy: Callable[[int], bytes],
        limits: UploadLimits,
    ) -> None:
        self._stores, self._shredder, self._clock, self._ids = stores, shredder, clock, ids
        self._entropy, self._limits = entropy, limits

    async def begin(self, customer: str, length: int) -> Upload:
        """Reserve room for a file of ``length`` bytes.

        Raises:
            Fault: FILE_TOO_LARGE or QUOTA_EXCEEDED.
        """
        if length > self._limits.file_bytes:
            raise Fault(FILE_TOO_LARGE)
        upload = Upload(FileRef(customer, self._ids.new("fil"), _VERSION), self._entropy(16).hex(), length)
        async with self._stores.database.write() as connection:
            await self._stores.rows.begin(connection, upload, self._now_ms())
        return upload

    async def receive(self, upload: Upload, particulars: Particulars, body: AsyncIterator[bytes]) -> Received:
        """Encrypt and store the bytes; they are durable on return.

        Raises:
            Fault: UPLOAD_INCOMPLETE, when other than the announced number of bytes came.
        """
        stores = self._stores
        key = await stores.keys.create(upload.ref)
        secret, bound = key.content(), key.segment_context(0)
        writer = await stores.workers.run(SegmentWriter, stores.blobs, upload.blob, upload.reserved, secret, bound)
        try:
            await self._fill(upload, writer, body)
            segment = await self._stores.workers.run(writer.commit)
        except BaseException:
            await finish(self._stores.workers.run(writer.discard))
            raise
        return Received(upload, self._stored(key, Manifest((segment,)), particulars))

    async def publish(self, connection: AsyncConnection, received: Received) -> StoredFile:
        """Make the file exist, in the caller's transaction.

        Raises:
            Fault: UPLOAD_INCOMPLETE, when the upload was given up meanwhile.
        """
        if not await self._stores.rows.publish(connection, received.upload, received.stored):
            raise Fault(UPLOAD_INCOMPLETE)
        return received.stored

    async def abandon(self, upload: Upload) -> None:
        """Give up an upload that was not published and destroy what it left."""
        async with self._stores.database.write() as connection:
            marked = await self._stores.rows.abandon(connection, upload.ref.file, self._now_ms(), idle_since_ms=None)
        if marked:
            await self._shredder.shred(upload.ref.file)

    async def _fill(self, upload: Upload, writer: SegmentWriter, body: AsyncIterator[bytes]) -> None:
        """Pass the body on in batches: one is encrypted in a thread while the next one comes in."""
        held, total, touched = bytearray(), 0, self._clock.monotonic()
        work: asyncio.Future[None] | None = None
        try:
            while piece := await self._next(body):
                total += len(piece)
                if total > upload.reserved:
                    break
                held += piece
                if len(held) >= BATCH_BYTES:
                    if work is not None:
                        await asyncio.shield(work)
                    work, held = self._stores.workers.start(writer.write, held), bytearray()
                if self._clock.monotonic() - touched > self._limits.pace_seconds:
                    touched = self._clock.monotonic()
                    await self._touch(upload)
            if total != upload.reserved:
                raise Fault(UPLOAD_INCOMPLETE)
        finally:
            if work is not None:
                await settle(work)
        if work is not None:
            work.result()
        await self._stores.workers.run(writer.write, held)

    async def _next(self, body: AsyncIterator[bytes]) -> bytes:
        """Return a body's next piece, b"" at its end; one that stays silent for too long is incomplete."""
        try:
            async with asyncio.timeout(self._limits.pace_seconds):
                return await anext(body, b"")
        except TimeoutError:
            raise Fault(UPLOAD_INCOMPLETE) from None

    async def _touch(self, upload: Upload) -> None:
        async with self._stores.database.write() as connection:
            if not await self._stores.rows.touch(connection, upload.ref.file, self._now_ms()):
                raise Fault(UPLOAD_INCOMPLETE)

    def _stored(self, key: FileKey, manifest: Manifest, particulars: Particulars) -> StoredFile:
        return StoredFile(
            ref=key.ref,
            size=manifest.length,
            created_ms=self._now_ms(),
            etag=self._entropy(16).hex(),
            manifest=key.seal("manifest", manifest.encode()),
            particulars=key.seal("particulars", particulars.encode()),
        )

    def _now_ms(self) -> int:
        return milliseconds(self._clock.now())
