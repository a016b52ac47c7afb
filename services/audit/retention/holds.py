"""Legal holds: what an operator orders to be kept whole, whatever retention or an erasure would do to it.

Owns what a hold covers, why one may be placed, and when the customer it concerns is not told. Decides nothing about
what is done with what it covers (`erasure`, `release`, `sweep`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from services.audit.errors import HOLD_RELEASED
from services.kit.clock import Clock
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Fault
from services.kit.ids import Ids

PREFIX = "hol"
MAX_PAGE = 200
DEFAULT_PAGE = 50


class Cause(StrEnum):
    """Why something is held."""

    LITIGATION = "litigation"
    AUTHORITY = "authority"
    INVESTIGATION = "investigation"


@dataclass(frozen=True, slots=True)
class Span:
    """A time on the log's clock: from `since` on, before `until` (None: without end)."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold: on a person's records, or on all that arrived within a time."""

    hold_id: str
    subject: str
    span: Span | None
    cause: Cause
    secret: bool
    placed: datetime
    placed_by: str
    released: datetime | None = None
    released_by: str = ""

    def covers(self, subject: str, arrived: datetime) -> bool:
        """Tell whether a record about `subject` (empty: about nobody) that arrived then is to be kept."""
        if self.span is None:
            return subject == self.subject
        return self.span.since <= arrived and (self.span.until is None or arrived < self.span.until)


class Holdings(Protocol):
    """The holds, in the transaction of a call."""

    async def add(self, hold: Hold) -> None:
        """Keep a new hold."""

    async def find(self, hold_id: str) -> Hold | None:
        """Return a hold."""

    async def release(self, hold_id: str, by: str, now: datetime) -> bool:
        """Release a hold; tells whether it was in force."""


class HoldList(Protocol):
    """The holds, to be read."""

    async def page(self, after: str, limit: int, *, released: bool) -> list[Hold]:
        """Return at most `limit` holds with ids above `after`, oldest first; those that were released only if asked."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator orders: a person or a time, one of them."""

    subject: str
    span: Span | None
    cause: Cause
    secret: bool


class Holds:
    """Places, lists and releases holds."""

    def __init__(self, holds: HoldList, clock: Clock, ids: Ids) -> None:
        """Take where holds are read."""
        self._holds, self._clock, self._ids = holds, clock, ids

    async def place(self, into: Holdings, order: Order, operator: str) -> Hold:
        """Place a hold.

        Raises:
            Fault: INVALID_ARGUMENT: it covers nothing or two things, or is secret without an authority's order.
        """
        if bool(order.subject) == (order.span is not None):
            raise Fault(INVALID_ARGUMENT, field="over")
        span = order.span
        if span is not None and span.until is not None and span.until <= span.since:
            raise Fault(INVALID_ARGUMENT, field="span.until")
        if order.secret and order.cause is not Cause.AUTHORITY:
            raise Fault(INVALID_ARGUMENT, field="secret")
        now = self._clock.now()
        hold = Hold(self._ids.new(PREFIX), order.subject, span, order.cause, order.secret, now, operator)
        await into.add(hold)
        return hold

    async def page(self, after: str, size: int, *, released: bool) -> tuple[list[Hold], str]:
        """Return a page of holds and the token of the next (empty at the end).

        Raises:
            Fault: INVALID_ARGUMENT: no such page size.
        """
        if not 0 <= size <= MAX_PAGE:
            raise Fault(INVALID_ARGUMENT, field="page_size")
        limit = size or DEFAULT_PAGE
        found = await self._holds.page(after, limit + 1, released=released)
        return found[:limit], found[limit - 1].hold_id if len(found) > limit else ""

    async def release(self, into: Holdings, hold_id: str, operator: str) -> Hold:
        """Release a hold. What only it kept is let go soon after.

        Raises:
            Fault: NOT_FOUND; HOLD_RELEASED: it was released before.
        """
        hold = await into.find(hold_id)
        if hold is None:
            raise Fault(NOT_FOUND)
        if not await into.release(hold_id, operator, self._clock.now()):
            raise Fault(HOLD_RELEASED)
        return hold


def covering(holds: list[Hold], subject: str, arrived: datetime) -> Hold | None:
    """Return the first of the holds that covers such a record; None when none does."""
    return next((hold for hold in holds if hold.covers(subject, arrived)), None)
