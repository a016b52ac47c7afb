"""Owns the port to where encrypted bytes are kept. The store is not trusted: it sees ciphertext and random names only.

Everything here blocks; it is called from worker threads, never from the event loop.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from services.files.cobblestone import Octets

_NAME = re.compile(r"[0-9a-f]{32}")


class BlobError(OSError):
    """The store did not do what it was asked; the chain answers as for any store that is away."""


class BlobMissingError(BlobError):
    """There is no such blob."""


class BlobInfo(NamedTuple):
    """A blob in a listing."""

    name: str
    modified: datetime


class BlobWriter(Protocol):
    """A blob being written. It exists for nobody until it is committed."""

    def write(self, data: Octets) -> None:
        """Append bytes."""
        ...

    def commit(self) -> None:
        """Make the blob exist, durably."""
        ...

    def discard(self) -> None:
        """Forget everything written. After a commit, or twice, it does nothing."""
        ...


class BlobReader(Protocol):
    """A blob open for reading."""

    length: int

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes at an offset; fewer only where the blob ends."""
        ...

    def close(self) -> None:
        """Let go of the blob."""
        ...


class BlobStore(Protocol):
    """Where blobs are. Names are 32 hexadecimal digits, random, never used twice. All methods raise ``BlobError``."""

    def create(self, name: str, length: int) -> BlobWriter:
        """Begin a blob of at most that many bytes."""
        ...

    def open(self, name: str) -> BlobReader:
        """Open a committed blob.

        Raises:
            BlobMissingError: There is none.
        """
        ...

    def delete(self, name: str) -> None:
        """Remove a blob, and what a dead writer left of it, durably; nothing happens when there is none."""
        ...

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """Yield all committed blobs whose names begin with these two digits, in no order."""
        ...

    def sweep(self, before: datetime) -> int:
        """Remove what writers abandoned before that time; return how many."""
        ...


def check_name(name: str) -> str:
    """Return the name when it is a blob's.

    Raises:
        ValueError: It is not.
    """
    if _NAME.fullmatch(name) is None:
        message = "not a blob's name"
        raise ValueError(message)
    return name
