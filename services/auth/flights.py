"""Owns which counted attempts of this process are still in flight. Must never keep anybody waiting for none."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Flight:
    """One counted attempt."""

    succeeded = False
    """Whether what it counted has been taken back."""


class Flights:
    """Counted attempts whose outcome is not known, by the buckets they are counted in."""

    def __init__(self) -> None:
        """Begin with none."""
        self._flying: Counter[str] = Counter()
        self._waiting: dict[str, list[asyncio.Future[bool]]] = {}

    @contextmanager
    def of(self, names: Sequence[str]) -> Iterator[Flight]:
        """Be in flight for the block."""
        flight = Flight()
        self._flying.update(names)
        try:
            yield flight
        finally:
            for name in names:
                self._land(name, freed=flight.succeeded)

    async def landing(self, full: Iterable[str]) -> bool:
        """Wait until a full bucket may have room again; False when nothing in flight can make any."""
        names = sorted(full)
        if not all(self._flying[name] for name in names):
            return False
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(names[0], []).append(waiting)
        return await waiting

    def _land(self, name: str, *, freed: bool) -> None:
        self._flying[name] -= 1
        last = not self._flying[name]
        if last:
            del self._flying[name]
        if freed or last:
            for waiting in self._waiting.pop(name, ()):
                if not waiting.done():
                    waiting.set_result(freed)
