"""Cold bundles in a directory.

Owns durability: temporary file, fsync, rename over the final name, fsync of the directory.
"""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from services.audit.retention.cold import ColdError
from services.kit.durable import draft, sync_directory

T = TypeVar("T")
_SCRATCH = ".scratch"
_FANOUT = 1000


class ColdDirectory:
    """A `ColdStore` in a directory: `<thousands>/<bundle>`."""

    def __init__(self, root: Path) -> None:
        """Take the directory; made when missing. Leftovers of a crash are removed."""
        self._root, self._scratch = root, root / _SCRATCH
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(mode=0o700)

    async def put(self, bundle: int, data: bytes) -> None:
        """Make an object durable, in the place of an older one; raise ColdError."""
        await _guarded(lambda: self._put(bundle, data))

    async def get(self, bundle: int) -> bytes | None:
        """Return an object, or None; raise ColdError."""
        path = self._path(bundle)
        return await _guarded(lambda: path.read_bytes() if path.exists() else None)

    async def delete(self, bundle: int) -> None:
        """Delete an object, if there is one; raise ColdError."""
        await _guarded(lambda: self._delete(bundle))

    async def close(self) -> None:
        """Nothing is held open."""

    def _path(self, bundle: int) -> Path:
        return self._root / f"{bundle // _FANOUT:06d}" / str(bundle)

    def _put(self, bundle: int, data: bytes) -> None:
        path = self._path(bundle)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        draft(self._scratch, data).replace(path)
        sync_directory(path.parent)
        sync_directory(self._root)

    def _delete(self, bundle: int) -> None:
        path = self._path(bundle)
        path.unlink(missing_ok=True)
        if path.parent.exists():
            sync_directory(path.parent)


async def _guarded(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise ColdError from error
