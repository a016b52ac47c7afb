"""Tiles in memory, for tests of the tree's arithmetic."""

from __future__ import annotations

from services.audit.tiles import Tile
from services.audit.tree import TreeReader


class Memory:
    """Tiles in memory, never overwritten with other bytes."""

    def __init__(self) -> None:
        self.files: dict[Tile, bytes] = {}

    def put(self, files: dict[Tile, bytes]) -> None:
        for tile, data in files.items():
            assert self.files.setdefault(tile, data) == data

    async def get(self, tile: Tile) -> bytes | None:
        return self.files.get(tile)

    def reader(self, size: int) -> TreeReader:
        """What computes the proofs of the tree of that size."""
        return TreeReader(self, size)
