"""Owns how often somebody may try. Counters open again by themselves: nobody is ever locked out for good.

Attempts are counted before the work and forgiven when they succeed, so that parallel attempts cannot pass a limit
together. An account is counted together with the address it is tried from: a stranger elsewhere cannot lock its owner
out. What is counted is named by a keyed hash: counters reveal no address of anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from services.auth.errors import THROTTLED
from services.kit.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.kit.clock import Clock


class Counters(Protocol):
    """Counters that forget themselves."""

    async def hit(self, buckets: Sequence[str], expires: Sequence[datetime]) -> Sequence[int]:
        """Count one in each bucket; returns the counts, this one included. A bucket may be dropped after it expires."""
        ...

    async def forgive(self, buckets: Sequence[str]) -> None:
        """Take one back from each bucket; a count never goes below 0."""
        ...


class Decoy(Protocol):
    """Work that leaves nothing."""

    async def commit(self) -> None:
        """Commit something that means nothing to the database that records are written to."""
        ...


@dataclass(frozen=True)
class Limit:
    """So many in each window of so many seconds."""

    count: int
    seconds: int

    def __post_init__(self) -> None:
        if self.count < 1 or self.seconds < 1:
            raise ValueError("a limit is at least one in at least one second")


@dataclass(frozen=True)
class Attempt:
    """One thing to count: what is done, by or to whom, and how often it may be."""

    kind: str
    whose: str
    limit: Limit


@dataclass(frozen=True)
class Ticket:
    """Attempts that were counted."""

    buckets: tuple[str, ...]


class Throttle:
    """Counts attempts in fixed windows."""

    def __init__(self, counters: Counters, clock: Clock, blind: Callable[[str], str], decoy: Decoy) -> None:
        """Take the counters, the keyed hash that names what is counted, and a commit that means nothing."""
        self._counters, self._clock, self._blind, self._decoy = counters, clock, blind, decoy

    async def admit(self, *attempts: Attempt) -> Ticket:
        """Count attempts.

        Raises:
            Fault: THROTTLED, with the time when the window ends.
        """
        ticket, wait = await self._count(attempts)
        if wait is not None:
            raise Fault(THROTTLED, retry_after=wait)
        return ticket

    async def allows(self, attempt: Attempt) -> bool:
        """Count an attempt; tell whether it is within its limit, for what must be left out in silence."""
        _, wait = await self._count((attempt,))
        return wait is None

    async def pretend(self) -> None:
        """Take as long as the record of a failure that concerns somebody: nobody's is only counted, in memory."""
        await self._decoy.commit()

    async def forgive(self, ticket: Ticket) -> None:
        """Take back attempts that succeeded."""
        await self._counters.forgive(ticket.buckets)

    async def _count(self, attempts: Sequence[Attempt]) -> tuple[Ticket, float | None]:
        now = self._clock.now().timestamp()
        windows = [int(now // attempt.limit.seconds) for attempt in attempts]
        buckets = tuple(
            self._blind(f"{attempt.kind}\x00{attempt.whose}\x00{window}")
            for attempt, window in zip(attempts, windows, strict=True)
        )
        ends = [(window + 1) * attempt.limit.seconds for attempt, window in zip(attempts, windows, strict=True)]
        counts = await self._counters.hit(buckets, [datetime.fromtimestamp(end, UTC) for end in ends])
        waits = [
            end - now for attempt, count, end in zip(attempts, counts, ends, strict=True) if count > attempt.limit.count
        ]
        return Ticket(buckets), max(waits, default=None)
