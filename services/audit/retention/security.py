"""Security records: what stays of an event about a person who was erased, until retention ends.

Owns what such a record says (`reduced`) and its sealing under the key of its month, so that destroying one key ends all
records of a month. Says nothing that leads to a person but opaque ids. One that was made of an entry cannot prove it:
the entry's salt is gone with the person's key. Never stores keys.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from services.audit import leaf
from services.audit.entry_keys import derive
from services.audit.event import Source, canonical, parse
from services.audit.retention.held import Held, HeldBodies
from services.audit.store import Minimal, Record
from services.kit.envelope import context, seal, unseal
from services.kit.event import Event, Target
from services.kit.faults import INVALID_ARGUMENT, Fault
from services.kit.ids import is_id
from services.kit.keyring import KeyDestroyedError

KEYS = "audit-period"
"""What the months' keys are for, in the keys database."""
_SEALED = "valv/audit/security/v1"
DEFAULT_PAGE = 50
MAX_PAGE = 200
MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
"""The form of a month: the owner of its key."""
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
    """What stays of an event about an erased person, as it is stored."""

    index: int
    event_id: str
    subject: str
    minimal: Minimal | None
    held: Held | None = None


@dataclass(frozen=True, slots=True)
class SecurityRecord:
    """What stays of an event about an erased person, opened."""

    index: int
    event: Event
    source: Source
    held: bool = False
    """A legal hold keeps it whole."""


class Store(Protocol):
    """Where security records are found."""

    async def security(self, subject: str, before: int | None, limit: int) -> list[KeptSecurity]:
        """Return what stays of the person's records below index `before`, newest first."""


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
        return Record(source, event.id, event.subject, event.time, entry, b"", minimal=minimal)

    async def open(self, kept: KeptSecurity) -> SecurityRecord | None:
        """Return what the record says, or None when there is none or its month's key was destroyed."""
        key = await self._keys.get(kept.minimal.period) if kept.minimal is not None else None
        if key is None or kept.minimal is None:
            return None
        _, body_key = derive(key, kept.event_id)
        event, source = parse(unseal(body_key, kept.minimal.sealed, _bound(kept.subject, kept.event_id)))
        return SecurityRecord(kept.index, event, source)


class SecurityReader:
    """What stays of an erased person's records, for operators. Whoever asks is recorded by the policy of the call."""

    def __init__(self, store: Store, records: SecurityRecords, held: HeldBodies) -> None:
        """Take where they are and what opens them."""
        self._store, self._records, self._held = store, records, held

    async def page(self, subject: str, before: int | None, size: int) -> tuple[list[SecurityRecord], int | None]:
        """Return a page of an erased person's records below index `before`, newest first, whole if held.

        The second value is the index that the next page is below; None at the end.

        Raises:
            Fault: INVALID_ARGUMENT: no such page size.
        """
        if not 0 <= size <= MAX_PAGE:
            raise Fault(INVALID_ARGUMENT, field="page_size")
        limit = size or DEFAULT_PAGE
        kept = await self._store.security(subject, before, limit + 1)
        opened = [await self._open(each) for each in kept[:limit]]
        more = kept[limit - 1].index if len(kept) > limit else None
        return [record for record in opened if record is not None], more

    async def _open(self, kept: KeptSecurity) -> SecurityRecord | None:
        opening = await self._held.open(kept.held, kept.event_id) if kept.held is not None else None
        if opening is None:
            return await self._records.open(kept)
        event, source = parse(opening.event)
        return SecurityRecord(kept.index, event, source, held=True)


def _sealed(event: Event, source: Source, key: bytes) -> Minimal:
    _, body_key = derive(key, event.id)
    text = canonical(event, source)
    return Minimal(period(event.time), seal(body_key, text, _bound(event.subject, event.id)))


def _bound(subject: str, event_id: str) -> bytes:
    return context(_SEALED, subject, event_id)
