"""Bodies: events sealed under their subject's key.

Owns the sealed body's form: salt ‖ event, both under what `entry_keys` derives from the subject's key. Destroying that
key destroys both and leaves the entry, which reveals nothing, in its place. Never stores keys.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from services.audit import leaf
from services.audit.entry_keys import derive
from services.audit.event import Source, canonical
from services.audit.receipt import Opening
from services.audit.search.tags import Tagger, Tagging, Tags
from services.audit.store import Kept, Record, Standing, Statement
from services.kit.checks import CHECK_ACTION, CHECK_KIND, UNKNOWN, Finding
from services.kit.completeness import STATEMENT
from services.kit.envelope import context, seal, unseal
from services.kit.event import Event
from services.kit.keyring import KeyDestroyedError

NOBODY = "valv"
"""Owner of the key that seals events without a subject."""
_BODY = "valv/audit/body/v1"
_AT_ONCE = 64


class Keys(Protocol):
    """The subjects' keys."""

    async def get(self, owner: str) -> bytes | None:
        """Return the owner's key, or None when there is none (any more)."""

    async def get_or_create(self, owner: str) -> bytes:
        """Return the owner's key, made at first use."""

    async def get_standing(self, owner: str) -> bytes | None:
        """Return the owner's key, or None when none was ever made; raise KeyDestroyedError."""


class Remains(Protocol):
    """What is kept of events about people who were erased."""

    async def arriving(self, event: Event, source: Source) -> Record:
        """Return the record of an event that arrives about such a person."""


class Cold(Protocol):
    """Bodies that are not at hand any more."""

    async def find(self, index: int) -> bytes:
        """Return the sealed body of an entry whose bundle is cold; empty when it has none there."""


class Bodies:
    """Seals events and opens them again."""

    def __init__(self, keys: Keys, remains: Remains, cold: Cold) -> None:
        """Take the subjects' keys, what is kept when a subject has none any more, and the cold store."""
        self._keys, self._tagging, self._remains, self._cold = keys, Tagging(keys), remains, cold

    async def seal(
        self,
        events: Sequence[Event],
        producer: str,
        epoch: str,
        first: int,
        erased: Collection[str] = (),
        *,
        regaining: bool = False,
    ) -> list[Record]:
        """Return the records of a producer's consecutive events.

        Of what arrives about an erased subject, or one in `erased`, only the security record is kept. While the log
        regains what it had signed, no key is made: it would make another leaf than the signed one.
        """
        records: list[Record] = []
        tagger = await self._tagging.tagger()
        for number, event in enumerate(events, first):
            if len(records) % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # let others have a turn
            source = Source(producer, epoch, number)
            record = await self._seal(event, source, tagger, erased=event.subject in erased, regaining=regaining)
            records.append(replace(record, request=tagger.of_request(event.request) if event.request else None))
        return records

    async def _seal(self, event: Event, source: Source, tagger: Tagger, *, erased: bool, regaining: bool) -> Record:
        find = self._keys.get_standing if regaining else self._keys.get_or_create
        try:
            if erased:
                raise KeyDestroyedError  # noqa: TRY301 - it is being destroyed
            key = await find(event.subject or NOBODY)
        except KeyDestroyedError:
            return replace(await self._remains.arriving(event, source), standing=Standing.ERASED)
        if key is None:
            return Record(source, event.id, event.subject, event.time, b"", b"", standing=Standing.KEYLESS)
        return _sealed(event, source, event.subject, key, tagger.of(event))

    async def open(self, kept: Kept) -> Opening | None:
        """Return what opens the entry, or None when its body or the subject's key is no more.

        Raises:
            Fault: RECORDS_AWAY: its body is cold and cannot be fetched.
        """
        key = await self._keys.get(kept.subject or NOBODY)
        sealed = kept.sealed or (b"" if key is None else await self._cold.find(kept.index))
        if key is None or not sealed:
            return None
        _, body_key = derive(key, kept.event_id)
        body = unseal(body_key, sealed, context(_BODY, kept.subject, kept.event_id))
        return Opening(body[: leaf.SALT_BYTES], body[leaf.SALT_BYTES :])


def _sealed(event: Event, source: Source, owner: str, key: bytes, tags: Tags) -> Record:
    salt, body_key = derive(key, event.id)
    text = canonical(event, source)
    sealed = seal(body_key, salt + text, context(_BODY, owner, event.id))
    entry = leaf.entry(salt, text)
    return Record(source, event.id, owner, event.time, entry, sealed, _finding(event), _statement(event), tags=tags)


def _finding(event: Event) -> Finding | None:
    if event.action != CHECK_ACTION or event.target is None or event.target.kind != CHECK_KIND:
        return None
    measured, threshold = event.details.get("count"), int(event.details.get("threshold", 0))
    state = str(event.details.get("state", UNKNOWN))
    return Finding(event.target.id, state, None if measured is None else int(measured), threshold)


def _statement(event: Event) -> Statement | None:
    if event.action != STATEMENT or event.target is None:
        return None
    count, number = (int(event.details.get(name, 0)) for name in ("count", "number"))
    return Statement(event.target.id, count, number, str(event.details.get("digest", "")), event.time)
