"""Owns the live checks of promise P13: what lies in the blob store is ciphertext, whole, and that of files there are.

``files.ciphertext_at_rest`` reads a random sample with each file's own key inside this process and hands nothing on;
``files.blobs_present`` counts files that lack their blob; ``files.orphaned_keys`` counts keys whose files are gone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from services.files.cobblestone import DamagedError
from services.files.manifest import Manifest
from services.files.segments import SegmentReader
from services.kit.checks import Check
from services.kit.ids import made_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.files.keys import FileKey
    from services.files.keystore import KeyStore
    from services.files.reconcile import Reconciler
    from services.files.store import StoredFile
    from services.files.stores import Stores
    from services.kit.clock import Clock

SAMPLE = 32
"""Files that one run reads."""
_PAGE = 500
_GRACE = timedelta(days=1)


def checks(ciphertext: CiphertextCheck, reconciler: Reconciler, orphans: OrphanedKeys) -> tuple[Check, ...]:
    """Return the checks."""

    async def missing() -> int:
        return (await reconciler.scan())[1]

    return (
        Check("files.ciphertext_at_rest", ciphertext.check),
        Check("files.blobs_present", missing),
        Check("files.orphaned_keys", orphans.check),
    )


class CiphertextCheck:
    """Samples files."""

    def __init__(self, stores: Stores, entropy: Callable[[int], bytes], sample: int = SAMPLE) -> None:
        self._stores, self._entropy, self._sample_size = stores, entropy, sample

    async def check(self) -> int:
        """Read a sample; return how many files were not what they must be."""
        broken = 0
        for stored in await self._sample():
            try:
                key = await self._stores.keys.open(stored.ref)
                await self._stores.workers.run(self._probe, stored, key)
            except DamagedError:
                broken += await self._exists(stored)
        return broken

    async def _sample(self) -> list[StoredFile]:
        """Take files from a random place in the order of blob names, which are random; begin anew at the end."""
        async with self._stores.database.read() as connection:
            found = list(await self._stores.rows.sample(connection, self._entropy(16).hex(), self._sample_size))
            if len(found) < self._sample_size:
                found += await self._stores.rows.sample(connection, "", self._sample_size - len(found))
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


class OrphanedKeys:
    """Finds keys that outlived their files: what they open is not destroyed."""

    def __init__(self, stores: Stores, kept: KeyStore, clock: Clock) -> None:
        self._stores, self._kept, self._clock = stores, kept, clock

    async def check(self) -> int:
        """Count the keys of files that are neither stored, nor on their way in, nor about to be destroyed."""
        orphans, after = 0, ""
        while page := await self._kept.files(after, _PAGE):
            old = [file for file in page if made_at(file) < self._clock.now() - _GRACE]
            async with self._stores.database.read() as connection:
                unknown = set(old) - await self._stores.rows.known_files(connection, old)
            orphans += len(await self._kept.get(unknown)) if unknown else 0  # not those destroyed meanwhile
            after = page[-1]
        return orphans
