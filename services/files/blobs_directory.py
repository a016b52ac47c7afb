"""Owns blobs in a directory of one machine. Must never leave a half-written blob under its name.

A blob is written to ``tmp/``, synced, renamed into one of 256 folders, and the folder synced. Folders are 0700 and
files 0600.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from services.files.blobs import BlobError, BlobInfo, BlobMissingError, check_name
from services.kit.durable import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.files.cobblestone import Octets


class DirectoryBlobs:
    """A ``BlobStore`` in a directory."""

    def __init__(self, root: Path) -> None:
        """Take the directory; it is made, with its folders, when it is not there."""
        self._root = root
        self._unfinished = root / "tmp"
        with _translated():
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self._unfinished, *(root / f"{number:02x}" for number in range(256))):
                folder.mkdir(mode=0o700, exist_ok=True)
            sync_directory(root)

    def create(self, name: str, length: int) -> _Writer:
        """Begin a blob; it is written beside, not under, its name."""
        del length  # the file grows as it is written
        return _Writer(self._unfinished / check_name(name), self._path(name))

    def open(self, name: str) -> _Reader:
        """Open a blob."""
        return _Reader(self._path(name))

    def delete(self, name: str) -> None:
        """Remove a blob and what a dead writer left of it."""
        path = self._path(name)
        with _translated():
            (self._unfinished / name).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            sync_directory(path.parent)

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """Yield the blobs of one folder."""
        with _translated():
            yield from _entries(self._root / prefix)

    def sweep(self, before: datetime) -> int:
        """Remove unfinished files not written to since then."""
        count = 0
        with _translated():
            for entry in _entries(self._unfinished):
                if entry.modified < before:
                    (self._unfinished / entry.name).unlink(missing_ok=True)
                    count += 1
        return count

    def _path(self, name: str) -> Path:
        return self._root / check_name(name)[:2] / name


class _Writer:
    def __init__(self, unfinished: Path, path: Path) -> None:
        self._unfinished, self._path = unfinished, path
        with _translated():
            self._file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._open = True

    def write(self, data: Octets) -> None:
        with _translated(), memoryview(data) as rest:
            written = 0
            while written < len(rest):
                written += os.write(self._file, rest[written:])

    def commit(self) -> None:
        with _translated():
            os.fsync(self._file)
            self._unfinished.rename(self._path)
            self._close()
            sync_directory(self._path.parent)

    def discard(self) -> None:
        if self._open:
            self._close()
            with _translated():
                self._unfinished.unlink(missing_ok=True)

    def _close(self) -> None:
        self._open = False
        os.close(self._file)


class _Reader:
    def __init__(self, path: Path) -> None:
        with _translated():
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            self.length = os.fstat(self._file).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        with _translated():
            return os.pread(self._file, length, offset)

    def close(self) -> None:
        os.close(self._file)


def _entries(folder: Path) -> Iterator[BlobInfo]:
    """Yield what is in a folder; what vanishes meanwhile is passed over."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                modified = entry.stat(follow_symlinks=False).st_mtime
            except FileNotFoundError:
                continue
            yield BlobInfo(entry.name, datetime.fromtimestamp(modified, UTC))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissingError from error
    except OSError as error:
        raise BlobError from error
