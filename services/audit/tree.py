"""The growing tree: its right edge, the tiles an addition completes, and proofs read back from tiles.

Owns the arithmetic between leaves, tiles and roots. Never writes a store and never signs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.audit import merkle
from services.audit.merkle import Span
from services.audit.tiles import (
    ENTRIES,
    HEIGHT,
    WIDTH,
    Tile,
    join_entries,
    join_hashes,
    split_hashes,
    tile_at,
)


class MissingTileError(LookupError):
    """The store lacks a tile of a signed tree."""


class TileSource(Protocol):
    """Where tiles are read from."""

    async def get(self, tile: Tile) -> bytes | None:
        """Return the tile's bytes, or None if the store has none."""


@dataclass(frozen=True, slots=True)
class Growth:
    """What an addition made: the new edge and the tiles that must be durable before it is signed."""

    edge: "Edge"
    files: dict[Tile, bytes]


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree: what its partial tiles hold, level by level."""

    size: int = 0
    entries: tuple[bytes, ...] = ()
    levels: tuple[tuple[bytes, ...], ...] = ((),)

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        rest: list[bytes] = []
        for level in self.levels:
            nodes = [*level, *rest]
            rest = [merkle.root(nodes)] if nodes else []
        return rest[0] if rest else merkle.EMPTY_ROOT

    def grow(self, entries: Iterable[bytes]) -> Growth:
        """Return the edge after `entries`, with every tile that is new or wider."""
        size, bundle = self.size, list(self.entries)
        levels = [list(level) for level in self.levels]
        files: dict[Tile, bytes] = {}
        for entry in entries:
            bundle.append(entry)
            levels[0].append(merkle.leaf_hash(entry))
            size += 1
            if len(bundle) == WIDTH:
                files[Tile(ENTRIES, (size - 1) // WIDTH)] = join_entries(bundle)
                bundle.clear()
                _complete(levels, size, files)
        edge = Edge(size, tuple(bundle), tuple(tuple(level) for level in levels))
        files.update(edge.partials(since=self.size))
        return Growth(edge, files)

    def partials(self, since: int = 0) -> dict[Tile, bytes]:
        """Return the partial tiles that a tree of `since` leaves did not have."""
        files: dict[Tile, bytes] = {}
        if self.entries and since < self.size:
            files[tile_at(ENTRIES, self.size // WIDTH, self.size)] = join_entries(self.entries)
        for level, hashes in enumerate(self.levels):
            count = self.size >> (HEIGHT * level)
            if hashes and since >> (HEIGHT * level) < count:
                files[Tile(level, count // WIDTH, len(hashes))] = join_hashes(hashes)
        return files


def _complete(levels: list[list[bytes]], size: int, files: dict[Tile, bytes]) -> None:
    for level, hashes in enumerate(levels):
        if len(hashes) < WIDTH:
            return
        count = size >> (HEIGHT * level)
        files[Tile(level, count // WIDTH - 1)] = join_hashes(hashes)
        if level + 1 == len(levels):
            levels.append([])
        levels[level + 1].append(merkle.root(hashes))
        hashes.clear()


async def load_edge(source: TileSource, size: int, entries: Sequence[bytes]) -> Edge:
    """Return the edge of a stored tree of `size`, given the `entries` after its last full bundle."""
    levels: list[tuple[bytes, ...]] = [tuple(merkle.leaf_hash(entry) for entry in entries)]
    reader = TreeReader(source, size)
    level = 1
    while (count := size >> (HEIGHT * level)) > 0:
        levels.append(tuple(await reader.tile(level, count // WIDTH)) if count % WIDTH else ())
        level += 1
    return Edge(size, tuple(entries), tuple(levels))


class TreeReader:
    """Computes proofs of the tree of one size from its tiles."""

    def __init__(self, source: TileSource, size: int) -> None:
        """Read the tree of `size` leaves from `source`."""
        self._source = source
        self._size = size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    async def inclusion(self, index: int) -> list[bytes]:
        """Return the inclusion proof of leaf `index`."""
        return [await self._hash(span) for span in merkle.inclusion_spans(index, self._size)]

    async def consistency(self, old: int) -> list[bytes]:
        """Return the proof that this tree begins with the tree of `old` leaves."""
        if old in {0, self._size}:
            return []
        return [await self._hash(span) for span in merkle.consistency_spans(old, self._size)]

    async def root(self) -> bytes:
        """Return the root."""
        return await self._hash(Span(0, self._size)) if self._size else merkle.EMPTY_ROOT

    async def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile as wide as the tree has it."""
        if (level, index) not in self._tiles:
            wanted = tile_at(level, index, self._size)
            data = await self._source.get(wanted)
            if data is None and not wanted.full:
                data = await self._source.get(Tile(level, index))
            if data is None:
                raise MissingTileError(wanted.path)
            self._tiles[level, index] = split_hashes(data)[: wanted.width]
        return self._tiles[level, index]

    async def _hash(self, span: Span) -> bytes:
        length = span.end - span.start
        if length & (length - 1):
            middle = span.start + merkle.split(length)
            left = await self._hash(Span(span.start, middle))
            return merkle.node_hash(left, await self._hash(Span(middle, span.end)))
        level, below = divmod(length.bit_length() - 1, HEIGHT)
        index, offset = divmod(span.start >> (HEIGHT * level), WIDTH)
        hashes = await self.tile(level, index)
        return merkle.root(hashes[offset : offset + (1 << below)])
