"""Held bodies: what opens the entries of a person who was erased while a legal hold covered them.

Owns their sealing under the hold's own key, with salt and event, so that they still prove their leaf. One record is
kept under one hold; when that is released, the next that covers it takes it over (`release`). Never stores keys.
"""

from dataclasses import dataclass
from typing import Protocol

from services.audit import leaf
from services.audit.entry_keys import derive
from services.audit.receipt import Opening
from services.kit.envelope import context, seal, unseal

KEYS = "audit-hold"
"""What the holds' keys are for, in the keys database."""
_SEALED = "valv/audit/held/v1"


@dataclass(frozen=True, slots=True)
class Held:
    """A body as it is stored under a hold."""

    hold_id: str
    sealed: bytes


class Keys(Protocol):
    """The keys of the holds."""

    async def get(self, owner: str) -> bytes | None:
        """Return the hold's key, or None when there is none (any more)."""

    async def get_or_create(self, owner: str) -> bytes:
        """Return the hold's key, made at first use."""


class HeldBodies:
    """Seals bodies under holds and opens them."""

    def __init__(self, keys: Keys) -> None:
        """Take the holds' keys."""
        self._keys = keys

    async def seal(self, hold_id: str, event_id: str, opening: Opening) -> Held:
        """Return the body under the hold's key."""
        _, body_key = derive(await self._keys.get_or_create(hold_id), event_id)
        return Held(hold_id, seal(body_key, opening.salt + opening.event, context(_SEALED, hold_id, event_id)))

    async def open(self, held: Held, event_id: str) -> Opening | None:
        """Return what opens the entry, or None when the hold's key was destroyed."""
        key = await self._keys.get(held.hold_id)
        if key is None:
            return None
        _, body_key = derive(key, event_id)
        body = unseal(body_key, held.sealed, context(_SEALED, held.hold_id, event_id))
        return Opening(body[: leaf.SALT_BYTES], body[leaf.SALT_BYTES :])
