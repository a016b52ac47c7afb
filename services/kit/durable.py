"""Files that survive a power failure.

Owns fsync: of a whole new file before it gets its name, and of the directory that holds the name.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def draft(scratch: Path, data: bytes) -> Path:
    """Write a file under a name of its own in `scratch`, readable by its owner only; return it when it is on disk."""
    path = scratch / secrets.token_hex(8)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return path


def sync_directory(folder: Path) -> None:
    """Make the names in a directory durable: what was made, renamed and removed in it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
