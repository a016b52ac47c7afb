"""The audit service's own live checks: no record is missing, and every entry is under a signed checkpoint in time.

Owns what is counted and when it is too much. Counts only; opens no body.
"""

import asyncio
from datetime import datetime
from typing import Protocol

from services.audit.checkpoint import Checkpoint
from services.kit.clock import Clock

PERIOD_SECONDS = 600.0
RETRY_SECONDS = 30.0
LATE_MS = 5000
"""An entry is promised to be covered within a second; the check calls the promise broken after five."""


class Counts(Protocol):
    """What the checks count."""

    async def open_alarms(self) -> int:
        """Return how many alarms are open."""

    async def missing(self, counted: dict[int, int]) -> int:
        """Return how many numbers are missing."""

    async def arrived(self, index: int) -> datetime | None:
        """Return when the entry at `index` arrived."""


class Heads(Protocol):
    """The latest signed checkpoint."""

    async def latest(self) -> tuple[bytes, Checkpoint] | None:
        """Return it, or None before the first."""


class Findings(Protocol):
    """Where results are recorded."""

    async def found(self, check: str, state: str, measured: int) -> None:
        """Record a result."""


class Log(Protocol):
    """Where a check that could not run is told."""

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Log something to mend."""


class Checks:
    """Runs the checks on a schedule."""

    def __init__(self, counts: Counts, heads: Heads, findings: Findings, clock: Clock, log: Log) -> None:
        """Take what to count and where to tell."""
        self._counts, self._heads, self._findings, self._clock, self._log = counts, heads, findings, clock, log
        self._counted: dict[int, int] = {}

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            try:
                await self.step()
                pause = PERIOD_SECONDS
            except Exception as error:  # noqa: BLE001 - no result is "unknown" to who asks, and is tried again soon
                self._log.failure("a check could not run", error)
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def step(self) -> None:
        """Run each check once and record what it found."""
        gaps = await self._counts.open_alarms() + await self._counts.missing(self._counted)
        await self._tell("audit.gaps", gaps, most=0)
        await self._tell("audit.checkpoint_age", await self._age_ms(), most=LATE_MS)

    async def _tell(self, check: str, measured: int, *, most: int) -> None:
        await self._findings.found(check, "kept" if measured <= most else "broken", measured)

    async def _age_ms(self) -> int:
        """Return for how long the oldest entry has waited for a checkpoint, in milliseconds."""
        latest = await self._heads.latest()
        waiting = await self._counts.arrived(latest[1].size if latest is not None else 0)
        if waiting is None:
            return 0
        return max(0, int((self._clock.now() - waiting).total_seconds() * 1000))
