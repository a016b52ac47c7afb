"""Names and bytes of tiles and entry bundles (c2sp.org/tlog-tiles@v0.1.0).

Owns the mapping between a tile, its path and its bytes. Never reads or writes a store.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.merkle import HASH_BYTES

HEIGHT = 8
WIDTH = 1 << HEIGHT
ENTRIES = -1
"""The level that stands for entry bundles in a `Tile`."""
_TOP_LEVEL = 63
_PATH = re.compile(
    r"(?P<level>0|[1-9][0-9]?|entries)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class TileError(ValueError):
    """A tile's name or bytes are not what the format says."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile: the hashes (or, at level ENTRIES, the entries) `index`*256 .. +`width`-1 of a level."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The path below "tile/"."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"{level}/{_index_path(self.index)}" + ("" if self.full else f".p/{self.width}")

    @property
    def full(self) -> bool:
        """Whether the tile can grow no more."""
        return self.width == WIDTH

    @property
    def end(self) -> int:
        """The end index of the tile when it is full: it covers the entries before."""
        return (self.index + 1) << (HEIGHT * (max(self.level, 0) + 1))

    @property
    def leaves(self) -> int:
        """The smallest size of a tree that has this tile."""
        return (self.index * WIDTH + self.width) << (HEIGHT * max(self.level, 0))


def _index_path(index: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:  # noqa: PLR2004 - groups of three digits
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))


def parse_path(path: str) -> Tile:
    """Return the tile named by a path below "tile/"; raise TileError for any other spelling."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise TileError("not a tile's path")
    level = ENTRIES if found["level"] == "entries" else int(found["level"])
    index = int(found["index"].replace("x", "").replace("/", ""))
    width = int(found["width"]) if found["width"] else WIDTH
    tile = Tile(level, index, width)
    if level > _TOP_LEVEL or width > WIDTH or tile.path != path:
        raise TileError("not a tile's path")
    return tile


def tile_at(level: int, index: int, size: int) -> Tile:
    """Return the tile at `index` of `level` as wide as it is in a tree of `size` leaves."""
    width = min(WIDTH, (size >> (HEIGHT * max(level, 0))) - index * WIDTH)
    if width <= 0:
        raise TileError("the tree has no such tile")
    return Tile(level, index, width)


def cut(data: bytes | None, tile: Tile) -> bytes | None:
    """Return the bytes of a partial tile from those of the full one; None stays None."""
    if data is None:
        return None
    if tile.level == ENTRIES:
        return join_entries(split_entries(data)[: tile.width])
    return data[: tile.width * HASH_BYTES]


def join_hashes(hashes: Sequence[bytes]) -> bytes:
    """Return the bytes of a hash tile."""
    return b"".join(hashes)


def split_hashes(data: bytes) -> list[bytes]:
    """Return the hashes of a hash tile."""
    if not data or len(data) % HASH_BYTES or len(data) > WIDTH * HASH_BYTES:
        raise TileError("not a hash tile")
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


def join_entries(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of an entry bundle; an entry has at most 65,535 bytes."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def split_entries(data: bytes) -> list[bytes]:
    """Return the entries of a bundle."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if at + 2 > len(data) or end > len(data):
            raise TileError("the bundle is cut short")
        entries.append(data[at + 2 : end])
        at = end
    return entries
