"""What retention does by itself, for ever: lets go what released holds kept, and sweeps once a day.

Owns when; one replica at a time, by a lease. (Two at once would do no harm: each step is judged in its transaction.)
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

PAUSE_SECONDS = 5.0
RETRY_SECONDS = 30.0


class Lease(Protocol):
    """Lets one process work."""

    async def hold(self) -> int | None:
        """Take or keep the lease; None while another holds it."""

    async def release(self) -> None:
        """Give the lease up, if held."""


class Work(Protocol):
    """Something to be done whenever there is some of it."""

    async def step(self) -> int:
        """Do what there is; return how much."""


class Sweep(Protocol):
    """What is to be done once a day."""

    async def due(self, early: timedelta) -> bool:
        """Tell whether a day has passed since it was done, or will have in `early`."""

    async def sweep(self, go_on: Callable[[], Awaitable[bool]]) -> bool:
        """Do it; tells whether it came to its end. `go_on` is asked before each step."""


class Log(Protocol):
    """Where work that failed is told."""

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Log something to mend."""


class Upkeep:
    """Does the work of retention."""

    def __init__(self, lease: Lease, releaser: Work, sweeper: Sweep, jitter: Callable[[], timedelta], log: Log) -> None:
        """Take the lease, what there is to do, and by how much a sweep may come early, drawn for each."""
        self._lease, self._releaser, self._sweeper, self._log = lease, releaser, sweeper, log
        self._jitter, self._early = jitter, jitter()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                pause = await self._round()
                await asyncio.sleep(pause)
        finally:
            await self._lease.release()

    async def step(self) -> None:
        """Do what there is to do, unless another process does."""
        if not await self._holding():
            return
        await self._releaser.step()
        if await self._sweeper.due(self._early) and await self._sweeper.sweep(self._holding):
            self._early = self._jitter()

    async def _holding(self) -> bool:
        return await self._lease.hold() is not None

    async def _round(self) -> float:
        try:
            await self.step()
        except Exception as error:  # noqa: BLE001 - whatever a store raises: it is tried again
            self._log.failure("retention waits", error)
            return RETRY_SECONDS
        return PAUSE_SECONDS
