"""Tiles and entry bundles of a log's copy (c2sp.org/tlog-tiles@v0.1.0): their names, their widths and their bytes.

Owns the reading of one. Hashes nothing and believes nothing.
"""

import re
from dataclasses import dataclass

from deploy.cli.verify.files import Files
from deploy.cli.verify.note import BadError
from deploy.cli.verify.tree import HASH_BYTES

WIDTH = 256
_HEIGHT = 8
_LONGEST_BUNDLE = WIDTH * (2 + 0xFFFF)
_TOP = 8
"""Levels that a tree of 2**63 entries can have."""
_NAME = re.compile(
    r"(?P<level>[0-9]|entries)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True)
class Tile:
    """A tile's place; `level` is None for an entry bundle."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def name(self) -> str:
        """The name below "tile/"."""
        rest = self.index // 1000
        groups = [f"{self.index % 1000:03d}"]
        while rest:
            groups.append(f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.level is None else self.level
        return f"{level}/{'/'.join(reversed(groups))}" + ("" if self.width == WIDTH else f".p/{self.width}")

    @property
    def start(self) -> int:
        """The first entry that it covers."""
        return self.index << (_HEIGHT * ((self.level or 0) + 1))

    @property
    def end(self) -> int:
        """The end index of the tile when it is full: it covers the entries before."""
        return (self.index + 1) << (_HEIGHT * ((self.level or 0) + 1))

    def wanted(self, size: int) -> int:
        """Return how wide the tile is in a tree of that size; 0 or less when it has no such tile."""
        return min(WIDTH, (size >> (_HEIGHT * (self.level or 0))) - self.index * WIDTH)

    def within(self, size: int) -> "Tile":
        """Return the tile as wide as it is in a tree of that size."""
        return Tile(self.level, self.index, self.wanted(size))


def parse(name: str) -> Tile | None:
    """Return the tile named by a path below "tile/"; None for any other spelling."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    level = None if found["level"] == "entries" else int(found["level"])
    index = int(found["index"].replace("x", "").replace("/", ""))
    tile = Tile(level, index, int(found["width"] or WIDTH))
    return tile if tile.name == name and tile.width <= WIDTH and (level or 0) < _TOP else None


def find(files: Files, tile: Tile) -> bytes | None:
    """Return a tile's bytes, or None when it is not there; raise BadError when there are more or fewer of them."""
    data = files.read(f"tile/{tile.name}", _LONGEST_BUNDLE)
    if data is not None and tile.level is not None and len(data) != tile.width * HASH_BYTES:
        raise BadError(f"tile/{tile.name} has not the size it should have")
    return data


def read(files: Files, tile: Tile) -> bytes:
    """Return a tile's bytes; raise BadError when it is not there, or cut."""
    data = find(files, tile)
    if data is None:
        raise BadError(f"tile/{tile.name} is missing")
    return data


def hashes_of(data: bytes) -> list[bytes]:
    """Return what a tile of hashes holds."""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def entries_of(data: bytes, width: int) -> list[bytes]:
    """Return what a bundle holds; raise BadError unless that is so many entries."""
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if end > len(data) or at + 2 > len(data):
            raise BadError("an entry bundle is cut")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width:
        raise BadError("an entry bundle has not the number of entries it should have")
    return entries
