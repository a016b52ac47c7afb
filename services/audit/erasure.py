"""The erasure of a person from the log: their key is destroyed, and every proof stays valid.

Owns the order: the key, then the record of it, which no key of theirs opens. Asked after every other service has done
its part. What arrives about an erased person later is kept as a security record under the service's own key
(``bodies.py``).
"""

from typing import Protocol

from services.kit.erasure import Erased, event_of
from services.kit.outbox import Outbox


class Keys(Protocol):
    """The subjects' keys."""

    async def destroy(self, owner: str) -> bool:
        """Destroy the owner's key for good; tells whether there was one."""


class Eraser:
    """Erases people from the log."""

    def __init__(self, keys: Keys, outbox: Outbox) -> None:
        """Take the subjects' keys and the service's own outbox."""
        self._keys, self._outbox = keys, outbox

    async def erase(self, subject: str) -> Erased:
        """Destroy a person's key; safe to repeat."""
        destroyed = await self._keys.destroy(subject)
        event = event_of(self._outbox, "audit", subject, int(destroyed))
        await self._outbox.record(event)
        return Erased(event.event_id)
