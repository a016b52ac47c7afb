"""The scrub: reads the stored log again, a bounded part at a time, and compares it with the tree that was signed.

Owns what is compared and how far it has come; a day's rounds read everything, and what was found damaged is read again
in each until it is whole. Bodies are opened to be hashed and for nothing else. Never repairs, never signs.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from services.audit import merkle
from services.audit.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from services.audit.note import Verifier
from services.audit.receipt import Opening
from services.audit.store import Kept, SignedHead, Stored
from services.audit.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    TileError,
    join_entries,
    join_hashes,
    split_hashes,
    tile_at,
)
from services.audit.tree import MissingTileError, TreeReader
from services.kit.envelope import SealError

CHECK = "audit.tree_intact"
ROUNDS_A_DAY = 144
"""The check runs every ten minutes at least."""
LEAST_BUNDLES = 16
_AT_ONCE = 32
_PAUSES, _PAUSE_SECONDS = 10, 0.5


class Rows(Protocol):
    """The entries as they are stored."""

    async def stored(self, start: int, limit: int) -> list[Stored]:
        """Return at most `limit` rows from index `start` on."""

    async def surplus(self) -> int:
        """Return how many rows lie beyond the log's end."""


class Bodies(Protocol):
    """What opens a row."""

    async def open(self, kept: Kept) -> Opening | None:
        """Return what opens the entry, or None when its body or its key is no more."""


class Heads(Protocol):
    """The last signed checkpoint."""

    async def load(self) -> SignedHead | None:
        """Return it, or None if nothing was ever signed."""


class Tiles(Protocol):
    """The tiles, and the published checkpoint."""

    async def get(self, tile: Tile) -> bytes | None:
        """Return a tile's bytes, or None."""

    async def published(self) -> bytes | None:
        """Return the published checkpoint, or None."""


class Scrub:
    """Compares what is stored with what was signed."""

    def __init__(self, rows: Rows, bodies: Bodies, tiles: Tiles, heads: Heads, verifier: Verifier) -> None:
        """Take what to read, and the log's public key."""
        self._rows, self._bodies, self._tiles, self._heads = rows, bodies, tiles, heads
        self._verifier = verifier
        self._next = 0
        self._damaged: set[int] = set()

    async def damage(self) -> int:
        """Read the next part; return how many bundles, checkpoints and rows are known not to be as they were signed.

        Raises:
            Exception: A store could not be read: nothing is known.
        """
        try:
            head = await self._stored_head()
        except CheckpointError:
            return 1
        if head is None:
            return len(await self._rows.stored(0, 1))
        wrong = await self._rows.surplus() + await self._published_wrong()
        if head.size:
            part = _Part(self._rows, self._bodies, self._tiles, head)
            wrong += not await part.rooted()
            for bundle in self._chosen((head.size + WIDTH - 1) // WIDTH):
                if await part.intact(bundle):
                    self._damaged.discard(bundle)
                else:
                    self._damaged.add(bundle)
        return wrong + len(self._damaged)

    def _chosen(self, bundles: int) -> list[int]:
        """Return the next bundles to read, those that were damaged among them."""
        count = min(bundles, max(LEAST_BUNDLES, -(-bundles // ROUNDS_A_DAY)))
        chosen = [(self._next + offset) % bundles for offset in range(count)]
        self._next = (self._next + count) % bundles
        return sorted({*chosen, *sorted(self._damaged)[:LEAST_BUNDLES]})

    async def _stored_head(self) -> Checkpoint | None:
        stored = await self._heads.load()
        return open_checkpoint(stored.note, self._verifier) if stored is not None else None

    async def _published_wrong(self) -> bool:
        """Tell whether the published checkpoint is not one of this log's, or stays behind the signed one."""
        before = await self._stored_head()
        for _ in range(_PAUSES):
            note = await self._tiles.published()
            after = await self._stored_head()
            if before is None or after is None:
                return True
            try:
                published = open_checkpoint(note or b"", self._verifier)
            except CheckpointError:
                return True
            if published.size >= before.size:
                return published.size > after.size or await self._root(published.size) != published.root
            await asyncio.sleep(_PAUSE_SECONDS)  # it is published a moment after it is signed
        return True

    async def _root(self, size: int) -> bytes | None:
        try:
            return await TreeReader(self._tiles, size).root()
        except (MissingTileError, TileError):
            return None


class _Part:
    """One round's look at the tree of one head. A tile above the leaves is compared once."""

    def __init__(self, rows: Rows, bodies: Bodies, tiles: Tiles, head: Checkpoint) -> None:
        self._rows, self._bodies, self._tiles, self._head = rows, bodies, tiles, head
        self._above: dict[tuple[int, int], bool] = {}

    async def rooted(self) -> bool:
        """Tell whether the uppermost tiles lead to the signed root."""
        try:
            return await TreeReader(self._tiles, self._head.size).root() == self._head.root
        except (MissingTileError, TileError):
            return False

    async def intact(self, bundle: int) -> bool:
        """Tell whether a bundle's rows, bodies, entries and hashes are all as signed."""
        tile = tile_at(ENTRIES, bundle, self._head.size)
        rows = await self._rows.stored(bundle * WIDTH, tile.width)
        if [row.kept.index for row in rows] != list(range(bundle * WIDTH, bundle * WIDTH + tile.width)):
            return False
        entries = [row.entry for row in rows]
        if not await self._holds(tile, join_entries(entries)) or not await self._opens(rows):
            return False
        hashes = [merkle.leaf_hash(entry) for entry in entries]
        return await self._holds(tile_at(0, bundle, self._head.size), join_hashes(hashes)) and await self._joined(
            0, bundle, hashes
        )

    async def _joined(self, level: int, index: int, hashes: Sequence[bytes]) -> bool:
        """Tell whether a tile's root stands in the tile above it, and so on up to a partial one."""
        if len(hashes) < WIDTH:
            return True  # the root is made of these
        above = tile_at(level + 1, index // WIDTH, self._head.size)
        held = await self._hashes(above)
        if len(held) <= index % WIDTH or held[index % WIDTH] != merkle.root(hashes):
            return False
        place = above.level, above.index
        if place not in self._above:
            self._above[place] = await self._joined(*place, held)
        return self._above[place]

    async def _opens(self, rows: Sequence[Stored]) -> bool:
        for number, row in enumerate(rows):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # let others have a turn
            try:
                opening = await self._bodies.open(row.kept)
            except SealError:
                return False
            if opening is None:
                if row.kept.sealed and await self._still_whole(row.kept.index):
                    return False  # a body that no key opens: who is erased has none any more
            elif opening.entry != row.entry:
                return False
        return True

    async def _still_whole(self, index: int) -> bool:
        return any(row.kept.sealed for row in await self._rows.stored(index, 1))

    async def _holds(self, tile: Tile, expected: bytes) -> bool:
        """Tell whether a tile holds exactly this; what replaced a partial one must begin with it."""
        data = await self._tiles.get(tile)
        if data is not None:
            return data == expected
        whole = await self._tiles.get(Tile(tile.level, tile.index))
        return not tile.full and whole is not None and whole.startswith(expected)

    async def _hashes(self, tile: Tile) -> list[bytes]:
        """Return a tile's hashes, or none when it is missing or has another length than it should."""
        data, found = await self._tiles.get(tile), tile
        if data is None and not tile.full:
            found = Tile(tile.level, tile.index)
            data = await self._tiles.get(found)
        whole = data is not None and len(data) == found.width * merkle.HASH_BYTES
        return split_hashes(data)[: tile.width] if data is not None and whole else []
