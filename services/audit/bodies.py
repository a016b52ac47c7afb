"""Bodies: events sealed under their subject's key.

Owns the derivation of an entry's salt and body key from the subject's key, and the sealed body's form: salt ‖ event.
Destroying the subject's key destroys both and leaves the entry, which reveals nothing, in its place. Never stores keys.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from services.audit import leaf
from services.audit.event import Source, canonical
from services.audit.receipt import Opening
from services.audit.store import Finding, Kept, Record
from services.kit.envelope import context, seal, unseal
from services.kit.event import Event
from services.kit.keyring import KeyDestroyedError

NOBODY = "valv"
"""Owner of the key that seals events without a subject."""
CHECK_ACTION = "practice.check"
CHECK_KIND = "practice"
_DERIVE = b"valv/audit/entry/v1"
_BODY = "valv/audit/body/v1"
_KEY_BYTES = 32
_AT_ONCE = 64


class Keys(Protocol):
    """The subjects' keys."""

    async def get(self, owner: str) -> bytes | None:
        """Return the owner's key, or None when there is none (any more)."""

    async def get_or_create(self, owner: str) -> bytes:
        """Return the owner's key, made at first use."""


class Bodies:
    """Seals events and opens them again."""

    def __init__(self, keys: Keys) -> None:
        """Take the subjects' keys."""
        self._keys = keys

    async def seal(self, events: Sequence[Event], producer: str, epoch: str, first: int) -> list[Record]:
        """Return the records of a producer's consecutive events.

        Of what arrives about an erased subject only the security record is kept, under the service's key.
        """
        records: list[Record] = []
        for number, event in enumerate(events, first):
            if len(records) % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # let others have a turn
            source = Source(producer, epoch, number)
            try:
                key = await self._keys.get_or_create(event.subject or NOBODY)
                records.append(_sealed(event, source, event.subject, key))
            except KeyDestroyedError:
                key = await self._keys.get_or_create(NOBODY)
                records.append(_sealed(replace(event, origin=None, session=""), source, "", key))
        return records

    async def open(self, kept: Kept) -> Opening | None:
        """Return what opens the entry, or None when the subject's key has been destroyed."""
        key = await self._keys.get(kept.subject or NOBODY)
        if key is None:
            return None
        _, body_key = _derive(key, kept.event_id)
        body = unseal(body_key, kept.sealed, context(_BODY, kept.subject, kept.event_id))
        return Opening(body[: leaf.SALT_BYTES], body[leaf.SALT_BYTES :])


def _derive(key: bytes, event_id: str) -> tuple[bytes, bytes]:
    """Return the entry's salt and body key: a record sent again after a restore makes the same leaf."""
    info = _DERIVE + event_id.encode()
    derived = HKDFExpand(SHA256(), leaf.SALT_BYTES + _KEY_BYTES, info).derive(key)
    return derived[: leaf.SALT_BYTES], derived[leaf.SALT_BYTES :]


def _sealed(event: Event, source: Source, owner: str, key: bytes) -> Record:
    salt, body_key = _derive(key, event.id)
    text = canonical(event, source)
    sealed = seal(body_key, salt + text, context(_BODY, owner, event.id))
    return Record(source, event.id, owner, leaf.entry(salt, text), sealed, _finding(event))


def _finding(event: Event) -> Finding | None:
    if event.action != CHECK_ACTION or event.target is None or event.target.kind != CHECK_KIND:
        return None
    time: datetime = event.time
    measured = int(event.details.get("count", 0))
    return Finding(event.target.id, str(event.details.get("state", "unknown")), measured, time)
