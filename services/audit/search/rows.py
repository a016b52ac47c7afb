"""The rows of a download: a customer's events as lines of JSON or CSV.

Owns both forms. CSV is RFC 4180; a cell that a spreadsheet would take for a formula is preceded by an apostrophe.
"""

import csv
import io
import json
from collections.abc import Sequence

from services.audit.activity import Shown
from services.audit.event import canonical

COLUMNS = (
    "index",
    "event_id",
    "leaf_hash",
    "time",
    "action",
    "outcome",
    "reason",
    "actor_kind",
    "actor_id",
    "object_kind",
    "object_id",
    "address",
    "device",
    "producer",
    "session",
    "request",
    "details",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def jsonl(shown: Sequence[Shown], receipts: Sequence[bytes] = ()) -> bytes:
    """Return a line for each event, with its receipt if there are receipts and this one is not empty."""
    lines = []
    for position, one in enumerate(shown):
        row: dict[str, object] = {
            "index": one.index,
            "event_id": one.event.id,
            "leaf_hash": one.leaf_hash.hex(),
            "event": json.loads(canonical(one.event, one.source)),
        }
        if receipts and receipts[position]:
            row["receipt"] = receipts[position].decode()
        lines.append(json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


def csv_rows(shown: Sequence[Shown], *, header: bool) -> bytes:
    """Return a record for each event, after the header if it is wanted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if header:
        writer.writerow(COLUMNS)
    writer.writerows([cell(value) for value in _cells(one)] for one in shown)
    return text.getvalue().encode()


def cell(value: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def _cells(one: Shown) -> Sequence[str]:
    event = one.event
    return (
        str(one.index),
        event.id,
        one.leaf_hash.hex(),
        event.time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        event.action,
        event.outcome.value,
        event.reason,
        event.actor.kind.value,
        event.actor.id,
        event.target.kind if event.target else "",
        event.target.id if event.target else "",
        event.origin.address if event.origin else "",
        event.origin.device if event.origin else "",
        one.source.producer,
        event.session,
        event.request,
        " ".join(f"{name}={value}" for name, value in sorted(event.details.items())),
    )
