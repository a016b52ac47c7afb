"""What the export keeps and reads, and the ports it does so behind.

Owns the value types. Holds no logic and no SQL.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.audit.checkpoint import Checkpoint
from services.audit.store import Kept


class MissingEntriesError(Exception):
    """The log has no entry where the export goes on, below its signed size."""


class MovedError(Exception):
    """Another process has moved the cursor."""


class SinkError(Exception):
    """The sink did not take the batch. Says why, and nothing of what was sent."""

    def __init__(self, reason: str, status: int = 0) -> None:
        """Take the reason, a constant, and the status of the answer if there was one."""
        super().__init__()
        self.reason, self.status = reason, status


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry with its sealed body, and when it arrived."""

    kept: Kept
    entry: bytes
    arrived: datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a sink has come."""

    sink: str
    next: int
    """Index of the first entry that it has not acknowledged."""
    untold: int
    """Bodies opened for it since the last record of that."""
    told: datetime | None
    """When the last such record was made."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records for a sink, each a line of JSON, and how many of the bodies that were opened for it count."""

    first: int
    last: int
    lines: bytes
    opened: int


class Entries(Protocol):
    """The log's entries."""

    async def exported(self, start: int, limit: int) -> list[Entry]:
        """Return at most `limit` entries from `start` on, in order, up to the first that is missing."""


class Cursors(Protocol):
    """How far each sink has come; each method is one transaction."""

    async def load(self, sink: str) -> Cursor:
        """Return the sink's cursor, made at first use."""

    async def advance(self, cursor: Cursor, following: int, opened: int) -> Cursor:
        """Move the cursor to `following`; raise MovedError when it is elsewhere by now."""

    async def tell(self, cursor: Cursor) -> Cursor:
        """Record how many bodies were opened since the last record, if any, and begin to count anew."""


class Heads(Protocol):
    """The latest signed checkpoint."""

    async def latest(self) -> tuple[bytes, Checkpoint] | None:
        """Return it, or None before the first."""


class Lease(Protocol):
    """Lets one process export to a sink."""

    async def hold(self) -> int | None:
        """Take or keep the lease; None while another holds it."""

    async def release(self) -> None:
        """Give the lease up, if held."""


class Sink(Protocol):
    """Where the export goes."""

    async def send(self, batch: Batch) -> None:
        """Return when the batch is the sink's; raise SinkError or OSError otherwise."""


class Starts(Protocol):
    """Where it is recorded that an export begins."""

    async def siem_started(self, sink: str) -> None:
        """Record it; return when that is durable."""


@dataclass(frozen=True, slots=True)
class Route:
    """A sink, its name, and the most events it takes at once."""

    name: str
    sink: Sink
    limit: int


class Log(Protocol):
    """Where what is to be mended is told."""

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Log something to mend."""

    def error(self, name: str, **fields: object) -> None:
        """Write a line about something that somebody must look at."""
