"""The minimum index: below it the public log serves nothing (c2sp.org/tlog-tiles, "Pruning").

Owns which tiles are denied: those whose end index is not above it. Nothing is denied before an entry under the signed
root says so, and the statement carries that entry's receipt: a number alone hides nothing. Nothing is deleted, so that
the log itself still proves every entry, and goes back to serving all of them when the policy is withdrawn.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from services.audit.checkpoint import Checkpoint
from services.audit.tiles import Tile

SAID_AGAIN = timedelta(days=14)
"""The log says its minimum index again after so long: well before the body of the entry that said it gets cold."""


@dataclass(frozen=True, slots=True)
class Said:
    """A minimum index, and the event that says it."""

    minimum: int
    event_id: str


class Store(Protocol):
    """Where it is kept."""

    async def said(self, size: int) -> Said | None:
        """Return the highest minimum index that one of the first `size` entries of the log says, and the latest to."""


class Heads(Protocol):
    """The latest signed checkpoint."""

    async def latest(self) -> tuple[bytes, Checkpoint] | None:
        """Return it, or None before the first."""


class Receipts(Protocol):
    """What proves entries."""

    async def evidence(self, event_id: str) -> bytes:
        """Return the receipt of an event that is about nobody."""


class Minimum:
    """The minimum index."""

    def __init__(self, store: Store, heads: Heads, receipts: Receipts, *, prune: bool) -> None:
        """Take where it is kept, what is signed, what proves it, and whether the policy allows pruning at all."""
        self._store, self._heads, self._receipts, self._prune = store, heads, receipts, prune

    async def index(self) -> int:
        """Return it; 0 without a policy."""
        said = await self._said()
        return said.minimum if said is not None else 0

    async def hides(self, tile: Tile) -> bool:
        """Tell whether a tile is denied."""
        return self._prune and tile.end <= await self.index()

    async def statement(self) -> bytes:
        """Return it as a line; in a pruned log, an empty line and the receipt of the entry that says it follow."""
        said = await self._said()
        if said is None:
            return b"0\n"
        return b"%d\n\n%s" % (said.minimum, await self._receipts.evidence(said.event_id))

    async def _said(self) -> Said | None:
        latest = await self._heads.latest() if self._prune else None
        return await self._store.said(latest[1].size) if latest is not None else None
