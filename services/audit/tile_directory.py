"""Tiles in a directory: a whole tlog-tiles log that any static server could serve.

Owns durability: temporary file, fsync, link under the final name, fsync of the directory. A name never gets other
bytes; only `checkpoint`, the published copy, is replaced.
"""

import asyncio
import fcntl
import os
import secrets
import shutil
from pathlib import Path

from services.audit.store import ConflictError
from services.audit.tiles import Tile, parse_path
from services.kit.durable import draft, sync_directory

_SCRATCH = ".scratch"
_CHECKPOINT = "checkpoint"


class DirectoryTiles:
    """A `TileStore` under one directory: `checkpoint` and `tile/...`."""

    def __init__(self, root: Path) -> None:
        """Take the directory; made when missing. What processes that are gone have left unfinished is removed."""
        self._root, drafts = root, root / _SCRATCH
        drafts.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in drafts.iterdir():
            _remove_unless_used(left)
        self._scratch = drafts / secrets.token_hex(8)
        self._scratch.mkdir(mode=0o700)
        self._claim = os.open(self._scratch, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._claim, fcntl.LOCK_EX)  # given up by the system when the process ends, however it ends

    async def get(self, tile: Tile) -> bytes | None:
        """Return a tile's bytes, or None."""
        return await asyncio.to_thread(_read, self._path(tile))

    async def put(self, files: dict[Tile, bytes]) -> None:
        """Make tiles durable; raise ConflictError if one exists with other bytes."""
        await asyncio.to_thread(self._put, files)

    async def publish(self, note: bytes) -> None:
        """Replace the published checkpoint."""
        await asyncio.to_thread(self._publish, note)

    async def published(self) -> bytes | None:
        """Return the published checkpoint, or None."""
        return await asyncio.to_thread(_read, self._root / _CHECKPOINT)

    async def prune(self, tile: Tile) -> None:
        """Forget the partial tiles that the full `tile` has replaced."""
        path = self._path(tile)
        await asyncio.to_thread(shutil.rmtree, path.with_name(path.name + ".p"), ignore_errors=True)

    async def discard(self, size: int) -> None:
        """Remove what a tree of `size` leaves does not have: it was never signed."""
        await asyncio.to_thread(self._discard, size)

    async def close(self) -> None:
        """Give up the folder for drafts."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        os.close(self._claim)

    def _path(self, tile: Tile) -> Path:
        return self._root / "tile" / tile.path

    def _put(self, files: dict[Tile, bytes]) -> None:
        touched: set[Path] = set()
        for tile, data in files.items():
            path = self._path(tile)
            self._make(path.parent)
            drafted = draft(self._scratch, data)
            try:
                os.link(drafted, path)
            except FileExistsError:
                if path.read_bytes() != data:
                    raise ConflictError(tile.path) from None
            finally:
                drafted.unlink()
            touched.add(path.parent)
        for folder in touched:
            sync_directory(folder)

    def _publish(self, note: bytes) -> None:
        draft(self._scratch, note).replace(self._root / _CHECKPOINT)
        sync_directory(self._root)

    def _discard(self, size: int) -> None:
        top = self._root / "tile"
        for path in [path for path in top.rglob("*") if path.is_file()]:
            if parse_path(path.relative_to(top).as_posix()).leaves > size:
                path.unlink()
                sync_directory(path.parent)

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_directory(folder.parent)


def _remove_unless_used(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # another process that starts has just removed it
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
