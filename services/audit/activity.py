"""A customer's own view of the log: their events, newest first, and the receipt of each.

Owns who may see what: a record is shown to its subject and to nobody else. Opens bodies; writes nothing.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.audit.bodies import NOBODY, Bodies, Keys
from services.audit.checkpoint import Checkpoint
from services.audit.errors import NOT_YET_PROVABLE
from services.audit.event import Source, parse
from services.audit.receipt import Opening, write
from services.audit.store import Kept
from services.audit.tree import TileSource, TreeReader
from services.kit.envelope import context, seal, unseal
from services.kit.event import Event
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Fault

DEFAULT_PAGE = 50
MAX_PAGE = 200
_TOKEN = "valv/audit/page/v1"  # noqa: S105 - the name of a format


class Records(Protocol):
    """The records, found by subject or event."""

    async def page(self, subject: str, before: int | None, limit: int) -> list[Kept]:
        """Return the subject's records below index `before`, newest first."""

    async def find(self, event_id: str) -> Kept | None:
        """Return the record of an event."""


class Heads(Protocol):
    """The latest signed checkpoint."""

    async def latest(self) -> tuple[bytes, Checkpoint] | None:
        """Return it, or None before the first."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An event as its subject sees it."""

    event: Event
    source: Source
    index: int
    provable: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page of events, and the token of the next page (empty at the end)."""

    shown: Sequence[Shown]
    next_token: str
    receipts: Sequence[bytes] = ()
    """One for each event, when they were asked for; empty ones where no checkpoint covers the event yet."""


class Activity:
    """Shows customers their events."""

    def __init__(self, records: Records, bodies: Bodies, keys: Keys, heads: Heads, tiles: TileSource) -> None:
        """Take what to read."""
        self._records, self._bodies, self._keys = records, bodies, keys
        self._heads, self._tiles = heads, tiles

    async def page(self, customer: str, size: int, token: str, *, receipts: bool = False) -> Page:
        """Return a page of the customer's events, with their receipts if asked for.

        Raises:
            Fault: INVALID_ARGUMENT: no such page size, or not a token of this customer's.
        """
        if not 0 <= size <= MAX_PAGE:
            raise Fault(INVALID_ARGUMENT, field="page_size")
        limit = size or DEFAULT_PAGE
        before = await self._before(customer, token) if token else None
        kept = await self._records.page(customer, before, limit + 1)
        latest = await self._heads.latest()
        signed = latest[1].size if latest is not None else 0
        shown, proofs = [], []
        for record in kept[:limit]:
            opening = await self._bodies.open(record)
            if opening is not None:
                event, source = parse(opening.event)
                shown.append(Shown(event, source, record.index, record.index < signed))
                if receipts:
                    proofs.append(await self._proof(record, opening, latest))
        more = len(kept) > limit
        return Page(shown, await self._token(customer, kept[limit - 1].index) if more else "", proofs)

    async def receipt(self, customer: str, event_id: str) -> bytes:
        """Return the receipt of one of the customer's events.

        Raises:
            Fault: NOT_FOUND: no such event, or another's. NOT_YET_PROVABLE: no checkpoint covers it yet.
        """
        if not customer:
            raise Fault(NOT_FOUND)
        return await self._receipt(customer, event_id)

    async def evidence(self, event_id: str) -> bytes:
        """Return the receipt of an event that is about nobody: the result of a live check.

        Raises:
            Fault: NOT_FOUND: no such event, or it is about somebody. NOT_YET_PROVABLE: no checkpoint covers it yet.
        """
        return await self._receipt("", event_id)

    async def _receipt(self, subject: str, event_id: str) -> bytes:
        kept = await self._records.find(event_id)
        if kept is None or kept.subject != subject:
            raise Fault(NOT_FOUND)
        opening = await self._bodies.open(kept)
        if opening is None:
            raise Fault(NOT_FOUND)
        proof = await self._proof(kept, opening, await self._heads.latest())
        if not proof:
            raise Fault(NOT_YET_PROVABLE, retry_after=1)
        return proof

    async def _proof(self, kept: Kept, opening: Opening, latest: tuple[bytes, Checkpoint] | None) -> bytes:
        """Return the receipt of an entry; empty when no checkpoint covers it yet."""
        if latest is None or kept.index >= latest[1].size:
            return b""
        note, head = latest
        proof = await TreeReader(self._tiles, head.size).inclusion(kept.index)
        return write(opening, kept.index, proof, note, head)

    async def _token(self, customer: str, index: int) -> str:
        key = await self._keys.get_or_create(NOBODY)
        sealed = seal(key, index.to_bytes(8), context(_TOKEN, customer))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    async def _before(self, customer: str, token: str) -> int:
        key = await self._keys.get_or_create(NOBODY)
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            return int.from_bytes(unseal(key, sealed, context(_TOKEN, customer)))
        except (binascii.Error, ValueError):
            raise Fault(INVALID_ARGUMENT, field="page_token") from None
