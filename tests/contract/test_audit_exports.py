"""How far an export has come, on every database: one suite."""

from __future__ import annotations

import pytest

from services.audit.journal import Journal
from services.audit.siem.sql import SqlExports
from services.audit.siem.store import Cursor, MovedError
from services.audit.sql_lease import SIEM_DIRECTORY, SIEM_HTTPS, SqlLease
from services.kit.event import from_message
from tests.unit.audit.exporting import Collector, advance, drain, exporter, relay
from tests.unit.audit.world import World
from valv.audit.v1 import event_pb2


@pytest.fixture
def store(world: World) -> SqlExports:
    return SqlExports(world.database, world.clock, Journal(world.outbox))


async def test_a_cursor_begins_at_nothing_and_stays_where_it_was_moved(store: SqlExports) -> None:
    begun = await store.load("https")
    assert begun == Cursor("https", 0, 0, None)
    moved = await store.advance(begun, 40, 38)
    assert moved == await store.load("https") == Cursor("https", 40, 38, None)
    assert await store.load("directory") == Cursor("directory", 0, 0, None)


async def test_who_holds_an_older_cursor_cannot_move_it(store: SqlExports) -> None:
    begun = await store.load("https")
    await store.advance(begun, 40, 40)
    for following in (10, 40, 50):
        with pytest.raises(MovedError):
            await store.advance(begun, following, 1)
    assert (await store.load("https")).next == 40


@pytest.mark.clause("PCI DSS 10.2.1.3", "P5")
async def test_what_was_opened_is_recorded_once(world: World, store: SqlExports) -> None:
    cursor = await store.advance(await store.load("https"), 40, 38)
    told = await store.tell(cursor)
    assert told == await store.tell(cursor) == Cursor("https", 40, 0, world.clock.now())
    (record,) = await relay(world)
    event = from_message(event_pb2.Event.FromString(record))
    assert (event.action, event.details) == ("audit.siem.send", {"count": 38})


async def test_the_count_stands_when_its_record_cannot_be_written(
    world: World, store: SqlExports, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = await store.advance(await store.load("https"), 40, 38)

    async def refuse(*_arguments: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(world.outbox, "add", refuse)
    with pytest.raises(OSError, match="no space"):
        await store.tell(cursor)
    assert await store.load("https") == cursor


async def test_entries_are_read_in_order_up_to_the_first_that_is_missing(world: World, store: SqlExports) -> None:
    events = await world.fill(10, world.ids.new("usr"))
    found = await store.exported(4, 3)
    assert [each.kept.index for each in found] == [4, 5, 6]
    assert [each.kept.event_id for each in found] == [event.id for event in events[4:7]]
    assert [each.entry for each in found] == await world.records.entries(4, 3)
    assert {each.arrived for each in found} == {world.clock.now()}
    assert await store.exported(10, 3) == []


async def test_each_sink_has_a_lease_of_its_own(world: World) -> None:
    one, other = world.ids.new("hld"), world.ids.new("hld")
    assert await SqlLease(world.database, world.clock, one, SIEM_HTTPS).hold() is not None
    assert await SqlLease(world.database, world.clock, other, SIEM_DIRECTORY).hold() is not None
    assert await SqlLease(world.database, world.clock, other, SIEM_HTTPS).hold() is None


@pytest.mark.clause("PCI DSS 10.3.3")
async def test_an_export_goes_on_in_another_process(world: World) -> None:
    await world.fill(25)
    await advance(world)
    sink = Collector()
    await exporter(world, sink, limit=10).step()
    world.clock.advance(5)
    await drain(exporter(world, sink, limit=10))
    assert sink.indexes == list(range(25))
