"""Owns the erasure of a customer's files: rows, then the key that all their keys are wrapped under, then the bytes.

Safe to repeat. When the customer's key is destroyed no byte of theirs can be read; what a crash leaves of the
ciphertext is removed by the reconciler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kit.clock import milliseconds
from services.kit.erasure import Erased, event_of

if TYPE_CHECKING:
    from services.files.shredding import Shredder
    from services.files.stores import Stores
    from services.kit.clock import Clock
    from services.kit.outbox import Outbox


class Eraser:
    """Erases all that is kept of a customer."""

    def __init__(self, stores: Stores, shredder: Shredder, outbox: Outbox, clock: Clock) -> None:
        self._stores, self._shredder, self._outbox, self._clock = stores, shredder, outbox, clock

    async def erase(self, customer: str) -> Erased:
        """Erase; returns the event that records how many files it was. Raises what the stores raise."""
        stores, event = self._stores, event_of(self._outbox, "files", customer, 0)
        async with stores.database.write() as connection:
            now_ms = milliseconds(self._clock.now())
            gone = await stores.rows.remove_all(connection, customer, now_ms)
            event.details.count = len(gone)
            await self._outbox.add(connection, event)
        await stores.keys.forget(customer)
        for file in gone:
            await self._shredder.shred(file)
        return Erased(event.event_id)
