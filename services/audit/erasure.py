"""The erasure of a person from the log: only security records stay, their key is destroyed, every proof stays valid.

Owns the order: nothing more is taken under the person's key; page by page a security record takes the place of each
body; the key; the record of it, which no key of theirs opens. Killed anywhere, the order is given again and goes on.
A body that a legal hold covers is kept whole under the hold's key, and told, unless the hold is secret. Asked after
every other service has done its part. Must never destroy a key that a record still needs.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.audit.event import Source, parse
from services.audit.receipt import Opening
from services.audit.retention.held import Held
from services.audit.retention.holds import Hold, covering
from services.audit.store import HoldsChangedError, Kept, Minimal
from services.kit.envelope import SealError
from services.kit.erasure import Blocked, Cause, Erased, event_of
from services.kit.event import Event
from services.kit.keyring import KeyDestroyedError
from services.kit.outbox import Outbox

PAGE = 128
"""Records in one transaction: few, so that no append waits for long."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A record that has a body, and when it arrived."""

    kept: Kept
    arrived: datetime


@dataclass(frozen=True, slots=True)
class Reduced:
    """What stays of a record: nothing, when the time of its month is over or nobody can open it."""

    index: int
    minimal: Minimal | None
    held: Held | None = None
    """The body, when a legal hold covers it."""


class Keys(Protocol):
    """The subjects' keys."""

    async def destroy(self, owner: str) -> bool:
        """Destroy the owner's key for good; tells whether there was one."""


class Bodies(Protocol):
    """What opens bodies."""

    async def open(self, kept: Kept) -> Opening | None:
        """Return what opens the entry, or None when its body or the subject's key is no more."""


class Security(Protocol):
    """What makes security records."""

    async def make(self, event: Event, source: Source) -> Minimal | None:
        """Return the security record of an event; None when the time of its month is over."""


class HeldBodies(Protocol):
    """What seals bodies under legal holds."""

    async def seal(self, hold_id: str, event_id: str, opening: Opening) -> Held:
        """Return the body under the hold's key."""


class Holds(Protocol):
    """The legal holds."""

    async def active(self) -> list[Hold]:
        """Return the holds that are in force."""


class Records(Protocol):
    """A person's records; each method is one transaction."""

    async def begin(self, subject: str) -> None:
        """Keep that the person's erasure has begun: no record is taken under their key from now on."""

    async def whole(self, subject: str, after: int, limit: int) -> list[Whole]:
        """Return at most `limit` of the person's records above index `after` that have a body."""

    async def reduce(self, subject: str, records: Sequence[Reduced], active: Collection[str]) -> None:
        """Put what stays in the place of bodies, all or none; raise HoldsChangedError unless `active` are in force."""

    async def told(self, subject: str) -> int:
        """Return how many of the person's bodies are kept under legal holds that are not secret."""


@dataclass(frozen=True, slots=True)
class Openers:
    """What opens bodies, and what seals that which stays of them."""

    bodies: Bodies
    security: Security
    holds: Holds
    held: HeldBodies


class Log(Protocol):
    """Where a body that does not open is told."""

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Log something to mend."""


class Eraser:
    """Erases people from the log."""

    def __init__(self, records: Records, opening: Openers, keys: Keys, outbox: Outbox, log: Log) -> None:
        """Take the records, what opens and seals them, the subjects' keys, and the service's own outbox."""
        self._records, self._bodies, self._security = records, opening.bodies, opening.security
        self._holds, self._held = opening.holds, opening.held
        self._keys, self._outbox, self._log = keys, outbox, log

    async def erase(self, subject: str) -> Erased:
        """Reduce a person's records and destroy their key; safe to repeat."""
        await self._records.begin(subject)
        after = -1
        while page := await self._records.whole(subject, after, PAGE):
            if await self._reduce(subject, page):
                after = page[-1].kept.index
        destroyed = await self._keys.destroy(subject)
        event = event_of(self._outbox, "audit", subject, int(destroyed))
        await self._outbox.record(event)
        told = await self._records.told(subject)
        blocked = [Blocked("event", told, Cause.LEGAL_HOLD, None)] if told else []
        return Erased(event.event_id, blocked)

    async def _reduce(self, subject: str, page: Sequence[Whole]) -> bool:
        """Reduce a page; tells whether it was done, or has to be judged anew because the holds have changed."""
        active = await self._holds.active()
        try:
            reduced = [await self._reduced(each, active) for each in page]
            await self._records.reduce(subject, reduced, {hold.hold_id for hold in active})
        except (HoldsChangedError, KeyDestroyedError):  # a hold's key ends with the hold
            return False
        return True

    async def _reduced(self, whole: Whole, active: list[Hold]) -> Reduced:
        await asyncio.sleep(0)  # let others have a turn
        kept = whole.kept
        try:
            opening = await self._bodies.open(kept)
        except SealError as error:  # it was changed, nobody can open it: it must not keep the rest
            self._log.failure("a body does not open", error)
            opening = None
        if opening is None:
            return Reduced(kept.index, None)
        minimal = await self._security.make(*parse(opening.event))
        hold = covering(active, kept.subject, whole.arrived)
        held = await self._held.seal(hold.hold_id, kept.event_id, opening) if hold is not None else None
        return Reduced(kept.index, minimal, held)
