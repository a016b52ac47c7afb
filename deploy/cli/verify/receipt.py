"""Receipts: c2sp.org/tlog-proof files whose `extra` opens the leaf, and the event in words.

Owns the reading of a receipt. Believes nothing in it before the signature and the proof have been checked.
"""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from deploy.cli.verify.note import BadError, Checkpoint, decode
from deploy.cli.verify.tree import HASH_BYTES, leaf, require_inclusion
from deploy.cli.verify.trust import Trust
from deploy.cli.verify.verdict import printable

HEADER = b"c2sp.org/tlog-proof@v1\n"
_VERSION = b"\x01"
_SALT_BYTES = 32
_LABEL = b"valv/leaf/v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_OUTCOMES = {"success": "it succeeded", "denied": "it was refused", "failed": "it failed"}


@dataclass(frozen=True)
class Receipt:
    """A receipt that holds."""

    index: int
    leaf: bytes
    """The entry's hash."""
    checkpoint: Checkpoint
    event: dict[str, Any]


def verify(data: bytes, trust: Trust) -> Receipt:
    """Return what the receipt proves; raise BadError when it proves nothing."""
    head, blank, note = data.partition(b"\n\n")
    if not data.startswith(HEADER) or not blank:
        raise BadError("not a receipt")
    try:
        lines = head.decode("ascii").split("\n")[1:]
    except UnicodeDecodeError:
        raise BadError("not a receipt") from None
    if len(lines) < 2 or not lines[0].startswith("extra "):  # noqa: PLR2004 - extra and index
        raise BadError("the receipt does not hold the event")
    found = _INDEX.fullmatch(lines[1])
    if found is None:
        raise BadError("the receipt does not say which entry")
    extra, proof = decode(lines[0].removeprefix("extra ")), [decode(line) for line in lines[2:]]
    if extra[:1] != _VERSION or len(extra) <= 1 + _SALT_BYTES or any(len(each) != HASH_BYTES for each in proof):
        raise BadError("the receipt is malformed")
    checkpoint, index = trust.open(note), int(found[1])
    hashed = leaf(_VERSION + sha256(_LABEL + extra[1:]).digest())
    require_inclusion(hashed, index, checkpoint.size, proof, checkpoint.root)
    return Receipt(index, hashed, checkpoint, _event(extra[1 + _SALT_BYTES :]))


def words(event: dict[str, Any]) -> str:
    """Return the event as a sentence."""
    actor, producer = event["actor"], event["producer"]["name"]
    who = "somebody not signed in" if actor["kind"] == "nobody" else _named(actor)
    whom = event.get("subject", "")
    parts = [f"on {event['time'].replace('T', ' at ').replace('Z', ' UTC')}, {who} did {event['action']}"]
    if target := event.get("object"):
        parts.append(f" to {_named(target)}")
    if whom and whom != actor.get("id"):
        parts.append(f" of customer {whom}")
    if address := event.get("origin", {}).get("address"):
        parts.append(f" from {address}")
    parts.append(f": {_OUTCOMES[event['outcome']]}")
    if reason := event.get("reason"):
        parts.append(f" ({reason})")
    for name, value in sorted(event.get("details", {}).items()):
        parts.append(f", {name} {value}")
    return printable(f"{''.join(parts)}; recorded by {producer}")


def _named(thing: dict[str, str]) -> str:
    return " ".join(thing[name] for name in ("kind", "id") if thing.get(name))


def _event(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data, object_pairs_hook=_unique)
        if event["v"] != 1:
            raise BadError("the event is of a version this program does not know")
        words(event)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadError("the event is malformed") from None
    return dict(event)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)
