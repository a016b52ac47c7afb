"""The audit service's own live checks: no record is missing, each is signed in time, what was signed is still there.

Owns what is counted. Counts only.
"""

from datetime import datetime
from typing import Protocol

from services.audit.checkpoint import Checkpoint
from services.audit.scrub import CHECK
from services.kit.checks import Check
from services.kit.clock import Clock


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
