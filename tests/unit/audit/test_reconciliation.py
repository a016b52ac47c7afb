"""An outbox and the log that disagree are found, whichever of the two was changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import delete, update

from services.audit.evidence.reconciliation import PRODUCERS, Balance, Reconciliation, Verdict, found
from services.audit.evidence.sql import SqlBooks
from services.audit.own_records import OwnRecords
from services.audit.tables import ENTRIES, STATEMENTS
from services.kit import completeness
from services.kit.checks import UnknownError
from services.kit.completeness import Comparison, Statement
from services.kit.outbox import Outbox
from services.kit.relay import Relay
from services.kit.shipping import Away
from services.kit.telemetry import Log
from tests.unit.audit.world import World
from valv.audit.v1 import event_pb2


class Producer:
    """The log's own outbox: a producer like any other."""

    def __init__(self, world: World) -> None:
        self.world, self.outbox = world, world.outbox
        self.comparison = Comparison(self.outbox)
        self.relay = Relay(self.outbox, OwnRecords(world.appender), world.clock, world.ids, Log("test"))

    async def record(self, count: int) -> None:
        """Record that many events."""
        for _ in range(count):
            event = self.outbox.event("audit.log.start")
            event.actor.kind, event.actor.id = event.actor.KIND_SERVICE, "audit"
            await self.outbox.record(event)

    async def ship(self) -> None:
        """Send everything."""
        while await self.relay.step():
            pass

    async def state(self) -> int:
        """Make a statement and send it."""
        missing = await Statement("audit", self.outbox, self.world.clock).state()
        await self.ship()
        return missing


@pytest.fixture
def producer(world: World) -> Producer:
    return Producer(world)


@pytest.fixture
def books(world: World, monkeypatch: pytest.MonkeyPatch) -> Reconciliation:
    monkeypatch.setattr("services.audit.evidence.reconciliation.PRODUCERS", ("audit",))
    return Reconciliation(SqlBooks(world.database), world.clock)


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_an_outbox_and_a_log_that_agree_do_not_disagree(
    producer: Producer, books: Reconciliation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completeness, "_PAGE", 3)
    monkeypatch.setattr("services.audit.evidence.sql._PAGE", 4)
    with pytest.raises(UnknownError):
        await books.disagreeing()
    await producer.record(10)
    await producer.ship()
    assert await producer.state() == 0
    assert await books.disagreeing() == 0
    producer.world.clock.advance(86400)
    await producer.record(2)
    await producer.ship()
    assert await producer.state() == 0
    assert await books.disagreeing() == 0


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_an_entry_that_is_gone_from_the_log_is_found(producer: Producer, books: Reconciliation) -> None:
    await producer.record(5)
    await producer.ship()
    await producer.state()
    async with producer.world.database.write() as connection:
        await connection.execute(delete(ENTRIES).where(ENTRIES.c.number == 3))
    assert await books.disagreeing() == 1


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_an_entry_that_was_exchanged_is_found(producer: Producer, books: Reconciliation) -> None:
    await producer.record(5)
    await producer.ship()
    await producer.state()
    async with producer.world.database.write() as connection:
        other = producer.world.ids.new("evt")
        await connection.execute(update(ENTRIES).where(ENTRIES.c.number == 3).values(event_id=other))
    assert await books.disagreeing() == 1


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_a_row_that_is_gone_from_the_outbox_after_it_was_sent_is_found(
    producer: Producer, books: Reconciliation
) -> None:
    await producer.record(5)
    await producer.ship()
    table = producer.outbox.table
    async with producer.world.database.write() as connection:
        await connection.execute(delete(table).where(table.c.number == 3))
    assert await producer.state() == 1
    assert await books.disagreeing() == 1


@pytest.mark.clause("P5")
async def test_a_statement_that_is_missing_or_old_is_not_called_agreement(
    producer: Producer, books: Reconciliation
) -> None:
    await producer.record(1)
    await producer.ship()
    await producer.state()
    producer.world.clock.advance(2 * 86400 + 301)
    with pytest.raises(UnknownError):
        await books.disagreeing()
    async with producer.world.database.write() as connection:
        await connection.execute(delete(STATEMENTS))
    with pytest.raises(UnknownError):
        await books.disagreeing()


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_the_balance_tells_what_was_said_and_what_is_held(producer: Producer, books: Reconciliation) -> None:
    assert await books.balances() == [Balance("audit", Verdict.SILENT)]
    await producer.record(5)
    await producer.ship()
    await producer.state()
    (balance,) = await books.balances()
    assert balance.statement is not None
    assert balance.verdict is Verdict.AGREES
    assert (balance.statement.count, balance.statement.number, balance.held) == (5, 5, 5)
    producer.world.clock.advance(2 * 86400 + 301)
    (balance,) = await books.balances()
    assert balance.verdict is Verdict.OLD
    async with producer.world.database.write() as connection:
        await connection.execute(delete(ENTRIES).where(ENTRIES.c.number == 3))
    (balance,) = await books.balances()
    assert (balance.verdict, balance.held) == (Verdict.DIFFERS, 4)


