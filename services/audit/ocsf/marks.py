"""An export's records that are no events, as OCSF has them: checkpoints, and entries that nobody can open any more.

Owns what they say. A tombstone says where the entry stands and nothing else about it.
"""

from datetime import datetime
from typing import Any

from services.audit.checkpoint import Checkpoint
from services.audit.ocsf.classes import OTHER, Class, Meaning
from services.audit.ocsf.projection import PRODUCT, VERSION, Place, frame, log_of
from services.kit.clock import milliseconds

_CHECKPOINT = Meaning(Class.LOG, OTHER, "Checkpoint")
_TOMBSTONE = Meaning(Class.LOG, OTHER, "Tombstone")
_INFORMATIONAL = 1


def tombstone(place: Place, now: datetime) -> dict[str, Any]:
    """Return what stands for an entry whose body is erased, expired, or does not open."""
    return {
        **_mark(_TOMBSTONE, now, place.head.origin),
        "metadata": {"version": VERSION, "product": PRODUCT, "sequence": place.index, "log_name": place.head.origin},
        "unmapped": {"valv": {"record": "tombstone", "log": log_of(place)}},
    }


def checkpoint(note: bytes, head: Checkpoint, first: int, last: int, now: datetime) -> dict[str, Any]:
    """Return the end of a batch: the signed checkpoint that covers it, and the indexes of its first and last record."""
    said = {"record": "checkpoint", "first": first, "last": last, "size": head.size, "note": note.decode()}
    return {
        **_mark(_CHECKPOINT, now, head.origin),
        "metadata": {"version": VERSION, "product": PRODUCT, "log_name": head.origin},
        "unmapped": {"valv": said},
    }


def _mark(found: Meaning, time: datetime, origin: str) -> dict[str, Any]:
    return {**frame(found, milliseconds(time), _INFORMATIONAL), "log_name": origin, "log_provider": "Valv"}
