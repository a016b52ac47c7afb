"""The erasure of a person from the log: only security records stay, their key is destroyed, every proof stays valid.

Owns the order: nothing more is taken under the person's key; page by page a security record takes the place of each
body; the key; the record of it, which no key of theirs opens. Killed anywhere, the order is given again and goes on.
Asked after every other service has done its part. Must never destroy a key that a record still needs.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.audit.event import Source, parse
from services.audit.receipt import Opening
from services.audit.store import Kept, Minimal
from services.kit.envelope import SealError
from services.kit.erasure import Erased, event_of
from services.kit.event import Event
from services.kit.outbox import Outbox

PAGE = 128
"""Records in one transaction: few, so that no append waits for long."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """What stays of a record: nothing, when the time of its month is over or nobody can open it."""

    index: int
    minimal: Minimal | None


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


class Records(Protocol):
    """A person's records; each method is one transaction."""

    async def begin(self, subject: str) -> None:
        """Keep that the person's erasure has begun: no record is taken under their key from now on."""

    async def whole(self, subject: str, after: int, limit: int) -> list[Kept]:
        """Return at most `limit` of the person's records above index `after` that have a body."""

    async def reduce(self, subject: str, records: Sequence[Reduced]) -> None:
        """Put security records in the place of bodies, all of them or none."""


class Log(Protocol):
    """Where a body that does not open is told."""

    def failure(self, name: str, error: BaseException, **fields: object) -> None:
        """Log something to mend."""


class Eraser:
    """Erases people from the log."""

    def __init__(
        self, records: Records, bodies: Bodies, security: Security, keys: Keys, outbox: Outbox, log: Log
    ) -> None:
        """Take the records, what opens and reduces them, the subjects' keys, and the service's own outbox."""
        self._records, self._bodies, self._security = records, bodies, security
        self._keys, self._outbox, self._log = keys, outbox, log

    async def erase(self, subject: str) -> Erased:
        """Reduce a person's records and destroy their key; safe to repeat."""
        await self._records.begin(subject)
        after = -1
        while page := await self._records.whole(subject, after, PAGE):
            await self._records.reduce(subject, [Reduced(kept.index, await self._minimal(kept)) for kept in page])
            after = page[-1].index
        destroyed = await self._keys.destroy(subject)
        event = event_of(self._outbox, "audit", subject, int(destroyed))
        await self._outbox.record(event)
        return Erased(event.event_id)

    async def _minimal(self, kept: Kept) -> Minimal | None:
        await asyncio.sleep(0)  # let others have a turn
        try:
            opening = await self._bodies.open(kept)
        except SealError as error:  # it was changed, nobody can open it: it must not keep the rest
            self._log.failure("a body does not open", error)
            return None
        return await self._security.make(*parse(opening.event)) if opening is not None else None
