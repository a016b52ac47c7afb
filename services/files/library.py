"""Owns what a customer can do with published files: list, read, delete. Another's file does not exist."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.files.cobblestone import DamagedError
from services.files.errors import FILE_DAMAGED, FILE_NOT_FOUND
from services.files.manifest import Manifest
from services.files.particulars import Particulars
from services.files.segments import SegmentReader
from services.files.workers import settle
from services.kit.clock import milliseconds
from services.kit.db import finish
from services.kit.faults import Fault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.files.blobs import BlobStore
    from services.files.keys import FileKey
    from services.files.store import StoredFile
    from services.files.stores import Stores
    from services.files.workers import Workers
    from services.kit.clock import Clock


@dataclass(frozen=True)
class File:
    """A file as its owner sees it."""

    stored: StoredFile
    particulars: Particulars


class Library:
    """The published files."""

    def __init__(self, stores: Stores, clock: Clock) -> None:
        self._stores, self._clock = stores, clock

    async def page(self, connection: AsyncConnection, customer: str, before: str, size: int) -> Sequence[File]:
        """Return at most ``size`` files, newest first, those older than the file ``before`` ("": all).

        Raises:
            Fault: FILE_DAMAGED.
        """
        rows = await self._stores.rows.page(connection, customer, before, size)
        try:
            keys = await self._stores.keys.open_all(row.ref for row in rows)
            return [_file(row, keys[row.ref.file]) for row in rows]
        except (DamagedError, KeyError):
            raise Fault(FILE_DAMAGED) from None

    async def get(self, connection: AsyncConnection, customer: str, file: str) -> tuple[File, FileKey]:
        """Return one file and its key.

        Raises:
            Fault: FILE_NOT_FOUND or FILE_DAMAGED.
        """
        row = await self._stores.rows.get(connection, customer, file)
        if row is None:
            raise Fault(FILE_NOT_FOUND)
        try:
            key = await self._stores.keys.open(row.ref)
            return _file(row, key), key
        except DamagedError:
            raise Fault(FILE_DAMAGED) from None

    async def remove(self, connection: AsyncConnection, customer: str, file: str) -> int:
        """Remove a file in the caller's transaction and mark it to be shredded; returns its size.

        Raises:
            Fault: FILE_NOT_FOUND.
        """
        now_ms = milliseconds(self._clock.now())
        size = await self._stores.rows.remove(connection, customer, file, now_ms)
        if size is None:
            raise Fault(FILE_NOT_FOUND)
        return size

    def content(self, file: File, key: FileKey) -> Content:
        """Open a file's bytes.

        Raises:
            Fault: FILE_DAMAGED.
        """
        try:
            manifest = Manifest.decode(key.unseal("manifest", file.stored.manifest))
        except DamagedError:
            raise Fault(FILE_DAMAGED) from None
        if manifest.length != file.stored.size:
            raise Fault(FILE_DAMAGED)
        return Content(manifest, key, self._stores.blobs, self._stores.workers)


class Content:
    """The bytes of one file."""

    def __init__(self, manifest: Manifest, key: FileKey, blobs: BlobStore, workers: Workers) -> None:
        self.manifest = manifest
        self._key, self._blobs, self._workers = key, blobs, workers

    async def read(self, start: int, stop: int) -> AsyncGenerator[memoryview]:
        """Yield the bytes ``start <= i < stop``, all authenticated; the next batch is read while one is being sent.

        Raises:
            Fault: FILE_DAMAGED. What was yielded before is good.
        """
        try:
            for span in self.manifest.spans(start, stop):
                segment = self.manifest.segments[span.index]
                secret, bound = self._key.content(), self._key.segment_context(span.index)
                reader = await self._workers.run(SegmentReader, self._blobs, segment, secret, bound)
                try:
                    async with aclosing(self._batches(reader, span.start, span.stop)) as batches:
                        async for batch in batches:
                            yield batch
                finally:
                    await finish(self._workers.run(reader.close))
        except DamagedError:
            raise Fault(FILE_DAMAGED) from None

    async def _batches(self, reader: SegmentReader, start: int, stop: int) -> AsyncGenerator[memoryview]:
        ahead = self._workers.start(reader.read, start, stop)
        try:
            while start < stop:
                batch = await asyncio.shield(ahead)
                start += len(batch)
                if start < stop:
                    ahead = self._workers.start(reader.read, start, stop)
                yield batch
        finally:
            await settle(ahead)


def _file(row: StoredFile, key: FileKey) -> File:
    return File(row, Particulars.decode(key.unseal("particulars", row.particulars)))
