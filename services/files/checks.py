"""Owns the live check of promise P13: what lies in the blob store is ciphertext, and that of the files it belongs to.

It reads a random sample with each file's own key inside this process and records a count; it hands nothing on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.files.cobblestone import DamagedError
from services.files.manifest import Manifest
from services.files.segments import SegmentReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.files.keys import FileKey
    from services.files.reconcile import Practices
    from services.files.store import StoredFile
    from services.files.stores import Stores
    from services.kit.outbox import Outbox
    from services.kit.telemetry import Log

CIPHERTEXT = "files.ciphertext_at_rest"


@dataclass(frozen=True)
class CheckConfig:
    """How often the check runs, in seconds, and how many files it reads."""

    interval_seconds: float = 3600.0
    sample: int = 32


class PracticeRecords:
    """Writes results of checks into the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def report(self, check: str, broken: int) -> None:
        """Record how many things were found broken."""
        event = self._outbox.event("practice.check")
        event.actor.kind, event.actor.id = event.actor.KIND_SERVICE, "files"
        event.object.kind, event.object.id = "practice", check
        event.details.state, event.details.count = "broken" if broken else "kept", broken
        await self._outbox.record(event)


class CiphertextCheck:
    """Samples files."""

    def __init__(
        self, stores: Stores, practices: Practices, entropy: Callable[[int], bytes], log: Log, config: CheckConfig
    ) -> None:
        self._stores, self._practices, self._entropy = stores, practices, entropy
        self._log, self._config = log, config

    async def run(self) -> None:
        """Check for ever."""
        while True:
            try:
                await self.check()
            except Exception as error:  # noqa: BLE001 - a check that cannot run goes stale, which the page shows
                self._log.failure("a live check did not run", error, check=CIPHERTEXT)
            await asyncio.sleep(self._config.interval_seconds)

    async def check(self) -> int:
        """Read a sample, record the result; return how many files were not what they must be."""
        broken = 0
        for stored in await self._sample():
            try:
                key = await self._stores.keys.open(stored.ref)
                await self._stores.workers.run(self._probe, stored, key)
            except DamagedError:
                broken += await self._exists(stored)
        await self._practices.report(CIPHERTEXT, broken)
        return broken

    async def _sample(self) -> list[StoredFile]:
        """Take files from a random place in the order of blob names, which are random; begin anew at the end."""
        async with self._stores.database.read() as connection:
            found = list(await self._stores.rows.sample(connection, self._entropy(16).hex(), self._config.sample))
            if len(found) < self._config.sample:
                found += await self._stores.rows.sample(connection, "", self._config.sample - len(found))
        return list({stored.ref.file: stored for stored in found}.values())

    def _probe(self, stored: StoredFile, key: FileKey) -> None:
        manifest = Manifest.decode(key.unseal("manifest", stored.manifest))
        for index, segment in enumerate(manifest.segments):
            reader = SegmentReader(self._stores.blobs, segment, key.content(), key.segment_context(index))
            try:
                reader.probe(int.from_bytes(self._entropy(8), "big"))
            finally:
                reader.close()

    async def _exists(self, stored: StoredFile) -> bool:
        """Tell whether the file is still there: it may have been deleted while it was being read."""
        async with self._stores.database.read() as connection:
            return await self._stores.rows.get(connection, stored.ref.customer, stored.ref.file) is not None
