"""Owns the set of stores that the parts of files work on together: rows, keys, blobs, and the threads to reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.files.blobs import BlobStore
    from services.files.keys import FileKeys
    from services.files.store import Store
    from services.files.workers import Workers
    from services.kit.db import Database


@dataclass(frozen=True)
class Stores:
    """Everything that is kept, and how to get at it."""

    database: Database
    rows: Store
    keys: FileKeys
    blobs: BlobStore
    workers: Workers
