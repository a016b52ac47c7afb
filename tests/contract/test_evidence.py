"""The SQL of evidence, alerts and completeness, on both databases."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import delete

from services.audit import tables
from services.audit.evidence.reconciliation import Reconciliation, Verdict
from services.audit.evidence.sql import SqlAlerts, SqlBooks
from services.audit.journal import Journal
from services.audit.own_records import OwnRecords
from services.kit.completeness import Comparison, Statement
from services.kit.event import Actor, ActorKind, Target
from services.kit.relay import Relay
from services.kit.storage import of_store
from services.kit.store_leaks import StoreSearch
from services.kit.telemetry import Log
from tests.unit.audit.world import World

GAPS = "audit.gaps"
CARD = "4242 4242 4242 4242"


def _alerts(world: World) -> SqlAlerts:
    return SqlAlerts(world.database, world.clock, Journal(world.outbox))


async def _record(world: World, count: int) -> None:
    for _ in range(count):
        event = world.outbox.event("audit.log.start")
        event.actor.kind, event.actor.id = event.actor.KIND_SERVICE, "audit"
        await world.outbox.record(event)


@pytest.mark.clause("PCI DSS 10.7.2")
async def test_replicas_that_race_open_one_alert_and_close_it_once(world: World) -> None:
    opened = await asyncio.gather(*(_alerts(world).raise_(GAPS, "PRACTICE_BROKEN") for _ in range(8)))
    assert opened.count(True) == 1
    assert list(await _alerts(world).open()) == [GAPS]
    closed = await asyncio.gather(*(_alerts(world).close(GAPS) for _ in range(8)))
    assert closed.count(True) == 1
    assert await _alerts(world).open() == {}
    assert await _alerts(world).raise_(GAPS, "PRACTICE_UNKNOWN")


async def test_a_result_keeps_its_measure_threshold_and_lateness(world: World) -> None:
    for details, measured in (({"state": "kept", "count": 3, "threshold": 7}, 3), ({"state": "unknown"}, None)):
        event = world.event(
            "",
            "practice.check",
            actor=Actor(ActorKind.SERVICE, "audit"),
            target=Target("practice", GAPS),
            details=details,
        )
        world.clock.advance(2)
        await world.append(event, producer="audit")
        finding = (await world.records.evidence())[GAPS].finding
        assert (finding.state, finding.measured) == (details["state"], measured)
        assert await world.records.lateness() == [(GAPS, 2000)]


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_books_are_compared_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.audit.evidence.sql._PAGE", 3)
    monkeypatch.setattr("services.kit.completeness._PAGE", 4)
    monkeypatch.setattr("services.audit.evidence.reconciliation.PRODUCERS", ("audit",))
    relay = Relay(world.outbox, OwnRecords(world.appender), world.clock, world.ids, Log("test"))
    comparison, books = Comparison(world.outbox), Reconciliation(SqlBooks(world.database), world.clock)
    assert await comparison.differences() == 0
    await _record(world, 10)
    while await relay.step():
        pass
    assert await Statement("audit", world.outbox, world.clock).state() == 0
    while await relay.step():
        pass
    assert await books.disagreeing() == 0
    assert [await comparison.differences() for _ in range(3)] == [0, 0, 0]
    await _record(world, 2)
    async with world.database.write() as connection:
        await connection.execute(delete(tables.ENTRIES).where(tables.ENTRIES.c.number == 4))
        await connection.execute(delete(world.outbox.table).where(world.outbox.table.c.number.is_(None)))
    assert await books.disagreeing() == 1
    (balance,) = await books.balances()
    assert (balance.verdict, balance.held) == (Verdict.DIFFERS, 9)
    assert await comparison.differences() == 2


@pytest.mark.clause("P6", "P11")
async def test_every_table_is_searched_and_the_clock_asked(world: World) -> None:
    search = StoreSearch(world.database, tables.METADATA, (tables.ENTRIES.c.entry, tables.ENTRIES.c.sealed))
    assert (await search.cards(), await search.secrets()) == (0, 0)
    async with world.database.write() as connection:
        await connection.execute(tables.ALERTS.insert().values(name="x", reason=CARD, opened_ms=1))
    assert await search.cards() == 1
    measured = {check.name: check for check in of_store("audit", world.outbox, search, world.clock)}
    assert await measured["audit.clock"].measure() > 0  # the test's clock stands still, the database's does not
