"""Fills a log with as many real, sealed entries as a measurement wants, past the services: straight into the tables.

Every row is what the service would have written: it opens, is found and is proven like any other. Who does what is
skewed as in life: few customers have most events, few actions are most of what happens, refusals are rare. A few are
watched: they do the same in a log of any size, all over it, so that what is asked about them has one answer everywhere.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import secrets
import sqlite3
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from multiprocessing.pool import Pool
from pathlib import Path

from services.audit import leaf
from services.audit.bodies import _BODY
from services.audit.entry_keys import derive
from services.audit.event import canonical, parse
from services.audit.search.tags import Tagger, Tags
from services.audit.search.terms import FIELDS, Terms
from services.audit.tables import ENTRIES, EVENT_INDEX
from services.kit.clock import milliseconds
from services.kit.envelope import FileRootKey, context, seal
from services.kit.ids import ALPHABET
from services.kit.keyring import keyring_tables

CHUNK = 20_000
WORKERS = 2
DAYS = 365
WATCHED, EACH = 20, 200
"""So many customers are watched, and each does so much."""
FILES = 200
"""How many files each of the others has; a watched one has a single one."""
END = datetime(2026, 11, 1, tzinfo=UTC)
_ACTIONS = (
    ("files.file.download", 30), ("files.file.list", 22), ("auth.session.open", 9), ("files.file.upload", 8),
    ("audit.activity.list", 6), ("files.file.read", 6), ("auth.session.close", 4), ("auth.session.check", 4),
    ("billing.charge.create", 3), ("billing.charge.list", 3), ("files.file.delete", 2), ("auth.session.list", 1),
    ("billing.card.list", 1), ("audit.receipt.read", 0.5), ("auth.password.change", 0.2), ("auth.totp.confirm", 0.1),
    ("billing.card.create", 0.1), ("billing.refund.create", 0.05), ("auth.operator.find", 0.02),
)  # fmt: skip
_REFUSED = 0.03
_THREES = [f"{a}{b}{c}" for a in ALPHABET for b in ALPHABET for c in ALPHABET]
_ENTRY_COLUMNS = ("idx", "epoch_id", "number", "event_id", "subject", "entry", "sealed", "arrived_ms")


@dataclass(frozen=True)
class People:
    """The customers of a log of `size` entries: those who are watched, then the others, most active first."""

    size: int
    ids: list[str]
    keys: list[bytes]
    weights: list[float]
    """How active the others are."""
    index_key: bytes
    epoch: str


@dataclass(frozen=True, slots=True)
class _Deed:
    """What happens: who it is about, what, whether it is refused, and which of their files it is done to, if any."""

    who: int
    action: str
    refused: bool
    file: int


_Row = tuple[tuple[object, ...], tuple[object, ...]]
_people: People
_tagger: Tagger


def people_of(size: int, index_key: bytes) -> People:
    """Make customers up for a log of `size` entries."""
    others = max(50, min(20_000, size // 300))
    ids = [_id("usr", 1_700_000_000_000 + number, secrets.randbits(80)) for number in range(WATCHED + others)]
    weights = list(accumulate(1 / (rank + 5) for rank in range(others)))
    keys = [secrets.token_bytes(32) for _ in ids]
    return People(size, ids, keys, weights, index_key, _id("epo", 1_700_000_000_000, secrets.randbits(80)))


async def bury_keys(folder: Path, path: Path, people: People) -> None:
    """Put the customers' keys into the keys database, wrapped."""
    root, table = FileRootKey(folder / "root"), keyring_tables(EVENT_INDEX.metadata.__class__())
    rows = [
        ("audit", owner, await root.wrap(key, context("valv/keyring/v1", "audit", owner)), 0)
        for owner, key in zip(people.ids, people.keys, strict=True)
    ]
    with sqlite3.connect(path) as database:
        database.executemany(f"INSERT INTO {table.name} (purpose, owner, wrapped, changed_ms) VALUES (?,?,?,?)", rows)  # noqa: S608 - our own name
    database.close()


def fill(path: Path, people: People) -> None:
    """Fill an empty log, evenly over its time; the indexes are made after the rows."""
    database, size = sqlite3.connect(path, isolation_level=None), people.size
    for pragma in ("synchronous=OFF", "journal_mode=MEMORY", "cache_size=-1000000", "temp_store=FILE"):
        database.execute(f"PRAGMA {pragma}")
    made_later = "SELECT name, sql FROM sqlite_master WHERE tbl_name IN (?, ?) AND sql LIKE 'CREATE INDEX%'"
    indexes = database.execute(made_later, (ENTRIES.name, EVENT_INDEX.name)).fetchall()
    for name, _ in indexes:
        database.execute(f"DROP INDEX {name}")
    database.execute("BEGIN")
    epoch = "INSERT INTO epochs (producer, epoch, predecessor, highest, current) VALUES ('files', ?, '', ?, 1)"
    database.execute(epoch, (people.epoch, size))
    columns = ("idx", "time_ms", *FIELDS)
    for rows in _chunks(people):
        _many(database, ENTRIES.name, _ENTRY_COLUMNS, [row for row, _ in rows])
        _many(database, EVENT_INDEX.name, columns, [line for _, line in rows])
    database.execute("UPDATE log_state SET size = ?", (size,))
    database.execute("UPDATE index_state SET filled = ?", (size,))
    database.execute("COMMIT")
    for _, made in indexes:
        database.execute(made)
    database.execute("PRAGMA journal_mode=WAL")
    database.close()


