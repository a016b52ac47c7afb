"""Owns destruction: first the key, then the bytes, then the note that they were to be destroyed. Safe to repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.files.stores import Stores


class Shredder:
    """Destroys what has been marked in ``shreds``."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def shred(self, file: str) -> None:
        """Destroy a file or upload that has been marked. Whatever this raises, the mark stays until all is gone."""
        stores = self._stores
        await stores.keys.destroy(file)
        async with stores.database.read() as connection:
            names = await stores.rows.blobs_of(connection, file)
        for name in names:
            await stores.workers.run(stores.blobs.delete, name)
        async with stores.database.write() as connection:
            await stores.rows.shredded(connection, file)
