"""A whole log in a directory (c2sp.org/tlog-tiles@v0.1.0): `checkpoint` and `tile/...`.

Owns the walk over all its tiles and bundles. Reads each once and believes none: everything is hashed again.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from deploy.cli.verify.note import BadError, Checkpoint
from deploy.cli.verify.tree import HASH_BYTES, leaf, root

_WIDTH = 256


def require_log(folder: Path, head: Checkpoint, older: Iterable[Checkpoint] = ()) -> None:
    """Check every tile and bundle under `head`, and that each of `older` was a head of the same log.

    Raises:
        BadError: A tile is missing, cut, longer than it should be, or different; or a head does not fit.
    """
    wanted = {checkpoint.size for checkpoint in older} | {head.size}
    roots: dict[int, bytes] = {0: root([])}
    full: list[bytes] = []
    for hashes in _leaves(folder, head.size):
        start = len(full) * _WIDTH
        for size in wanted:
            if start < size <= start + len(hashes):
                roots[size] = root([*full, root(hashes[: size - start])])
        if len(hashes) == _WIDTH:
            full.append(root(hashes))
    _require_levels(folder, full)
    for checkpoint in (head, *older):
        if checkpoint.size > head.size:
            raise BadError(f"a checkpoint of {checkpoint.size} entries is newer than the log")
        if roots[checkpoint.size] != checkpoint.root:
            raise BadError(f"the log's first {checkpoint.size} entries are not those that were signed")


def _leaves(folder: Path, size: int) -> Iterator[list[bytes]]:
    """Yield the leaf hashes of each bundle, after comparing them with the level-0 tile."""
    for index in range((size + _WIDTH - 1) // _WIDTH):
        width = min(_WIDTH, size - index * _WIDTH)
        entries = _entries(_read(folder, "entries", index, width), width)
        hashes = [leaf(entry) for entry in entries]
        _require_tile(folder, 0, index, hashes)
        yield hashes


def _require_levels(folder: Path, hashes: list[bytes]) -> None:
    level = 1
    while hashes:
        above: list[bytes] = []
        for index in range((len(hashes) + _WIDTH - 1) // _WIDTH):
            tile = hashes[index * _WIDTH : (index + 1) * _WIDTH]
            _require_tile(folder, level, index, tile)
            if len(tile) == _WIDTH:
                above.append(root(tile))
        hashes, level = above, level + 1


def _require_tile(folder: Path, level: int, index: int, hashes: list[bytes]) -> None:
    data = _read(folder, str(level), index, len(hashes))
    if data[: len(hashes) * HASH_BYTES] != b"".join(hashes) or len(data) % HASH_BYTES:
        raise BadError(f"tile {_name(level, index)} does not hold the hashes of what is below it")


def _read(folder: Path, level: str, index: int, width: int) -> bytes:
    """Return a tile, or the full one in place of a partial one that was pruned; of exact size."""
    name = folder / "tile" / _name(level, index)
    found = name if width == _WIDTH else name.with_name(f"{name.name}.p") / str(width)
    try:
        data = found.read_bytes() if found.exists() else name.read_bytes()
    except FileNotFoundError:
        raise BadError(f"tile {_name(level, index)} is missing") from None
    wide = width if found.exists() else _WIDTH
    if level != "entries" and len(data) != wide * HASH_BYTES:
        raise BadError(f"tile {_name(level, index)} has not the size it should have")
    return data


def _entries(data: bytes, width: int) -> list[bytes]:
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if end > len(data) or at + 2 > len(data):
            raise BadError("an entry bundle is cut")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) not in {width, _WIDTH}:
        raise BadError("an entry bundle has not the number of entries it should have")
    return entries[:width]


def _name(level: str | int, index: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:  # noqa: PLR2004 - groups of three digits
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    return f"{level}/{'/'.join(reversed(groups))}"
