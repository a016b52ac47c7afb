"""How far an export has come, on every database: one suite."""

from __future__ import annotations

import pytest

from services.audit import merkle
from services.audit.journal import Journal
from services.audit.retention.holds import Cause, Holds, Order
from services.audit.retention.policy import RetentionConfig
from services.audit.retention.sql_holds import HoldsIn
from services.audit.siem.sql import SqlExports
from services.audit.siem.store import Cursor, MovedError
from services.audit.sql_lease import SIEM_DIRECTORY, SIEM_HTTPS, SqlLease
from services.kit.event import from_message
from services.kit.faults import Fault
from tests.unit.audit.exporting import Collector, advance, drain, exporter, relay, valv
from tests.unit.audit.test_ocsf import judged
from tests.unit.audit.world import World
from valv.audit.v1 import event_pb2

DAY = 86400.0


async def always() -> bool:
    return True


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


@pytest.mark.clause("P14", "PCI DSS 10.3.3")
async def test_an_entry_without_a_body_goes_out_as_its_place_and_its_hash(world: World) -> None:
    """Of who was erased, what arrives about them later, what is over, and what is withdrawn from the public log."""
    anna, bo, cid = (world.ids.new("usr") for _ in range(3))
    await world.fill(200, anna)
    await world.fill(100, bo)
    await world.sign()
    world.clock.advance(400 * DAY)
    await world.fill(50, anna)
    await world.fill(50, cid)
    await advance(world)
    await world.sweeper(RetentionConfig(prune=True)).sweep(always)
    await world.eraser().erase(anna)
    await world.fill(3, anna)
    await relay(world)
    await advance(world)
    assert await world.minimum(prune=True).index() == 256
    sink = Collector()
    await drain(exporter(world, sink, limit=256))
    size = (await world.signed()).size
    assert sink.indexes == list(range(size))
    told = {valv(each)["log"]["index"]: each for each in sink.records if valv(each)["record"] != "checkpoint"}
    events = {index for index, record in told.items() if valv(record)["record"] == "event"}
    bos, cids, swept = range(256, 300), range(350, 400), range(403, size - 1)
    assert events == {*bos, *cids, *swept}, "the last one, of the erasure itself, is about anna"
    entries = await world.records.entries(0, size)
    for index, entry in enumerate(entries):
        assert valv(told[index])["log"]["leaf_hash"] == merkle.leaf_hash(entry).hex()
    for index in set(range(size)) - events:
        judged(told[index])
        assert valv(told[index]).keys() == {"record", "log"}
        assert "uid" not in told[index]["metadata"]
    assert not any(anna.encode() in lines for lines in sink.taken)


@pytest.mark.clause("P14")
async def test_what_a_hold_keeps_of_who_was_erased_is_not_told(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(5, anna)
    async with world.database.write() as connection:
        order = Order(anna, None, Cause.LITIGATION, secret=False)
        await Holds(world.holds, world.clock, world.ids).place(HoldsIn(connection), order, "greta")
    await world.eraser().erase(anna)
    assert len((await world.reader().page(anna, None, 200))[0]) == 5
    await advance(world)
    sink = Collector()
    await drain(exporter(world, sink))
    assert [valv(each)["record"] for each in sink.records] == ["tombstone"] * 5 + ["checkpoint"]


async def test_bodies_that_are_cold_are_told_and_waited_for_while_their_store_is_away(world: World) -> None:
    """That a body cannot be had for now is no reason to tell the world that it is gone."""
    events = await world.fill(256, world.ids.new("usr"))
    await world.sign()
    world.clock.advance(100 * DAY)
    await world.sweeper().sweep(always)
    assert await world.sweeps.cold_period(0) is not None
    world.clock.advance(1)
    sink, folder = Collector(), world.folder / "cold"
    made = exporter(world, sink, limit=256)
    folder.rename(world.folder / "away")
    with pytest.raises(Fault, match="RECORDS_AWAY"):
        await made.step()
    assert sink.taken == []
    (world.folder / "away").rename(folder)
    await made.step()
    told = [record["metadata"].get("uid") for record in sink.records]
    assert told == [*(event.id for event in events), None]


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
