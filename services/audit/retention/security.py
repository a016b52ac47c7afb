"""Security records: what stays of an event about a person who was erased, until retention ends.

Owns what such a record says (`reduced`) and its sealing under the key of its month, so that destroying one key ends all
records of a month. Says nothing that leads to a person but opaque ids. One that was made of an entry cannot prove it:
the entry's salt is gone with the person's key. Never stores keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from services.audit import leaf
from services.audit.entry_keys import derive
from services.audit.event import Source, canonical, parse
from services.audit.store import Minimal, Record
from services.kit.envelope import context, seal, unseal
from services.kit.event import Event, Target
from services.kit.ids import is_id
from services.kit.keyring import KeyDestroyedError

KEYS = "audit-period"
"""What the months' keys are for, in the keys database."""
_SEALED = "valv/audit/security/v1"
_SESSION = "ses_"
_SPENT = "spent"
"""Owner of the key that salts the leaves of events that came when the time of their month was over."""


class Keys(Protocol):
    """The keys of the months."""

    async def get(self, owner: str) -> bytes | None:
        """Return the month's key, or None when there is none (any more)."""

    async def get_or_create(self, owner: str) -> bytes:
        """Return the month's key, made at first use."""


@dataclass(frozen=True, slots=True)
class KeptSecurity:
    """A security record as it is stored."""

    index: int
    event_id: str
    subject: str
    minimal: Minimal


@dataclass(frozen=True, slots=True)
class SecurityRecord:
    """A security record, opened."""

    index: int
    event: Event
    source: Source


class Store(Protocol):
    """Where security records are found."""

    async def security(self, subject: str, before: int | None, limit: int) -> list[KeptSecurity]:
        """Return the person's records below index `before`, newest first."""


def period(time: datetime) -> str:
    """Return the month of a time, such as "2026-11" (UTC)."""
    return time.astimezone(UTC).strftime("%Y-%m")


def reduced(event: Event) -> Event:
    """Return the event without what a security record does not say.

    What stays: id, time, action, outcome, reason, actor, subject, the object's kind, and its id where that is opaque.
    """
    target = event.target
    if target is not None and (not is_id(target.id) or target.id.startswith(_SESSION)):
        target = Target(target.kind)
    return replace(event, target=target, origin=None, request="", trace="", session="", details={})


class SecurityRecords:
    """Makes security records and opens them."""

    def __init__(self, keys: Keys) -> None:
        """Take the months' keys."""
        self._keys = keys

    async def make(self, event: Event, source: Source) -> Minimal | None:
        """Return the security record of an event; None when the time of its month is over."""
        try:
            key = await self._keys.get_or_create(period(event.time))
        except KeyDestroyedError:
            return None
        return _sealed(reduced(event), source, key)

    async def arriving(self, event: Event, source: Source) -> Record:
        """Return the record of an event that arrives about a person who was erased: its leaf commits to as little."""
        event, minimal = reduced(event), None
        try:
            key = await self._keys.get_or_create(period(event.time))
            minimal = _sealed(event, source, key)
        except KeyDestroyedError:  # older than all that is kept: nothing is, but a leaf
            key = await self._keys.get_or_create(_SPENT)
        salt, _ = derive(key, event.id)
        entry = leaf.entry(salt, canonical(event, source))
        return Record(source, event.id, event.subject, entry, b"", minimal=minimal)

    async def open(self, kept: KeptSecurity) -> SecurityRecord | None:
        """Return what the record says, or None when its month's key was destroyed."""
        key = await self._keys.get(kept.minimal.period)
        if key is None:
            return None
        _, body_key = derive(key, kept.event_id)
        event, source = parse(unseal(body_key, kept.minimal.sealed, _bound(kept.subject, kept.event_id)))
        return SecurityRecord(kept.index, event, source)


class SecurityReader:
    """A person's security records, for operators. Whoever asks is recorded by the policy of the call that asks."""

    def __init__(self, store: Store, records: SecurityRecords) -> None:
        """Take where they are and what opens them."""
        self._store, self._records = store, records

    async def page(self, subject: str, before: int | None, limit: int) -> Sequence[SecurityRecord]:
        """Return at most `limit` records of an erased person below index `before`, newest first."""
        opened = [await self._records.open(kept) for kept in await self._store.security(subject, before, limit)]
        return [record for record in opened if record is not None]


def _sealed(event: Event, source: Source, key: bytes) -> Minimal:
    _, body_key = derive(key, event.id)
    text = canonical(event, source)
    return Minimal(period(event.time), seal(body_key, text, _bound(event.subject, event.id)))


def _bound(subject: str, event_id: str) -> bytes:
    return context(_SEALED, subject, event_id)
