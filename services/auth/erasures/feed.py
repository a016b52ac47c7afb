"""Owns the passing on of numbered orders to erase, to any number of streams. The rows are the truth."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.auth.store import StoreAway

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.auth.erasures.erasure import Order
    from services.auth.store import Units

POLL_SECONDS = 0.5
BATCH = 200


class ErasureFeed:
    """Knows the highest number; reads rows only for streams that lack some."""

    def __init__(self, units: Units) -> None:
        """Take transactions to read in."""
        self._units = units
        self._latest = 0

    async def run(self) -> None:
        """Look for new orders, for ever."""
        while True:
            try:
                async with self._units.read() as store:
                    self._latest = await store.lifecycle.erasures.latest()
            except StoreAway:
                pass  # the broadcaster reports that the store is away; an order waits
            await asyncio.sleep(POLL_SECONDS)

    async def after(self, sequence: int) -> Sequence[Order]:
        """Return the next orders with higher numbers; none while they cannot be read."""
        if self._latest <= sequence:
            return ()
        try:
            async with self._units.read() as store:
                return await store.lifecycle.erasures.orders(sequence, BATCH)
        except StoreAway:
            return ()
