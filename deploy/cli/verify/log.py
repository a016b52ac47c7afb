"""A whole log as files (c2sp.org/tlog-tiles@v0.1.0): `checkpoint` and `tile/...`.

Owns the walk over all its tiles and bundles. Reads each once and believes none: everything is hashed again, in memory
that does not grow with the log. What is not under the signed root has no place in it. In place of what a pruned log has
withdrawn, the walk takes the hash over it from the tiles above, which the signed root covers too.
"""

from collections.abc import Callable, Iterable

from deploy.cli.verify.files import Files
from deploy.cli.verify.note import BadError, Checkpoint
from deploy.cli.verify.tiles import WIDTH, Tile, entries_of, find, hashes_of, parse, read
from deploy.cli.verify.tree import EMPTY, leaf, root

CHECKPOINT = "checkpoint"
_TELL_EVERY = 64


def roots(
    files: Files,
    head: Checkpoint,
    sizes: Iterable[int] = (),
    tell: Callable[[int], None] = lambda _: None,
    minimum: int = 0,
) -> dict[int, bytes]:
    """Check every file of the log under `head`; return the roots it had at `sizes`.

    Those beyond its end are left out, and those that are not known because what is below `minimum` is not there.

    Raises:
        BadError: A file is missing, cut, longer than it should be, different, or not of the signed tree.
    """
    walk = _Walk(files, head.size, minimum)
    wanted = sorted({size for size in sizes if 0 < size <= head.size} | ({head.size} - {0}), reverse=True)
    found = {0: EMPTY}
    while walk.at < head.size:
        start = walk.at
        hashes = walk.leaves()
        while wanted and wanted[-1] < start:
            wanted.pop()
        while wanted and wanted[-1] <= start + len(hashes):
            size = wanted.pop()
            found[size] = walk.root(hashes[: size - start])
        walk.take(hashes)
        if start // WIDTH % _TELL_EVERY == 0:
            tell(walk.at)
    while wanted and wanted[-1] < walk.at:
        wanted.pop()
    for size in wanted:
        found[size] = walk.root([])
    walk.finish()
    tell(head.size)
    if found[head.size] != head.root:
        raise BadError(f"the log's {head.size} entries are not those that were signed")
    _require_no_other(files, head.size, walk.unseen)
    return found


def level_zero(files: Files, index: int, size: int) -> bytes | None:
    """Return a tile of leaf hashes of a log of that size; None when it is not there."""
    return find(files, Tile(0, index).within(size))


class _Walk:
    """The right edge of the tree so far: what its unfinished tiles hold above level 0."""

    def __init__(self, files: Files, size: int, minimum: int) -> None:
        self._files, self._size, self._minimum = files, size, minimum
        self._levels: list[list[bytes]] = []
        self.at = 0
        """The first entry that was not taken in yet."""
        self.unseen: list[range] = []
        """Entries of which nothing was looked at but the one hash over all of them."""

    def leaves(self) -> list[bytes]:
        """Return the next bundle's leaf hashes, after comparing them with the level-0 tile; none when none is there."""
        index = self.at // WIDTH
        width = min(WIDTH, self._size - self.at)
        data = self._find(Tile(None, index, width))
        if data is None:
            return []
        hashes = [leaf(entry) for entry in entries_of(data, width)]
        self._require(Tile(0, index, width), hashes)
        return hashes

    def take(self, hashes: list[bytes]) -> None:
        """Take the next leaf hashes in; without any, as much as is known under one hash."""
        start = self.at
        if hashes:
            self.at += len(hashes)
            if len(hashes) == WIDTH:
                self._push(0, root(hashes))
            return
        level, hashed = self._withdrawn(start // WIDTH)
        self.at += WIDTH ** (level + 1)
        if level:
            self.unseen.append(range(start, self.at))
        self._push(level, hashed)

    def root(self, tail: list[bytes]) -> bytes:
        """Return the root over what was taken in and `tail`."""
        rest = [root(tail)] if tail else []
        for level in self._levels:
            if level or rest:
                rest = [root([*level, *rest])]
        return rest[0] if rest else EMPTY

    def finish(self) -> None:
        """Compare the last tile of each level."""
        for level, hashes in enumerate(self._levels):
            if hashes:
                self._require(Tile(level + 1, self.at // WIDTH ** (level + 2), len(hashes)), hashes)

    def _push(self, level: int, hashed: bytes) -> None:
        while level >= len(self._levels):
            self._levels.append([])
        hashes = self._levels[level]
        hashes.append(hashed)
        if len(hashes) == WIDTH:
            self._require(Tile(level + 1, self.at // WIDTH ** (level + 2) - 1), hashes)
            above = root(hashes)
            hashes.clear()
            self._push(level + 1, above)

    def _withdrawn(self, index: int) -> tuple[int, bytes]:
        """Return the hash of a level-0 tile whose bundle is withdrawn; of more, by a level, when its tiles are too."""
        hashes = self._find(Tile(0, index))
        if hashes is not None:
            return 0, root(hashes_of(hashes))
        level = 0
        while True:
            above = Tile(level + 1, index // WIDTH).within(self._size)
            data = self._find(above)
            if data is not None:
                return level, hashes_of(data)[index % WIDTH]
            if index % WIDTH:  # what came before it was there, so this is no gap that the log made
                raise BadError(f"tile/{above.name} is missing")
            level, index = level + 1, index // WIDTH

    def _find(self, tile: Tile) -> bytes | None:
        """Return a tile; None when it is not there and need not be; raise BadError when it must."""
        data = find(self._files, tile)
        if data is None and tile.end > self._minimum:
            raise BadError(f"tile/{tile.name} is missing")
        return data

    def _require(self, tile: Tile, hashes: list[bytes]) -> None:
        data = self._find(tile)
        if data is None or data == b"".join(hashes):
            return
        both = enumerate(zip(hashes_of(data), hashes, strict=False))
        at = next((number for number, (one, other) in both if one != other), len(hashes))
        what = "entry" if tile.level == 0 else f"what level {tile.level} has at"
        raise BadError(f"tile/{tile.name} does not hold the hash of {what} {tile.index * WIDTH + at}")


def _require_no_other(files: Files, size: int, unseen: list[range]) -> None:
    """Check that no file claims to be of the log without being under its root."""
    for name in files.names():
        if not name.startswith("tile/"):
            continue
        tile = parse(name.removeprefix("tile/"))
        if tile is None:
            raise BadError(f"{name} is not part of a log")
        width = tile.wanted(size)
        if tile.width > width:
            raise BadError(f"{name} goes beyond the signed end of {size} entries")
        if any(each.start <= tile.start and tile.end <= each.stop for each in unseen):
            raise BadError(f"{name} cannot be compared: the tiles around it are not there")
        if tile.width < width:  # left from when the log was smaller: it must be how the tile began
            whole = read(files, Tile(tile.level, tile.index, width))
            if not whole.startswith(read(files, tile)):
                raise BadError(f"{name} is not how its tile began")
            if tile.level is None:
                entries_of(read(files, tile), tile.width)
