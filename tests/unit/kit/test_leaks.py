"""What must be nowhere is found wherever it is written, round by round, and nothing else is taken for it."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, delete, insert

from services.kit import leaks, store_leaks
from services.kit.clock import SystemClock
from services.kit.db import Database, DatabaseConfig
from services.kit.ids import Ids
from services.kit.leaks import LogSearch
from services.kit.logline import RecentLines
from services.kit.store_leaks import StoreSearch
from services.kit.telemetry import Telemetry, TelemetryConfig
from valv.audit.v1 import event_pb2

CARD = "4242 4242 4242 4242"
TOKEN = "vst_" + secrets.token_urlsafe(32)
KEY = "-----BEGIN " + "PRIVATE KEY-----"
METADATA = MetaData()
NOTES = Table(
    "notes",
    METADATA,
    Column("kind", String(8), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("text", String(200)),
    Column("data", LargeBinary),
    Column("sealed", LargeBinary),
)
PLAIN = Table("plain", METADATA, Column("id", Integer, primary_key=True), Column("text", String(200)))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(DatabaseConfig(f"sqlite+aiosqlite:///{tmp_path}/leaks.db"))
    async with made.write() as connection:
        await connection.run_sync(METADATA.create_all)
    yield made
    await made.close()


async def put(database: Database, *rows: dict[str, object]) -> None:
    async with database.write() as connection:
        await connection.execute(insert(NOTES), [{"kind": "a", "text": "", "data": b"", **row} for row in rows])


@pytest.mark.clause("P6", "P11", "ASVS 16.2.5")
@pytest.mark.parametrize(
    "line, cards, tokens",
    [
        (f"a library said {CARD}", 1, 0),
        ('{"event": "call", "reference": "4242424242424242"}', 1, 0),
        ("I1122 14:12:43.263100   26344 ssl.cc:2563] paid with 4242424242424242", 1, 0),
        (f'{{"event": "library", "template": "token {TOKEN} {CARD}"}}', 1, 1),
        (f"{KEY}", 0, 1),
        ("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ", 0, 1),
        ("I1122 14:12:43.263100   26344 ssl.cc:2563] Handshake failed", 0, 0),
        ('{"time": "2026-11-22T14:12:43.263+00:00", "event": "call", "request_id": "4242424242424242"}', 0, 0),
        ("vst_short and BEGIN PUBLIC KEY", 0, 0),
    ],
)
async def test_a_line_of_the_log(tmp_path: Path, line: str, cards: int, tokens: int) -> None:
    log = tmp_path / "x.log"
    log.write_text(line + "\n")
    search = LogSearch(RecentLines(), log)
    assert (await search.cards(), await search.secrets()) == (cards, tokens)


@pytest.mark.clause("P11")
async def test_the_file_is_read_on_from_where_it_was_left_and_what_was_found_stays_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaks, "BYTES_A_ROUND", 64)
    log = tmp_path / "x.log"
    log.write_text("quiet\n" * 20 + f"{CARD}\n" + "quiet\n" * 3 + CARD)
    search = LogSearch(RecentLines(), log)
    assert [await search.cards() for _ in range(4)] == [0, 0, 1, 1]  # the last line is not whole yet
    with log.open("a") as lines:
        lines.write("\n")
    assert await search.cards() == 2
    log.write_text("quiet\n")
    assert await search.cards() == 0


async def test_a_log_file_that_is_away_is_not_called_clean(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await LogSearch(RecentLines(), tmp_path / "none.log").cards()


@pytest.mark.clause("P6", "P11")
async def test_what_this_process_wrote_is_searched_wherever_it_went() -> None:
    handlers = logging.getLogger().handlers[:]
    try:
        telemetry = Telemetry("test", TelemetryConfig(), SystemClock())
        logging.getLogger("a_library").error("it failed for %s", CARD)
        logging.getLogger("a_library").error(f"{CARD} was refused")  # noqa: G004 - what a careless library does
        search = LogSearch(telemetry.recent, None)
        assert (await search.cards(), await search.secrets()) == (0, 0)  # neither argument nor interpolation leaves
        telemetry.recent.add(f"something else printed {CARD} {TOKEN}")
        assert (await search.cards(), await search.secrets()) == (1, 1)
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.captureWarnings(capture=False)
    assert sys.stderr is not None


@pytest.mark.clause("P6", "P11", "PCI DSS 3.2.1")
async def test_texts_and_events_in_the_store(database: Database) -> None:
    event = event_pb2.Event(event_id=Ids(SystemClock()).new("evt"), request_id="4242424242424242", reason=CARD)
    await put(
        database,
        {"number": 1, "text": f"paid with {CARD}"},
        {"number": 2, "text": TOKEN, "sealed": CARD.encode()},
        {"number": 3, "data": event.SerializeToString()},
        {"number": 4, "data": b"\xff" + CARD.encode()},
        {"number": 5, "text": "usr_" + "4" * 26, "data": None},
    )
    search = StoreSearch(database, METADATA, (NOTES.c.sealed,))
    assert (await search.cards(), await search.secrets()) == (3, 1)


async def test_a_store_is_searched_in_bounded_rounds_over_and_over(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_leaks, "ROWS_A_ROUND", 4)
    monkeypatch.setattr(store_leaks, "_PAGE", 3)
    await put(database, *({"number": number, "kind": kind} for kind in "ab" for number in range(5)))
    await put(database, {"kind": "c", "number": 1, "text": CARD})
    search = StoreSearch(database, METADATA)
    assert [await search.cards() for _ in range(3)] == [0, 0, 1]
    assert [await search.cards() for _ in range(6)] == [1] * 6
    async with database.write() as connection:
        await connection.execute(delete(NOTES).where(NOTES.c.kind == "c"))
    assert [await search.cards() for _ in range(6)][-1] == 0


async def test_a_store_that_cannot_be_read_is_not_called_clean(tmp_path: Path) -> None:
    empty = Database(DatabaseConfig(f"sqlite+aiosqlite:///{tmp_path}/empty.db"))
    with pytest.raises(Exception, match="no such table"):
        await StoreSearch(empty, METADATA).cards()
    await empty.close()
