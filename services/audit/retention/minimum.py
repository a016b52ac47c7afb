"""The minimum index: below it the public log serves nothing (c2sp.org/tlog-tiles, "Pruning").

Owns which tiles are denied: those whose end index is not above it. Nothing is deleted, so that the log itself still
proves every entry, and goes back to serving all of them when the policy is withdrawn.
"""

from typing import Protocol

from services.audit.retention.sweep import State
from services.audit.tiles import Tile


class Store(Protocol):
    """Where it is kept."""

    async def state(self) -> State:
        """Return how far retention has come."""


class Minimum:
    """The minimum index."""

    def __init__(self, store: Store, *, prune: bool) -> None:
        """Take where it is kept, and whether the policy allows pruning at all."""
        self._store, self._prune = store, prune

    async def index(self) -> int:
        """Return it; 0 without a policy."""
        return (await self._store.state()).minimum if self._prune else 0

    async def hides(self, tile: Tile) -> bool:
        """Tell whether a tile is denied."""
        return self._prune and tile.end <= await self.index()
