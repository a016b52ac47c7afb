"""The order that was signed, read back from the tiles, which are another store than the database that was restored.

Owns the check that database and tiles together are the tree that was signed. Writes nothing.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from services.audit.checkpoint import Checkpoint
from services.audit.errors import HaltError
from services.audit.tiles import ENTRIES, WIDTH, Tile, TileError, split_entries, tile_at
from services.audit.tree import Edge, TileSource

_ROUND = 8192


class Entries(Protocol):
    """The entries that the database holds."""

    async def entries(self, start: int, limit: int) -> list[bytes]:
        """Return at most `limit` entries from `start` on, in order, up to the first that is missing."""


async def signed_entries(tiles: TileSource, start: int, size: int) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Give the entries start..size-1 in runs, each with the index of its first.

    Raises:
        HaltError: TILES_LOST or TILES_DIFFER.
    """
    for index in range(start // WIDTH, -(-size // WIDTH)):
        wanted = tile_at(ENTRIES, index, size)
        data = await tiles.get(wanted) or await tiles.get(Tile(ENTRIES, index))
        try:
            bundle = split_entries(data or b"")[: wanted.width]
        except TileError:
            raise HaltError("TILES_DIFFER") from None
        if len(bundle) < wanted.width:
            raise HaltError("TILES_LOST")
        skipped = max(0, start - index * WIDTH)
        yield index * WIDTH + skipped, bundle[skipped:]


async def require_signed(entries: Entries, tiles: TileSource, held: int, head: Checkpoint) -> None:
    """Check that the database's first `held` entries, and the tiles' from there on, are the tree of `head`.

    Raises:
        HaltError: TILES_LOST, TILES_DIFFER or ENTRIES_DIFFER.
    """
    edge = await grown(entries, held)
    async for _, run in signed_entries(tiles, held, head.size):
        edge = edge.grow(run).edge
    if edge.root() != head.root:
        raise HaltError("ENTRIES_DIFFER")


async def grown(entries: Entries, size: int) -> Edge:
    """Return the edge of the database's first `size` entries; raise HaltError ENTRIES_DIFFER if some are missing."""
    edge = Edge()
    while edge.size < size:
        run = await entries.entries(edge.size, min(_ROUND, size - edge.size))
        if not run:
            raise HaltError("ENTRIES_DIFFER")
        edge = edge.grow(run).edge
    return edge
