"""The batches of an export: entries opened and told in OCSF, closed by the signed checkpoint that covers them.

Owns what a batch holds: one record for every index, so that what is removed downstream shows. A body that cannot be
opened goes out as a tombstone. Never writes.
"""

import asyncio
import json
from typing import Any, Protocol

from services.audit import merkle
from services.audit.checkpoint import Checkpoint
from services.audit.event import Source, parse
from services.audit.ocsf.marks import checkpoint, tombstone
from services.audit.ocsf.projection import Place, project
from services.audit.receipt import Opening
from services.audit.siem.store import Batch, Entries, Entry, Log, MissingEntriesError
from services.audit.store import Kept
from services.kit.clock import Clock
from services.kit.envelope import SealError
from services.kit.event import Event

OWN = ("audit.siem.start", "audit.siem.send")
"""The export's own events. To open them is not counted, or a quiet log would grow by what is said of its export."""
_AT_ONCE = 32


class Bodies(Protocol):
    """What opens bodies."""

    async def open(self, kept: Kept) -> Opening | None:
        """Return what opens the entry, or None when its body or the subject's key is no more."""


class Batches:
    """Makes batches."""

    def __init__(self, entries: Entries, bodies: Bodies, clock: Clock, log: Log) -> None:
        """Take the log's entries and what opens them."""
        self._entries, self._bodies, self._clock, self._log = entries, bodies, clock, log

    async def make(self, start: int, limit: int, note: bytes, head: Checkpoint) -> Batch:
        """Return the batch that begins at `start`, which is below the size of the signed `head`.

        Raises:
            MissingEntriesError: There is no entry at `start`.
        """
        found = await self._entries.exported(start, min(limit, head.size - start))
        if not found:
            raise MissingEntriesError
        lines, opened = [], 0
        for position, entry in enumerate(found):
            if position % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # let others have a turn
            event = await self._event(entry)
            place = Place(entry.kept.index, merkle.leaf_hash(entry.entry), entry.arrived, head)
            lines.append(_line(project(*event, place) if event else tombstone(place, self._clock.now())))
            opened += event is not None and event[0].action not in OWN
        last = found[-1].kept.index
        lines.append(_line(checkpoint(note, head, start, last, self._clock.now())))
        return Batch(start, last, b"".join(lines), opened)

    async def _event(self, entry: Entry) -> tuple[Event, Source] | None:
        try:
            opening = await self._bodies.open(entry.kept)
        except SealError as error:
            self._log.failure("a body does not open", error, number=entry.kept.index)
            return None
        if opening is None:
            return None
        if opening.entry != entry.entry:  # what it says is not what the log committed to
            self._log.error("a body does not open its entry", number=entry.kept.index)
            return None
        return parse(opening.event)


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"
