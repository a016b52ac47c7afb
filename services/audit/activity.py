"""A customer's own view of the log: their events, newest first, and the receipt of each.

Owns who may see what: a record is shown to its subject and to nobody else. Opens bodies; writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from services.audit import merkle
from services.audit.bodies import Bodies, Keys
from services.audit.checkpoint import Checkpoint
from services.audit.errors import NOT_YET_PROVABLE
from services.audit.event import Source
from services.audit.receipt import Opening, write
from services.audit.search.finder import Finder, Finding, Opened, opened_of
from services.audit.search.paging import Tokens
from services.audit.search.store import Position
from services.audit.search.terms import Terms
from services.audit.store import Kept
from services.audit.tree import TileSource, TreeReader
from services.kit.event import Event
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Fault

DEFAULT_PAGE = 50
MAX_PAGE = 200


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
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """A page of events, and the token of the next page (empty at the end)."""

    shown: Sequence[Shown]
    next_token: str
    receipts: Sequence[bytes] = ()
    """One for each event, when they were asked for; empty ones where no checkpoint covers the event yet."""


class Activity:
    """Shows customers their events."""

    def __init__(
        self, records: Records, finder: Finder, bodies: Bodies, keys: Keys, heads: Heads, tiles: TileSource
    ) -> None:
        """Take what to read."""
        self._records, self._finder, self._bodies, self._tokens = records, finder, bodies, Tokens(keys)
        self._heads, self._tiles = heads, tiles

    async def page(
        self, customer: str, size: int, token: str, terms: Terms | None = None, *, receipts: bool = False
    ) -> Page:
        """Return a page of the customer's events that answer the filter, with their receipts if asked for.

        Raises:
            Fault: INVALID_ARGUMENT: no such page size, or not a token of this customer's for this question.
                INDEX_INCOMPLETE, if there is a filter.
        """
        terms = replace(terms or Terms(), subject=customer)
        if not 0 <= size <= MAX_PAGE:
            raise Fault(INVALID_ARGUMENT, field="page_size")
        bound = ("activity", *terms.bound)
        before = await self._tokens.read(token, *bound)
        found = await self._find(terms, before, size or DEFAULT_PAGE)
        latest = await self._heads.latest()
        signed = latest[1].size if latest is not None else 0
        shown = [shown_of(one, signed) for one in found.opened]
        proofs = [await self._proof(one.kept, one.opening, latest) for one in found.opened] if receipts else []
        return Page(shown, await self._tokens.make(found.resume, *bound), proofs)

    async def _find(self, terms: Terms, before: Position | None, limit: int) -> Finding:
        """Find a customer's events; all of them in the order of the log, where each one is, indexed or not."""
        if terms != Terms(subject=terms.subject):
            found = await self._finder.find(terms, before, limit)
            return Finding([one for one in found.opened if one.kept.subject == terms.subject], found.resume)
        kept = await self._records.page(terms.subject, before.index if before else None, limit + 1)
        opened = [one for record in kept[:limit] if (one := await opened_of(self._bodies, record)) is not None]
        return Finding(opened, Position(0, kept[limit - 1].index) if len(kept) > limit else None)

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

    async def anyones(self, event_id: str) -> tuple[str, bytes]:
        """Return whom an event is about and its receipt, for an operator.

        Raises:
            Fault: NOT_FOUND: no such event, or nobody can open it. NOT_YET_PROVABLE: no checkpoint covers it yet.
        """
        kept = await self._records.find(event_id)
        if kept is None:
            raise Fault(NOT_FOUND)
        return kept.subject, await self._opened(kept)

    async def _receipt(self, subject: str, event_id: str) -> bytes:
        kept = await self._records.find(event_id)
        if kept is None or kept.subject != subject:
            raise Fault(NOT_FOUND)
        return await self._opened(kept)

    async def _opened(self, kept: Kept) -> bytes:
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


def shown_of(one: Opened, signed: int) -> Shown:
    """Return how an event is shown under a signed head of this size."""
    leaf = merkle.leaf_hash(one.opening.entry)
    return Shown(one.event, one.source, one.kept.index, one.kept.index < signed, leaf)
