"""The audit service's own live checks: no record is missing, each is signed in time, what was signed is still there.

Owns what is counted. Counts only.
"""

from datetime import datetime
from typing import Protocol

from services.audit.checkpoint import Checkpoint
from services.audit.scrub import CHECK
from services.kit.checks import Check, UnknownError
from services.kit.clock import Clock


class Counts(Protocol):
    """What the checks count."""

    async def open_alarms(self) -> int:
        """Return how many alarms are open."""

    async def missing(self, counted: dict[int, int]) -> int:
        """Return how many numbers are missing."""

    async def lateness(self) -> list[tuple[str, int]]:
        """Return each check, and how late its latest result arrived, in milliseconds."""

    async def arrived(self, index: int) -> datetime | None:
        """Return when the entry at `index` arrived."""


class Heads(Protocol):
    """The latest signed checkpoint."""

    async def latest(self) -> tuple[bytes, Checkpoint] | None:
        """Return it, or None before the first."""


class Tree(Protocol):
    """What is stored of the signed tree."""

    async def damage(self) -> int:
        """Return how many parts are known not to be as they were signed."""


class LogChecks:
    """What the checks measure."""

    def __init__(self, counts: Counts, heads: Heads, tree: Tree, clock: Clock) -> None:
        """Take what to count."""
        self._counts, self._heads, self._tree, self._clock = counts, heads, tree, clock
        self._counted: dict[int, int] = {}

    def all(self) -> tuple[Check, ...]:
        """Return the checks."""
        return (
            Check("audit.gaps", self.gaps),
            Check("audit.checkpoint_age", self.age_ms),
            Check(CHECK, self._tree.damage),
            Check("audit.clock_skew", self.skew_ms),
        )

    async def gaps(self) -> int:
        """Return how many records are missing, and alarms open."""
        return await self._counts.open_alarms() + await self._counts.missing(self._counted)

    async def age_ms(self) -> int:
        """Return for how long the oldest entry has waited for a checkpoint, in milliseconds."""
        latest = await self._heads.latest()
        waiting = await self._counts.arrived(latest[1].size if latest is not None else 0)
        if waiting is None:
            return 0
        return max(0, int((self._clock.now() - waiting).total_seconds() * 1000))

    async def skew_ms(self) -> int:
        """Return by how many milliseconds the clock of any producer differs from ours, at most.

        A result may have waited on its way, so the one that arrived soonest tells; none arrives before it was made.

        Raises:
            UnknownError: No producer has told anything yet.
        """
        soonest: dict[str, int] = {}
        for check, late_ms in await self._counts.lateness():
            producer = check.partition(".")[0]
            soonest[producer] = min(late_ms, soonest.get(producer, late_ms))
        if not soonest:
            raise UnknownError
        return max(abs(late_ms) for late_ms in soonest.values())
