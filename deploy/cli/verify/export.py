"""Exports of a customer's events: the archive that the web client or the command line made, and JSON lines.

Owns the comparison of what an export lists with what its receipts open. Layouts: `activity.jsonl` with
`receipts/<event>.tlog-proof` (command line), `activity.json` with `receipts/<event>.txt` (web client), and lines of
{"activity": ..., "receipt": ...}, each with its own receipt.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.cli.verify import receipt
from deploy.cli.verify.files import Files
from deploy.cli.verify.note import LONGEST, BadError, Checkpoint
from deploy.cli.verify.trust import Trust
from deploy.cli.verify.verdict import State, Verdict

LISTS = ("activity.jsonl", "activity.json")
_LONGEST_LIST = 1 << 32
_RECEIPT = re.compile(r"receipts/(?P<event>[A-Za-z0-9_]+)\.(?:tlog-proof|txt)")
_TIME = re.compile(r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?Z")
_NAMES = {"id": "eventId", "request": "requestId", "trace": "traceId"}
_CAPITAL = re.compile(r"_([a-z0-9])")

Meet = Callable[[Checkpoint], Verdict | None]
"""Takes the head of a receipt; returns a verdict when it proves a fork."""


@dataclass
class _Tally:
    """What an export's rows turned out to be."""

    proven: int = 0
    bad: int = 0
    missing: int = 0
    seen: set[str] = field(default_factory=set)


def verify_archive(path: str, files: Files, trust: Trust, meet: Meet) -> Iterator[Verdict]:
    """Judge an export's archive: every row by its receipt, every receipt by its row, then the whole."""
    names = {found["event"]: name for name in files.names() if (found := _RECEIPT.fullmatch(name))}
    rows = ((row, _receipt_of(row, names, files)) for row in _rows(files))
    tally = _Tally()
    yield from _judge(path, rows, trust, meet, tally)
    for event in sorted(names.keys() - tally.seen):
        tally.bad += 1
        yield Verdict(path, "event", State.BAD, f"{event} has a receipt, but the export does not list it")
    yield _whole(path, tally)


def verify_lines(path: str, file: Path, trust: Trust, meet: Meet) -> Iterator[Verdict]:
    """Judge an export of JSON lines, each with its receipt."""
    tally = _Tally()
    with file.open("rb") as lines:
        rows = (_parse(line) for line in lines)
        yield from _judge(path, ((row, _inline(row)) for row in rows), trust, meet, tally)
    yield _whole(path, tally)


def _judge(path: str, rows: Iterable[tuple[Any, bytes]], trust: Trust, meet: Meet, tally: _Tally) -> Iterator[Verdict]:
    for number, (row, proof) in enumerate(rows, 1):
        event = _event_of(row).get("eventId")
        name = event if isinstance(event, str) else f"row {number}"
        if not proof and name == event and name not in tally.seen:
            tally.seen.add(name)
            tally.missing += 1
            yield Verdict(path, "event", State.OPEN, f"{name} has no receipt", {"event": name})
            continue
        try:
            found = _proven(row, name, proof, trust, tally)
        except BadError as error:
            tally.bad += 1
            yield Verdict(path, "event", State.BAD, f"{name}: {error}", {"event": name})
            continue
        tally.proven += 1
        forked = meet(found.checkpoint)
        if forked is not None:
            yield forked


def _proven(row: Any, name: str, proof: bytes, trust: Trust, tally: _Tally) -> receipt.Receipt:
    if name in tally.seen:
        raise BadError("it is listed twice")
    tally.seen.add(name)
    found = receipt.verify(proof, trust)
    try:
        _require_same(row, found)
    except (AttributeError, TypeError, KeyError):
        raise BadError("it is not an event") from None
    return found


def _whole(path: str, tally: _Tally) -> Verdict:
    facts = {"proven": tally.proven, "bad": tally.bad, "missing": tally.missing}
    if tally.bad:
        return Verdict(path, "export", State.BAD, f"{tally.bad} of its events do not hold", facts)
    if tally.missing or not tally.proven:
        return Verdict(
            path, "export", State.OPEN, f"{tally.proven} events proven, {tally.missing} without proof", facts
        )
    text = f"all {tally.proven} events it lists are in the log as it shows them; nothing else in it is proven"
    return Verdict(path, "export", State.OK, text, facts)


def _rows(files: Files) -> Iterator[Any]:
    lines = files.read(LISTS[0], _LONGEST_LIST)
    if lines is not None:
        yield from (_parse(line) for line in lines.splitlines())
        return
    whole = _parse(files.read(LISTS[1], _LONGEST_LIST) or b"")
    found = whole.get("activities") if isinstance(whole, dict) else None
    if not isinstance(found, list):
        raise BadError(f"{LISTS[1]} is not a list of events")
    yield from found


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BadError("the list of events is not JSON") from None


def _receipt_of(row: Any, names: dict[str, str], files: Files) -> bytes:
    event = _event_of(row).get("eventId")
    name = names.get(event) if isinstance(event, str) else None
    return (files.read(name, LONGEST) or b"") if name else b""


def _inline(row: Any) -> bytes:
    text = row.get("receipt", "") if isinstance(row, dict) else ""
    return text.encode("utf-8", "replace") if isinstance(text, str) else b"?"


def _activity(row: Any) -> dict[str, Any]:
    inner = row.get("activity", row) if isinstance(row, dict) else {}
    return inner if isinstance(inner, dict) else {}


def _event_of(row: Any) -> dict[str, Any]:
    event = _activity(row).get("event", {})
    return event if isinstance(event, dict) else {}


def _require_same(row: Any, found: receipt.Receipt) -> None:
    """Check that a row shows what its receipt opens, no more and no less."""
    activity, proven = _activity(row), found.event
    if str(activity.get("index", "0")) != str(found.index):
        raise BadError("its receipt is of another entry")
    if activity.get("producer", "") != proven["producer"]["name"]:
        raise BadError("its producer is not the one in its receipt")
    shown, expected = _plain(_event_of(row)), _plain(_as_listed(proven))
    differing = sorted(name for name in shown.keys() | expected.keys() if shown.get(name) != expected.get(name))
    if differing:
        raise BadError(f"not what its receipt says: {', '.join(differing)}")


def _as_listed(event: dict[str, Any]) -> dict[str, Any]:
    """Return a receipt's event in the names and values that the API lists it with."""
    listed = {_NAMES.get(name, name): value for name, value in event.items() if name not in {"v", "producer"}}
    listed["outcome"] = f"OUTCOME_{event['outcome'].upper()}"
    listed["actor"] = event["actor"] | {"kind": f"KIND_{event['actor']['kind'].upper()}"}
    details = event.get("details", {})
    listed["details"] = {_CAPITAL.sub(lambda at: at[1].upper(), name): value for name, value in details.items()}
    return listed


def _plain(value: Any, prefix: str = "") -> dict[str, str]:
    """Return what is there as texts by path: absent and empty are the same, and numbers of 64 bits are texts."""
    plain: dict[str, str] = {}
    for name, each in value.items():
        if isinstance(each, dict):
            plain |= _plain(each, f"{prefix}{name}.")
        elif each not in ("", None):
            text = json.dumps(each) if isinstance(each, bool | list) else str(each)
            plain[prefix + name] = _instant(text) if prefix + name == "time" else text
    return plain


def _instant(text: str) -> str:
    found = _TIME.fullmatch(text)
    return f"{found['second']}.{(found['fraction'] or '').rstrip('0')}Z" if found else text
