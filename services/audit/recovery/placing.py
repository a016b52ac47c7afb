"""Where a record belongs that is replayed after a restore: at its old index, which its leaf says.

Owns the judgement while the log regains what it had signed. A record makes the same leaf again, so the leaf finds its
place among the signed ones. What makes a leaf that is not there was never signed, and waits. Never appends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.audit.errors import AUDIT_GAP, AUDIT_REUSED, LOG_RECOVERING
from services.audit.store import Appending, Record, Signed, Standing
from services.kit.faults import Fault

CLOCKS = timedelta(seconds=2)
"""How much the clocks of two machines may differ; the assumption is a second."""
_RETRY_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call's records belong."""

    producer: str
    epoch: str
    predecessor: str
    first: int


async def regain(transaction: Appending, place: Place, records: Sequence[Record], signed: Signed) -> int | Fault:
    """Put replayed records back where they were signed; return the highest number held then.

    A producer's numbers were signed in their order. So what comes before a record that is found was signed too: if its
    own leaf is not found, its key is gone, and only its number is kept; of an erased person's, a security record too.
    """
    head = await transaction.held(place.producer, place.epoch)
    highest = head.highest if head is not None else 0
    if place.first > highest + 1:
        return Fault(AUDIT_GAP)
    again, fresh = records[: highest + 1 - place.first], records[highest + 1 - place.first :]
    if again and not await same(transaction, place, again):
        return Fault(AUDIT_REUSED)
    if not fresh:
        return highest
    places = await transaction.places(fresh)
    known = max((position for position, each in enumerate(fresh, 1) if each.entry in places), default=0)
    if not known:
        await transaction.heard(place.producer, _standing(fresh[0], signed))
        return Fault(LOG_RECOVERING, retry_after=_RETRY_SECONDS)
    if head is None:
        await transaction.begin_epoch(place.producer, place.epoch, place.predecessor)
    found = [record for record in fresh[:known] if record.entry in places]
    await transaction.insert(place.producer, place.epoch, found, places)
    if lost := [record for record in fresh[:known] if record.entry not in places]:
        await transaction.set_aside(place.producer, place.epoch, lost, regaining=True)
    return highest + known


async def same(transaction: Appending, place: Place, records: Sequence[Record]) -> bool:
    """Tell whether the log holds these records under their numbers; open an alarm if it holds others."""
    if not records:
        return True
    held = await transaction.event_ids(place.producer, place.epoch, place.first, place.first + len(records) - 1)
    if held == [record.event_id for record in records]:
        return True
    await transaction.alarm(place.producer, place.epoch, AUDIT_REUSED.name, 0)
    return False


def _standing(record: Record, signed: Signed) -> Standing:
    """Return what a record says whose leaf is not found: one of later than the last signature was surely not signed."""
    later = signed.time is not None and record.time > signed.time + CLOCKS
    return Standing.WHOLE if later else record.standing
