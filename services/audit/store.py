"""What the log keeps and the ports it keeps it behind.

Owns the value types between the domain and its stores. Holds no logic and no SQL.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from services.audit.event import Source
from services.audit.search.tags import Tags
from services.audit.tiles import Tile
from services.kit.checks import Finding


class Standing(StrEnum):
    """How sure it is that a record makes the leaf it made before: that depends on its subject's key."""

    WHOLE = "whole"
    """The key is at hand: another leaf was never made of it."""
    ERASED = "erased"
    """The key was destroyed: an earlier leaf, made under that key, cannot be told from others."""
    KEYLESS = "keyless"
    """There is no key: the subject is new, or the keys database is older than the log."""


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
class Evidence:
    """The latest finding of a check, when it was made, and where it stands in the log."""

    finding: Finding
    time: datetime
    event_id: str
    index: int


@dataclass(frozen=True, slots=True)
class Minimal:
    """A security record, sealed under the key of its month."""

    period: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Alert:
    """An open alert about a check."""

    reason: str
    opened: datetime


@dataclass(frozen=True, slots=True)
class Statement:
    """What a producer said of its outbox: `count` records up to `number` of an epoch, and the digest of their ids."""

    epoch: str
    count: int
    number: int
    digest: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """An event ready to be kept: its entry is public, its body sealed (empty: only the security record is kept)."""

    source: Source
    event_id: str
    subject: str
    time: datetime
    """When it happened, on its producer's clock."""
    entry: bytes
    sealed: bytes
    finding: Finding | None = None
    statement: Statement | None = None
    minimal: Minimal | None = None
    standing: Standing = Standing.WHOLE
    tags: Tags | None = None
    """None when it is not found by what it says."""
    request: int | None = None
    """Tag of the request that it was made in."""


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
    time: datetime | None = field(default=None, compare=False)
    """When it was signed, if that is known."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Up to where the log is signed, and when the last signature was made, if that is known."""

    size: int
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Published:
    """The checkpoint that is served: a signed note with this many cosignatures."""

    note: bytes
    size: int
    cosignatures: int


@dataclass(frozen=True, slots=True)
class Extent:
    """How many entries there are, up to where a recovery regains them (0: none runs), how many have no record."""

    size: int
    wanted: int
    bodiless: int


class Regaining(Protocol):
    """What a write transaction knows of entries that were signed before a restore."""

    async def extent(self) -> Extent:
        """Return the log's extent; other transactions wait until this one ends."""

    async def places(self, records: Sequence[Record]) -> dict[bytes, int]:
        """Return the indexes of these records' entries, of those that were signed and have no record."""

    async def set_aside(self, producer: str, epoch: str, records: Sequence[Record], *, regaining: bool = False) -> None:
        """Keep that the log has these numbers, although no entry can be told to be theirs.

        While the log regains what it had signed, what stays of those about people who were erased is kept beside them,
        to be appended when the recovery ends.
        """

    async def earlier(self, producer: str, epoch: str, records: Sequence[Record]) -> set[str]:
        """Return the ids among these that an earlier epoch of the producer holds."""

    async def heard(self, producer: str, standing: Standing) -> None:
        """Keep that all the producer has left was not signed (WHOLE, ERASED), or cannot be told (KEYLESS)."""


class Appending(Regaining, Protocol):
    """One write transaction on the log."""

    async def latest(self, producer: str) -> Head | None:
        """Return the producer's current epoch."""

    async def held(self, producer: str, epoch: str) -> Head | None:
        """Return any epoch of the producer."""

    async def event_ids(self, producer: str, epoch: str, first: int, last: int) -> list[str]:
        """Return the event ids held under these numbers, in order."""

    async def begin_epoch(self, producer: str, epoch: str, predecessor: str) -> None:
        """Make `epoch` the producer's current one."""

    async def insert(self, producer: str, epoch: str, records: Sequence[Record], places: Mapping[bytes, int]) -> None:
        """Keep a producer's next records, each at its entry's place, or under the next index if it has none.

        Raises:
            DuplicateEventError: The id of one is held.
            ErasedError: Some are sealed under the keys of people who are being erased.
        """

    async def alarm(self, producer: str, epoch: str, reason: str, missing: int) -> None:
        """Open an alarm unless the producer has an open one for this reason, and record it."""

    async def calm(self, producer: str) -> None:
        """Close the producer's open alarms, and record it."""


class AppendStore(Protocol):
    """Where records become durable."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What is raised when a store is away, full or broken: no record is to blame."""

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

    async def discard(self, size: int) -> None:
        """Remove what a tree of `size` leaves does not have: it was never signed."""

    async def close(self) -> None:
        """Give up threads and connections."""


class CheckpointStore(Protocol):
    """The last signed checkpoint, apart from the entries."""

    async def load(self) -> SignedHead | None:
        """Return it, or None if nothing was ever signed."""

    async def swap(self, expected: bytes | None, head: SignedHead) -> None:
        """Replace `expected` by `head`; raise ConflictError if it is another by now or was signed by a later holder."""

    async def published(self) -> Published | None:
        """Return the checkpoint that is served, when cosignatures are asked for."""

    async def publish(self, published: Published) -> None:
        """Replace it; one that covers more, or as much with more cosignatures, is kept instead."""


class Lease(Protocol):
    """Lets one process sequence."""

    async def hold(self) -> int | None:
        """Take or keep the lease; return its fencing token, or None while another holds it."""

    async def surpass(self, fence: int) -> int:
        """Raise the held lease's token above `fence` and return it."""

    async def release(self) -> None:
        """Give the lease up, if held."""
