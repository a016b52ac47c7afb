"""Counters in memory, for tests that count by the thousand; the contract suite holds them to what real ones do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from services.auth.throttle import Bucket, Taken


class MemoryCounters:
    """Counts, and when each may be dropped."""

    def __init__(self) -> None:
        """Begin with none."""
        self.counts: dict[str, int] = {}
        self._expires: dict[str, datetime] = {}

    async def take(self, buckets: Sequence[Bucket]) -> Taken:
        """Count one in each bucket if none of them is full."""
        await asyncio.sleep(0)
        full = frozenset(bucket.name for bucket in buckets if self.counts.get(bucket.name, 0) >= bucket.limit)
        if not full:
            for bucket in buckets:
                self.counts[bucket.name] = self.counts.get(bucket.name, 0) + 1
                self._expires[bucket.name] = bucket.expires
        return Taken(full, self)

    async def forgive(self, names: Sequence[str]) -> None:
        """Take one back from each bucket."""
        await asyncio.sleep(0)
        for name in names:
            self.counts[name] = max(0, self.counts.get(name, 0) - 1)

    async def count(self, name: str) -> int:
        """Return a count."""
        await asyncio.sleep(0)
        return self.counts.get(name, 0)

    async def add(self, name: str, expires: datetime) -> None:
        """Count one more."""
        await asyncio.sleep(0)
        self.counts[name] = self.counts.get(name, 0) + 1
        self._expires[name] = expires

    async def clear(self, name: str) -> None:
        """Begin again from 0."""
        await asyncio.sleep(0)
        self.counts.pop(name, None)

    def sweep(self, now: datetime) -> None:
        """Drop what may be dropped."""
        for name in [name for name, expires in self._expires.items() if expires < now]:
            self.counts.pop(name, None)
