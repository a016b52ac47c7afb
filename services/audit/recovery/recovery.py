"""A recovery: from the entries that a restored database has back to the last signed head.

Owns its steps: the signed order is read from the tiles, the producers replay into it, and when every entry is back, or
every producer has said that it has no more, the tree is computed again and must be the signed one. Signs nothing.
Safe to be run by several processes and to be killed at any step: each step is a transaction that may be repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.audit.checkpoint import Checkpoint
from services.audit.errors import HaltError
from services.audit.recovery.order import Entries, grown, require_signed, signed_entries
from services.audit.store import TileStore
from services.kit.clock import Clock

PATIENCE = timedelta(seconds=60)
"""For how long a recovery waits for producers that the restored database has never heard of."""
_TELL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recovery is."""

    began: datetime
    held: int
    target: int
    bodiless: int
    silent: Sequence[str]
    """Producers that may have more to replay."""
    keyless: Sequence[str]
    """Producers that replay records whose subject has no key."""


class Recoveries(Protocol):
    """Where recoveries are kept."""

    async def size(self) -> int:
        """Return the number of entries before the recovery."""

    async def progress(self) -> Progress | None:
        """Return how far the running recovery is, or None."""

    async def await_records(self, first: int, entries: Sequence[bytes]) -> None:
        """Keep these signed entries, from index `first` on, as ones whose record is awaited; those held are skipped."""

    async def begin(self, target: int) -> None:
        """Let producers replay up to `target`, and record it."""

    async def end(self, target: int, lost: int) -> bool:
        """Let the log go on from `target`, and record it; False when not `lost` entries are without a record by now."""


class Log(Protocol):
    """Where a recovery tells how far it is."""

    def warning(self, name: str, **fields: object) -> None:
        """Log something to look at."""


class Recovery:
    """Brings a restored log back to what it had signed."""

    def __init__(
        self,
        store: Recoveries,
        entries: Entries,
        tiles: TileStore,
        clock: Clock,
        log: Log,
        accept_lost: int = 0,
    ) -> None:
        """Take the stores; `accept_lost` is how many entries an operator has accepted to be left without a record."""
        self._store, self._entries, self._tiles = store, entries, tiles
        self._clock, self._log, self._accept_lost = clock, log, accept_lost
        self._told: float | None = None

    async def advance(self, head: Checkpoint) -> None:
        """Do what can be done now on the way to the signed `head`.

        Raises:
            HaltError: TILES_LOST, TILES_DIFFER or ENTRIES_DIFFER: only an operator can mend that.
        """
        progress = await self._store.progress()
        if progress is None or progress.target != head.size:
            await self._begin(head)
        elif not progress.bodiless or self._may_end(progress):
            await self._end(head, progress)
        else:
            self._tell(progress)

    async def _begin(self, head: Checkpoint) -> None:
        held = await self._store.size()
        await require_signed(self._entries, self._tiles, held, head)
        async for first, run in signed_entries(self._tiles, held, head.size):
            await self._store.await_records(first, run)
        await self._store.begin(head.size)
        self._log.warning("the log recovers: producers replay", count=head.size - held, size=head.size)

    def _may_end(self, progress: Progress) -> bool:
        if progress.bodiless == self._accept_lost:
            return True
        waited = self._clock.now() - progress.began >= PATIENCE
        return waited and not progress.silent and not progress.keyless

    async def _end(self, head: Checkpoint, progress: Progress) -> None:
        if (await grown(self._entries, head.size)).root() != head.root:
            raise HaltError("ENTRIES_DIFFER")
        await self._tiles.discard(head.size)
        if await self._store.end(head.size, progress.bodiless):
            self._log.warning("the log is recovered", size=head.size, count=progress.bodiless)

    def _tell(self, progress: Progress) -> None:
        now = self._clock.monotonic()
        if self._told is not None and now - self._told < _TELL_SECONDS:
            return
        self._told = now
        self._log.warning("the log recovers", count=progress.bodiless, size=progress.target)
        for producer in progress.silent:
            self._log.warning("a producer has not replayed yet", producer=producer)
        for producer in progress.keyless:
            self._log.warning("records cannot be put back", reason="KEYS_BELOW_LOG", producer=producer)
