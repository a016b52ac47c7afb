"""A whole log as files (c2sp.org/tlog-tiles@v0.1.0): `checkpoint` and `tile/...`.

Owns the walk over all its tiles and bundles. Reads each once and believes none: everything is hashed again, in memory
that does not grow with the log. What is not under the signed root has no place in it.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from deploy.cli.verify.files import Files
from deploy.cli.verify.note import BadError, Checkpoint
from deploy.cli.verify.tree import EMPTY, HASH_BYTES, leaf, root

CHECKPOINT = "checkpoint"
_WIDTH = 256
_LONGEST_BUNDLE = _WIDTH * (2 + 0xFFFF)
_TOP = 8
"""Levels that a tree of 2**63 entries can have."""
_TILE = re.compile(
    r"(?P<level>[0-9]|entries)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_TELL_EVERY = 64


@dataclass(frozen=True)
class _Tile:
    """A tile's place; `level` is None for an entry bundle."""

    level: int | None
    index: int
    width: int = _WIDTH

    @property
    def name(self) -> str:
        rest = self.index // 1000
        groups = [f"{self.index % 1000:03d}"]
        while rest:
            groups.append(f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.level is None else self.level
        return f"{level}/{'/'.join(reversed(groups))}" + ("" if self.width == _WIDTH else f".p/{self.width}")

    def wanted(self, size: int) -> int:
        """Return how wide the tile is in a tree of that size; 0 or less when it has no such tile."""
        return min(_WIDTH, (size >> (8 * (self.level or 0))) - self.index * _WIDTH)


def roots(
    files: Files, head: Checkpoint, sizes: Iterable[int] = (), tell: Callable[[int], None] = lambda _: None
) -> dict[int, bytes]:
    """Check every file of the log under `head`; return the roots it had at `sizes`, those beyond its end left out.

    Raises:
        BadError: A file is missing, cut, longer than it should be, different, or not of the signed tree.
    """
    walk = _Walk(files)
    wanted = sorted({size for size in sizes if 0 < size <= head.size} | ({head.size} - {0}), reverse=True)
    found = {0: EMPTY}
    for index in range((head.size + _WIDTH - 1) // _WIDTH):
        start = index * _WIDTH
        hashes = walk.leaves(index, min(_WIDTH, head.size - start))
        while wanted and wanted[-1] <= start + len(hashes):
            size = wanted.pop()
            found[size] = walk.root(hashes[: size - start])
        walk.add(hashes)
        if index % _TELL_EVERY == 0:
            tell(start + len(hashes))
    walk.finish()
    tell(head.size)
    if found[head.size] != head.root:
        raise BadError(f"the log's {head.size} entries are not those that were signed")
    _require_no_other(files, head.size)
    return found


def level_zero(files: Files, index: int, width: int) -> bytes:
    """Return a tile of leaf hashes, as wide as that; raise BadError when the log has none."""
    return _read(files, _Tile(0, index, width))


class _Walk:
    """The right edge of the tree so far: what its unfinished tiles hold above level 0."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._levels: list[list[bytes]] = []
        self._full: list[int] = []

    def leaves(self, index: int, width: int) -> list[bytes]:
        """Return a bundle's leaf hashes, after comparing them with the level-0 tile."""
        bundle = _entries(_read(self._files, _Tile(None, index, width)), width)
        hashes = [leaf(entry) for entry in bundle]
        self._require(_Tile(0, index, width), hashes)
        return hashes

    def add(self, hashes: list[bytes]) -> None:
        """Take a level-0 tile in; only the last may be partial."""
        if len(hashes) == _WIDTH:
            self._push(0, root(hashes))

    def root(self, tail: list[bytes]) -> bytes:
        """Return the root over what was added and `tail`."""
        rest = [root(tail)]
        for level in self._levels:
            rest = [root([*level, *rest])]
        return rest[0]

    def finish(self) -> None:
        """Compare the last tile of each level."""
        for level, hashes in enumerate(self._levels):
            if hashes:
                self._require(_Tile(level + 1, self._full[level], len(hashes)), hashes)

    def _push(self, level: int, hashed: bytes) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._full.append(0)
        hashes = self._levels[level]
        hashes.append(hashed)
        if len(hashes) == _WIDTH:
            self._require(_Tile(level + 1, self._full[level]), hashes)
            self._full[level] += 1
            above = root(hashes)
            hashes.clear()
            self._push(level + 1, above)

    def _require(self, tile: _Tile, hashes: list[bytes]) -> None:
        data = _read(self._files, tile)
        if data == b"".join(hashes):
            return
        held = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        at = next((n for n, (one, other) in enumerate(zip(held, hashes, strict=False)) if one != other), len(hashes))
        what = "entry" if tile.level == 0 else f"what level {tile.level} has at"
        raise BadError(f"tile/{tile.name} does not hold the hash of {what} {tile.index * _WIDTH + at}")


def _require_no_other(files: Files, size: int) -> None:
    """Check that no file claims to be of the log without being under its root."""
    for name in files.names():
        if not name.startswith("tile/"):
            continue
        tile = _parse(name.removeprefix("tile/"))
        if tile is None:
            raise BadError(f"{name} is not part of a log")
        width = tile.wanted(size)
        if tile.width > width:
            raise BadError(f"{name} goes beyond the signed end of {size} entries")
        if tile.width < width:  # left from when the log was smaller: it must be how the tile began
            whole = _read(files, _Tile(tile.level, tile.index, width))
            if not whole.startswith(_read(files, tile)):
                raise BadError(f"{name} is not how its tile began")
            if tile.level is None:
                _entries(_read(files, tile), tile.width)


def _parse(name: str) -> _Tile | None:
    found = _TILE.fullmatch(name)
    if found is None:
        return None
    level = None if found["level"] == "entries" else int(found["level"])
    index = int(found["index"].replace("x", "").replace("/", ""))
    tile = _Tile(level, index, int(found["width"] or _WIDTH))
    return tile if tile.name == name and tile.width <= _WIDTH and (level or 0) < _TOP else None


def _read(files: Files, tile: _Tile) -> bytes:
    data = files.read(f"tile/{tile.name}", _LONGEST_BUNDLE)
    if data is None:
        raise BadError(f"tile/{tile.name} is missing")
    if tile.level is not None and len(data) != tile.width * HASH_BYTES:
        raise BadError(f"tile/{tile.name} has not the size it should have")
    return data


def _entries(data: bytes, width: int) -> list[bytes]:
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
