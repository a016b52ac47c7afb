"""What follows the release of a hold: bodies that only it kept are let go, then its key is destroyed.

Owns the order: page by page each body goes to another hold that covers it, or away; the key; the record of it. Killed
anywhere, it goes on there. Must never let go what a hold in force covers.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.audit.receipt import Opening
from services.audit.retention.held import Held
from services.audit.retention.holds import Hold, covering
from services.audit.store import HoldsChangedError
from services.kit.keyring import KeyDestroyedError

PAGE = 128


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A body that a hold keeps."""

    index: int
    event_id: str
    subject: str
    arrived: datetime
    held: Held


@dataclass(frozen=True, slots=True)
class Moved:
    """What becomes of a body: it is under another hold now, or (None) gone."""

    index: int
    held: Held | None


class Keys(Protocol):
    """The keys of the holds."""

    async def destroy(self, owner: str) -> bool:
        """Destroy the hold's key for good; tells whether there was one."""


class HeldBodies(Protocol):
    """What seals bodies under holds."""

    async def seal(self, hold_id: str, event_id: str, opening: Opening) -> Held:
        """Return the body under the hold's key."""

    async def open(self, held: Held, event_id: str) -> Opening | None:
        """Return what opens the entry, or None when the hold's key was destroyed."""


class Store(Protocol):
    """The holds and what they keep; each method is one transaction."""

    async def active(self) -> list[Hold]:
        """Return the holds that are in force."""

    async def uncleared(self) -> list[Hold]:
        """Return the holds that were released and still keep bodies or a key."""

    async def held(self, hold_id: str, limit: int) -> list[HeldRow]:
        """Return at most `limit` bodies that the hold keeps."""

    async def move(self, hold_id: str, moved: Sequence[Moved], active: Collection[str]) -> None:
        """Move bodies or let them go; raise HoldsChangedError when other holds than `active` are in force."""

    async def cleared(self, hold: Hold) -> None:
        """Keep that nothing is left of the hold, and record it with the number of bodies that were let go."""


class Releaser:
    """Lets go what released holds kept."""

    def __init__(self, store: Store, bodies: HeldBodies, keys: Keys) -> None:
        """Take the holds, what seals bodies under them, and their keys."""
        self._store, self._bodies, self._keys = store, bodies, keys

    async def step(self) -> int:
        """Clear every hold that was released; return how many."""
        released = await self._store.uncleared()
        for hold in released:
            await self._clear(hold)
        return len(released)

    async def _clear(self, hold: Hold) -> None:
        while page := await self._store.held(hold.hold_id, PAGE):
            active = await self._store.active()
            try:
                moved = [Moved(row.index, await self._next(row, active)) for row in page]
                await self._store.move(hold.hold_id, moved, {each.hold_id for each in active})
            except (HoldsChangedError, KeyDestroyedError):
                continue  # the page is read and judged again
        await self._keys.destroy(hold.hold_id)
        await self._store.cleared(hold)

    async def _next(self, row: HeldRow, active: list[Hold]) -> Held | None:
        other = covering(active, row.subject, row.arrived)
        opening = await self._bodies.open(row.held, row.event_id) if other is not None else None
        if other is None or opening is None:
            return None
        return await self._bodies.seal(other.hold_id, row.event_id, opening)
