"""Owns how every service learns at once that a session has ended: numbered rows in SQL, followed and passed on.

The rows are the truth. A fan-out between replicas only says "look now"; the rows are read each 100 ms anyway. A stream
says it is alive only while its state is known to be complete: when the rows cannot be read it falls silent, and whoever
follows it stops guessing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

from services.auth.store import StoreAway

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from services.auth.store import Units
    from services.kit.clock import Clock

POLL_SECONDS = 0.1
HEARTBEAT_SECONDS = 0.4
COMPLETE_SECONDS = 1.0
TELL_SECONDS = 0.1
"""How long an announcement waits for the streams to take it: one that is stuck may not hold up who signs out."""
KEEP = timedelta(seconds=60)
_BATCH = 2000
_RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Revocation:
    """A session that ended before its time."""

    sequence: int
    session_id: str
    time: datetime


@dataclass(frozen=True)
class Progress:
    """What a follower gets."""

    sequence: int
    """The highest number read."""
    revocations: Sequence[Revocation]
    """What is new; may be nothing."""
    complete: bool = True
    """Everything up to now is known: a sign of life. When the rows cannot be read it is not given."""


class Fanout(Protocol):
    """Tells other replicas that there is something to read. It may lose, repeat and invent hints."""

    async def publish(self) -> None:
        """Give a hint; a failure is not an error."""
        ...

    def hints(self) -> AsyncIterator[None]:
        """Yield at each hint. Raises FanoutLost."""
        ...


class FanoutLost(Exception):  # noqa: N818 - a state of the fan-out
    """The other replicas cannot be reached now; the rows still can."""


class Broadcaster:
    """Follows the rows, keeps those of the last minute, and passes them on to any number of streams."""

    def __init__(
        self, units: Units, fanout: Fanout, clock: Clock, listener: Callable[[Progress], None], away: Callable[[], None]
    ) -> None:
        """Take the collaborators.

        Args:
            units: Transactions to read the rows in.
            fanout: The other replicas.
            clock: The clock.
            listener: Called at each reading of the rows: auth's own checks learn from it.
            away: Called when the rows cannot be read, once each time that begins, or the fan-out is lost.
        """
        self._units, self._fanout, self._clock = units, fanout, clock
        self._listener, self._away = listener, away
        self._rows: deque[Revocation] = deque()
        self._sequence = 0
        self._complete_at = float("-inf")
        self._changed, self._taken = asyncio.Event(), asyncio.Event()
        self._told: dict[object, int] = {}
        self._reading = asyncio.Lock()
        self._closed = False
        self._readable = True

    async def load(self) -> None:
        """Read the last minute; nothing is served before it."""
        async with self._units.read() as store:
            latest = await store.revocations.latest()
            rows = await store.revocations.newer_than(self._clock.now() - KEEP)
        self._sequence = max(latest, rows[-1].sequence if rows else 0)
        self._rows.extend(rows)
        self._complete_at = self._clock.monotonic()
        self._listener(Progress(self._sequence, rows))

    async def read(self) -> None:
        """Read what is new and wake the streams. Raises StoreAway."""
        async with self._reading:
            started = self._clock.monotonic()
            fresh: list[Revocation] = []
            sequence = self._sequence
            while True:
                async with self._units.read() as store:
                    rows = await store.revocations.since(sequence, _BATCH)
                fresh.extend(rows)
                sequence = rows[-1].sequence if rows else sequence
                if len(rows) < _BATCH:
                    break
            self._sequence = sequence  # only together with the rows: a stream that wakes meanwhile would skip them
            self._rows.extend(fresh)
            self._forget()
            self._complete_at = started
            self._listener(Progress(self._sequence, fresh))
            if fresh:
                self._changed = _renewed(self._changed)

    async def announce(self) -> None:
        """Pass on at once what this replica has just committed, and return when its streams took it, or in 100 ms.

        Who was told that they are signed out then is, at every service, though this process be killed the moment after.
        """
        await self._read_or_report()
        await self._fanout.publish()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TELL_SECONDS):
                await self._all_told(self._sequence)

    async def run(self) -> None:
        """Read the rows each 100 ms, for ever."""
        while True:
            await self._read_or_report()
            await asyncio.sleep(POLL_SECONDS)

    async def listen(self) -> None:
        """Read the rows at each hint, for ever."""
        while True:
            try:
                async for _ in self._fanout.hints():
                    await self._read_or_report()
            except FanoutLost:
                self._away()
            await asyncio.sleep(_RETRY_SECONDS)

    async def follow(self) -> AsyncGenerator[Progress]:
        """Yield the last minute, then what is new, and a sign of life each 400 ms; ends when this is closed."""
        position, follower = self._sequence, object()
        rows = tuple(self._rows)
        self._told[follower] = -1
        try:
            while not self._closed:
                changed = self._changed
                complete = self._clock.monotonic() - self._complete_at < COMPLETE_SECONDS
                if rows or complete:
                    yield Progress(position, rows, complete=complete)
                self._told[follower] = position
                self._taken = _renewed(self._taken)
                if self._sequence == position:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), HEARTBEAT_SECONDS)
                rows = self._after(position)
                position = max(position, self._sequence)
        finally:
            del self._told[follower]

    def close(self) -> None:
        """End the streams: whoever followed turns to another replica."""
        self._closed = True
        self._changed = _renewed(self._changed)

    async def _all_told(self, sequence: int) -> None:
        while any(told < sequence for told in self._told.values()):
            await self._taken.wait()

    def _after(self, position: int) -> tuple[Revocation, ...]:
        """Return the rows with higher numbers; costs what there is new, however many are kept."""
        fresh = list(takewhile(lambda row: row.sequence > position, reversed(self._rows)))
        return tuple(reversed(fresh))

    async def _read_or_report(self) -> None:
        try:
            await self.read()
            self._readable = True
        except StoreAway:
            if self._readable:
                self._away()
            self._readable = False

    def _forget(self) -> None:
        oldest = self._clock.now() - KEEP
        while self._rows and self._rows[0].time < oldest:
            self._rows.popleft()


def _renewed(event: asyncio.Event) -> asyncio.Event:
    """Wake who waits for an event; return the one to wait for from now on."""
    event.set()
    return asyncio.Event()