def _many(database: sqlite3.Connection, table: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    marks = ",".join("?" * len(columns))
    database.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", rows)  # noqa: S608 - our own names


def _chunks(people: People) -> Iterator[list[_Row]]:
    spans = [(at, min(at + CHUNK, people.size)) for at in range(0, people.size, CHUNK)]
    with Pool(WORKERS, _begin, (people,), context=multiprocessing.get_context("fork")) as pool:
        yield from pool.imap(_chunk, spans)


def _begin(people: People) -> None:
    global _people, _tagger
    _people, _tagger = people, Tagger(people.index_key)


def _chunk(span: tuple[int, int]) -> list[_Row]:
    source = random.Random(span[0])
    return [_row(index, source) for index in range(*span)]


def _row(index: int, source: random.Random) -> _Row:
    people, deed = _people, _deed(index, source)
    subject, key = people.ids[deed.who], people.keys[deed.who]
    value, words = _event(index, deed, source)
    event_id = str(value["id"])
    text = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    time_ms = milliseconds(_time(index))
    tags = _tagger.wanted(Terms(**words))  # type: ignore[arg-type]  # none of them is a time
    if index % 1000 == 0:
        _require_real(text, tags, time_ms)
    salt, body_key = derive(key, event_id)
    sealed = seal(body_key, salt + text, context(_BODY, subject, event_id))
    entry = (index, 1, index + 1, event_id, subject, leaf.entry(salt, text), sealed, time_ms)
    return entry, (index, time_ms, *(tags.get(name) for name in FIELDS))


def _require_real(text: bytes, tags: dict[str, int], time_ms: int) -> None:
    event, made_by = parse(text)
    if canonical(event, made_by) != text or _tagger.of(event) != Tags(time_ms, tags):
        raise ValueError("a made-up event is not what the service would have written")


def _deed(index: int, source: random.Random) -> _Deed:
    """Return what happens in entry `index`."""
    people, all_watched = _people, WATCHED * EACH
    turn = -(-index * all_watched // people.size)
    if turn * people.size // all_watched == index:
        return _watched(turn % WATCHED, turn // WATCHED)
    other = bisect(people.weights, source.random() * people.weights[-1])
    action = _ACTIONS[bisect(_WEIGHTS, source.random() * _WEIGHTS[-1])][0]
    return _Deed(WATCHED + other, action, source.random() < _REFUSED, source.randrange(FILES))


def _watched(who: int, turn: int) -> _Deed:
    """Return what a watched customer does next: on one file by turns, and a third of it refused."""
    action = ("files.file.download", "files.file.list", "files.file.download", "billing.charge.list")[turn % 4]
    return _Deed(who, "auth.operator.disable" if turn == EACH // 2 else action, turn % 3 == 0, 0)


def _event(index: int, deed: _Deed, source: random.Random) -> tuple[dict[str, object], dict[str, str]]:
    """Return an event as its canonical form has it, and what it is found by."""
    people, subject, time, action = _people, _people.ids[deed.who], _time(index), deed.action
    kind, actor = "customer", subject
    if action.startswith("auth.operator."):
        kind, actor = "operator", source.choice(("greta", "nils", "tova"))
    elif action in {"auth.session.check", "billing.charge.create"}:
        kind, actor = "service", "shop"
    outcome = "denied" if deed.refused else "success"
    time_ms = milliseconds(time)
    value: dict[str, object] = {
        "v": 1,
        "id": _id("evt", time_ms, index << 16 | source.getrandbits(16)),
        "time": f"{time.isoformat(timespec='microseconds')[:26]}Z",
        "action": action,
        "outcome": outcome,
        "actor": {"kind": kind, "id": actor},
        "producer": {"name": "files", "epoch": people.epoch, "number": index + 1},
        "subject": subject,
        "request": _id("req", time_ms, source.getrandbits(80)),
    }
    words = {"subject": subject, "actor": actor, "kind": kind, "action": action, "outcome": outcome}
    words["area"] = action.partition(".")[0]
    if outcome == "denied":
        value["reason"] = "NOT_FOUND"
    if action.startswith(("files.file.d", "files.file.r", "files.file.u")):
        words["object"] = file_of(deed.who, deed.file)
        value["object"] = {"kind": "file", "id": words["object"]}
    if kind == "customer":
        value["origin"] = {"address": f"192.0.2.{deed.who % 250}", "device": "firefox/linux"}
    return value, words


def _time(index: int) -> datetime:
    """When entry `index` of a log that grows by ten million a year happened."""
    return END - timedelta(days=DAYS) + timedelta(seconds=index * DAYS * 86400 / 10_000_000)


def file_of(who: int, number: int) -> str:
    """Return the id of a customer's file."""
    return _id("fil", 1_700_000_000_000, who << 20 | number)


_WEIGHTS = list(accumulate(weight for _, weight in _ACTIONS))


def _id(prefix: str, ms: int, tail: int) -> str:
    number = ms << 80 | tail
    rest = "".join([_THREES[number >> shift & 0x7FFF] for shift in range(105, -1, -15)])
    return f"{prefix}_{ALPHABET[number >> 125 & 31]}{ALPHABET[number >> 120 & 31]}{rest}"
