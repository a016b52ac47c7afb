"""What the log keeps and the ports it keeps it behind.

Owns the value types between the domain and its stores. Holds no logic and no SQL.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.audit.event import Source
from services.audit.tiles import Tile


class DuplicateEventError(Exception):
    """An event's id is held already, under another number."""


class ErasedError(Exception):
    """Records are sealed under the keys of people whose erasure has begun."""

    def __init__(self, subjects: frozenset[str]) -> None:
        """Take those people's ids."""
        super().__init__()
        self.subjects = subjects


class HoldsChangedError(Exception):
    """A legal hold began or ended since the holds were read."""


class ConflictError(Exception):
    """A write-once object exists with other bytes, or a compare-and-swap found something else."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a live check found."""

    check: str
    state: str
    measured: int | None
    threshold: int
    time: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """The latest finding of a check, and where it stands in the log."""

    finding: Finding
    event_id: str
    index: int


@dataclass(frozen=True, slots=True)
class Minimal:
    """A security record, sealed under the key of its month."""

    period: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """An event ready to be kept: its entry is public, its body sealed (empty: only the security record is kept)."""

    source: Source
    event_id: str
    subject: str
    entry: bytes
    sealed: bytes
    finding: Finding | None = None
    minimal: Minimal | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A record in the log; its body is empty when it is not kept here."""

    index: int
    event_id: str
    subject: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A record in the log with its public entry."""

    kept: Kept
    entry: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """What is held of one epoch of a producer: numbers 1..highest."""

    epoch: str
    highest: int


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The last signed checkpoint, with the fencing token of its signer."""

    note: bytes
    fence: int


class Appending(Protocol):
    """One write transaction on the log."""

    async def latest(self, producer: str) -> Head | None:
        """Return the producer's current epoch."""

    async def held(self, producer: str, epoch: str) -> Head | None:
        """Return any epoch of the producer."""

    async def event_ids(self, producer: str, epoch: str, first: int, last: int) -> list[str]:
        """Return the event ids held under these numbers, in order."""

    async def begin_epoch(self, producer: str, epoch: str, predecessor: str) -> None:
        """Make `epoch` the producer's current one."""

    async def insert(self, producer: str, epoch: str, records: Sequence[Record]) -> None:
        """Keep the next records of the current epoch under the next indexes; raise DuplicateEventError, ErasedError."""

    async def alarm(self, producer: str, epoch: str, reason: str, missing: int) -> None:
        """Open an alarm unless the producer has an open one for this reason, and record it."""

    async def calm(self, producer: str) -> None:
        """Close the producer's open alarms, and record it."""


class AppendStore(Protocol):
    """Where records become durable."""

    def begin(self) -> AbstractAsyncContextManager[Appending]:
        """Open a transaction: durable when the block ends, undone when it raises."""

    async def head(self, producer: str) -> Head | None:
        """Return the producer's current epoch."""


class Entries(Protocol):
    """The entries as the sequencer reads them."""

    async def size(self) -> int:
        """Return the number of entries; their indexes are 0..size-1."""

    async def entries(self, start: int, limit: int) -> list[bytes]:
        """Return at most `limit` entries from `start` on, in order, up to the first that is missing."""


class TileStore(Protocol):
    """Write-once tiles, and one published copy of the checkpoint."""

    async def get(self, tile: Tile) -> bytes | None:
        """Return a tile's bytes, or None."""

    async def put(self, files: dict[Tile, bytes]) -> None:
        """Make tiles durable; equal bytes are accepted again, others raise ConflictError."""

    async def publish(self, note: bytes) -> None:
        """Replace the published checkpoint."""

    async def published(self) -> bytes | None:
        """Return the published checkpoint, or None."""

    async def prune(self, tile: Tile) -> None:
        """Forget the partial tiles that the full `tile` has replaced."""

    async def close(self) -> None:
        """Give up threads and connections."""


class CheckpointStore(Protocol):
    """The last signed checkpoint, apart from the entries."""

    async def load(self) -> SignedHead | None:
        """Return it, or None if nothing was ever signed."""

    async def swap(self, expected: bytes | None, head: SignedHead) -> None:
        """Replace `expected` by `head`; raise ConflictError if it is another by now or was signed by a later holder."""


class Lease(Protocol):
    """Lets one process sequence."""

    async def hold(self) -> int | None:
        """Take or keep the lease; return its fencing token, or None while another holds it."""

    async def surpass(self, fence: int) -> int:
        """Raise the held lease's token above `fence` and return it."""

    async def release(self) -> None:
        """Give the lease up, if held."""
