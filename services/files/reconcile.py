"""Owns the finding of what a crash left: idle uploads, unfinished destruction, blobs of nobody, files without blobs.

Everything it does may be done twice and by several replicas at once. It must never touch an upload that still runs, nor
a blob that belongs to anything.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from services.kit.clock import milliseconds

if TYPE_CHECKING:
    from services.files.blobs import BlobInfo, BlobStore
    from services.files.shredding import Shredder
    from services.files.stores import Stores
    from services.kit.clock import Clock
    from services.kit.telemetry import Log

_BATCH = 100


@dataclass(frozen=True)
class ReconcileConfig:
    """How often what a crash left is looked for, and for how long it is left alone (all in seconds)."""

    interval_seconds: float = 60.0
    upload_grace_seconds: float = 240.0
    orphan_grace_seconds: float = 604800.0


class Reconciler:
    """Tidies the stores."""

    def __init__(self, stores: Stores, shredder: Shredder, clock: Clock, log: Log, config: ReconcileConfig) -> None:
        self._stores, self._shredder = stores, shredder
        self._clock, self._log, self._config = clock, log, config

    async def run(self) -> None:
        """Tidy for ever."""
        while True:
            try:
                await self.tidy()
            except Exception as error:  # noqa: BLE001 - a store that is away now is tidied the next time
                self._log.failure("reconciling failed", error)
            await asyncio.sleep(self._config.interval_seconds)

    async def tidy(self) -> int:
        """Give up idle uploads and finish destruction; return how many files and uploads were destroyed."""
        now = self._clock.now()
        since_ms = milliseconds(now - timedelta(seconds=self._config.upload_grace_seconds))
        async with self._stores.database.read() as connection:
            idle = await self._stores.rows.idle_uploads(connection, since_ms, _BATCH)
        for file in idle:
            async with self._stores.database.write() as connection:
                await self._stores.rows.abandon(connection, file, milliseconds(now), idle_since_ms=since_ms)
        async with self._stores.database.read() as connection:
            marked = await self._stores.rows.shreddable(connection, _BATCH)
        for file in marked:
            await self._shredder.shred(file)
        if idle or marked:
            self._log.info("reconciled", count=len(marked))
        return len(marked)

    async def scan(self) -> tuple[int, int]:
        """Compare rows and blobs; return how many blobs of nobody were removed and how many files lack a blob."""
        grace = timedelta(seconds=self._config.orphan_grace_seconds)
        orphans = missing = 0
        for number in range(256):
            prefix = f"{number:02x}"
            async with self._stores.database.read() as connection:
                published = await self._stores.rows.published_blobs(connection, prefix)
            found = await self._stores.workers.run(_listed, self._stores.blobs, prefix)
            missing += await self._lacking(prefix, published - {info.name for info in found})
            orphans += await self._remove_orphans([i.name for i in found if i.modified < self._clock.now() - grace])
        await self._stores.workers.run(self._stores.blobs.sweep, self._clock.now() - grace)
        if orphans or missing:
            self._log.error("rows and blobs disagree", count=orphans + missing)
        return orphans, missing

    async def _lacking(self, prefix: str, names: set[str]) -> int:
        """Count those that are still published: a file may have been deleted between the two readings."""
        if not names:
            return 0
        async with self._stores.database.read() as connection:
            return len(names & await self._stores.rows.published_blobs(connection, prefix))

    async def _remove_orphans(self, names: list[str]) -> int:
        orphans: set[str] = set()
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            async with self._stores.database.read() as connection:
                orphans |= set(batch) - await self._stores.rows.known_blobs(connection, batch)
        for name in orphans:
            await self._stores.workers.run(self._stores.blobs.delete, name)
        return len(orphans)


def _listed(blobs: BlobStore, prefix: str) -> list[BlobInfo]:
    return list(blobs.list(prefix))