@pytest.mark.parametrize(
    "verdicts, state, measured",
    [
        ([Verdict.AGREES, Verdict.AGREES], "kept", 0),
        ([Verdict.AGREES, Verdict.DIFFERS, Verdict.DIFFERS], "broken", 2),
        ([Verdict.SILENT, Verdict.DIFFERS], "broken", 1),
        ([Verdict.AGREES, Verdict.SILENT], "unknown", None),
        ([Verdict.OLD, Verdict.AGREES], "unknown", None),
    ],
)
def test_what_is_not_known_is_not_called_agreement(verdicts: list[Verdict], state: str, measured: int | None) -> None:
    finding = found([Balance("audit", verdict) for verdict in verdicts])
    assert (finding.state, finding.measured) == (state, measured)


async def test_a_row_that_is_gone_before_it_is_sent_stops_its_relay(producer: Producer) -> None:
    await producer.record(1)
    await producer.ship()
    await producer.record(3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OwnRecords, "append", _away)
        with pytest.raises(Away):
            await producer.relay.step()
    table = producer.outbox.table
    async with producer.world.database.write() as connection:
        assert (await connection.execute(delete(table).where(table.c.number == 2))).rowcount == 1
    with pytest.raises(Away):
        await producer.ship()


async def _away(*_: object) -> int:
    raise Away


def _removed(outbox: Outbox) -> object:
    return delete(outbox.table).where(outbox.table.c.id == 4)


def _changed(outbox: Outbox) -> object:
    return update(outbox.table).where(outbox.table.c.id == 4).values(event=b"\x0a\x01x")


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
@pytest.mark.parametrize("how, found", [(_removed, 1), (_changed, 1)])
async def test_a_row_that_was_removed_or_changed_before_it_was_numbered_is_found(
    producer: Producer, how: Callable[[Outbox], object], found: int
) -> None:
    await producer.record(2)
    assert await producer.comparison.differences() == 0
    await producer.record(3)
    async with producer.world.database.write() as connection:
        await connection.execute(how(producer.outbox))  # type: ignore[call-overload]  # a statement of either kind
    assert await producer.comparison.differences() == found
    assert await producer.comparison.differences() >= found  # it stays found


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_a_row_that_somebody_else_put_in_is_found(producer: Producer) -> None:
    await producer.record(2)
    assert await producer.comparison.differences() == 0
    event = producer.outbox.event("audit.log.stop")
    async with producer.world.database.write() as connection:
        values = {"event": event.SerializeToString(), "created_ms": 0}
        await connection.execute(producer.outbox.table.insert().values(values))
    found = [await producer.comparison.differences() for _ in range(2)]
    assert found == [0, 1]  # in doubt it is looked for twice
    assert await producer.comparison.differences() == 1


async def test_what_was_rolled_back_is_not_missed(producer: Producer) -> None:
    assert await producer.comparison.differences() == 0

    async def add_and_fail() -> None:
        async with producer.world.database.write() as connection:
            await producer.outbox.add(connection, _valid(producer))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await add_and_fail()
    async with producer.world.database.write() as connection:
        await producer.outbox.add(connection, _valid(producer))
    assert [await producer.comparison.differences() for _ in range(3)] == [0, 0, 0]


async def test_more_than_can_be_remembered_is_not_called_complete(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.kit.outbox.MOST_TALLIED", 3)
    assert await producer.comparison.differences() == 0
    await producer.record(4)
    with pytest.raises(UnknownError):
        await producer.comparison.differences()
    await producer.record(2)
    assert await producer.comparison.differences() == 0


def test_every_producer_with_an_outbox_makes_statements() -> None:
    assert set(PRODUCERS) == {"auth", "files", "billing", "audit"}


def _valid(producer: Producer) -> event_pb2.Event:
    event = producer.outbox.event("audit.log.start")
    event.actor.kind, event.actor.id = event.actor.KIND_SERVICE, "audit"
    return event
