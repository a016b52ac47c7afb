"""The sink that is a directory: files of JSON lines, for a collector that reads files.

Owns the files' names (the index of the first record, 20 digits) and their durability: a batch is the sink's when the
file, and the directory of a new one, are on disk. A line that a crash has torn is cut off before the next is written.
Never deletes a file: who reads them knows when.
"""

import asyncio
import os
from pathlib import Path

from services.audit.siem.store import Batch
from services.kit.durable import sync_directory

_SUFFIX = ".jsonl"
_CHUNK = 64 << 10


class DirectorySink:
    """Writes to a directory."""

    def __init__(self, folder: Path, rotate_bytes: int) -> None:
        """Take the folder, made when it is not there, and the size at which a file is followed by a new one."""
        self._folder, self._rotate = folder, rotate_bytes

    async def send(self, batch: Batch) -> None:
        """Return when the batch is on disk."""
        await asyncio.to_thread(self._append, batch)

    def _append(self, batch: Batch) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        newest = max(self._folder.glob("*" + _SUFFIX), default=None)
        fresh = newest is None or newest.stat().st_size >= self._rotate
        path = self._folder / f"{batch.first:020d}{_SUFFIX}" if newest is None or fresh else newest
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "r+b") as file:
            end = _whole(descriptor)
            file.truncate(end)
            file.seek(end)
            file.write(batch.lines)
            file.flush()
            os.fsync(descriptor)
        if fresh:
            sync_directory(self._folder)


def _whole(descriptor: int) -> int:
    """Return where the last whole line of the file ends."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - _CHUNK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
