"""The export to a SIEM: every index, in order, nothing lost while the sink is away, and recorded itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from services.audit import merkle
from services.audit.checkpoint import open_checkpoint
from services.audit.siem.batches import OWN
from services.audit.siem.exporter import TELL
from services.audit.siem.store import Batch, MissingEntriesError, MovedError, SinkError
from services.audit.tables import ENTRIES
from services.kit.event import Outcome
from services.kit.faults import AUDIT_UNAVAILABLE, Fault
from tests.unit.audit.exporting import Collector, advance, drain, exporter, relay, valv
from tests.unit.audit.test_ocsf import judged
from tests.unit.audit.world import World


@pytest.mark.clause("PCI DSS 10.3.3", "P5")
async def test_every_entry_goes_out_in_order_with_its_leaf_under_a_signed_checkpoint(world: World) -> None:
    events = await world.fill(250, world.ids.new("usr"))
    await advance(world)
    sink = Collector()
    await drain(exporter(world, sink))
    assert sink.indexes == list(range(250))
    told = [judged(record) for record in sink.records]
    assert [record["metadata"]["uid"] for record in told if "uid" in record["metadata"]] == [e.id for e in events]
    entries = await world.records.entries(0, 250)
    leaves = [valv(record)["log"]["leaf_hash"] for record in told if valv(record)["record"] == "event"]
    assert leaves == [merkle.leaf_hash(entry).hex() for entry in entries]
    ends = [valv(record) for record in told if valv(record)["record"] == "checkpoint"]
    assert [(end["first"], end["last"]) for end in ends] == [(0, 99), (100, 199), (200, 249)]
    assert [valv(each.copy())["record"] for each in (told[100], told[201], told[252])] == ["checkpoint"] * 3
    for end in ends:
        assert open_checkpoint(end["note"].encode(), world.signer.verifier).size == end["size"] == 250


async def test_what_no_checkpoint_covers_yet_waits(world: World) -> None:
    await world.fill(5)
    await advance(world)
    await world.fill(5)
    sink = Collector()
    await drain(exporter(world, sink))
    assert sink.indexes == list(range(5))


@pytest.mark.clause("P5")
async def test_what_happens_while_the_sink_is_away_waits_in_the_log(world: World) -> None:
    sink = Collector()
    made = exporter(world, sink)
    await world.fill(3)
    await advance(world)
    await drain(made)
    sink.away = True
    for _ in range(3):
        await world.fill(150)
        await advance(world)
        with pytest.raises(SinkError):
            await made.step()
    sink.away = False
    await drain(made)
    assert sink.indexes == list(range(453))


async def test_a_process_that_dies_between_send_and_cursor_sends_again_and_leaves_no_gap(world: World) -> None:
    await world.fill(30)
    await advance(world)

    class Dying(Collector):
        async def send(self, batch: Batch) -> None:
            await super().send(batch)
            if batch.first == 10:
                raise RuntimeError("killed")

    dying = Dying()
    first = exporter(world, dying, limit=10)
    await first.step()
    with pytest.raises(RuntimeError, match="killed"):
        await first.step()
    world.clock.advance(5)  # its lease runs out
    sink = Collector()
    await drain(exporter(world, sink, limit=10))
    assert dying.indexes == list(range(20))
    assert sink.indexes == list(range(10, 30))


@pytest.mark.clause("P14")
async def test_an_erased_persons_entries_go_out_as_tombstones(world: World) -> None:
    anna, bo = world.ids.new("usr"), world.ids.new("usr")
    await world.append(world.event(anna), world.event(bo), world.event(anna))
    await advance(world)
    await world.keyring.destroy(anna)
    sink = Collector()
    await drain(exporter(world, sink))
    assert [valv(record)["record"] for record in sink.records] == ["tombstone", "event", "tombstone", "checkpoint"]
    assert sink.indexes == [0, 1, 2]
    assert anna.encode() not in sink.taken[0]
    entries = await world.records.entries(0, 3)
    assert valv(sink.records[2])["log"]["leaf_hash"] == merkle.leaf_hash(entries[2]).hex()
    judged(sink.records[0])


async def test_a_changed_body_goes_out_as_a_tombstone_and_stops_nothing(world: World) -> None:
    await world.fill(3)
    await advance(world)
    async with world.database.write() as connection:
        await connection.execute(update(ENTRIES).where(ENTRIES.c.idx == 1).values(sealed=b"\x01" * 80))
    sink = Collector()
    await drain(exporter(world, sink))
    assert [valv(record)["record"] for record in sink.records[:3]] == ["event", "tombstone", "event"]


async def test_a_body_that_is_not_what_the_entry_commits_to_is_not_told(world: World) -> None:
    await world.fill(3)
    await advance(world)
    async with world.database.write() as connection:
        await connection.execute(update(ENTRIES).where(ENTRIES.c.idx == 1).values(entry=b"\x01" * 33))
    sink = Collector()
    await drain(exporter(world, sink))
    assert [valv(record)["record"] for record in sink.records[:3]] == ["event", "tombstone", "event"]


async def test_an_entry_that_is_not_there_is_not_passed_over(world: World) -> None:
    await world.fill(5)
    await advance(world)
    async with world.database.write() as connection:
        await connection.execute(ENTRIES.delete().where(ENTRIES.c.idx == 2))
    sink = Collector()
    made = exporter(world, sink)
    assert await made.step()
    with pytest.raises(MissingEntriesError):
        await made.step()
    assert sink.indexes == [0, 1]


async def test_one_process_exports_and_another_takes_over_when_it_is_gone(world: World) -> None:
    await world.fill(20)
    await advance(world)
    one, two = Collector(), Collector()
    first, second = exporter(world, one, limit=10), exporter(world, two, limit=10)
    await first.step()
    assert not await second.step()
    assert two.taken == []
    world.clock.advance(5)
    await drain(second)
    assert (one.indexes, two.indexes) == (list(range(10)), list(range(10, 20)))
    assert not await first.step()
    assert len(one.taken) == 1


async def test_who_has_lost_the_cursor_does_not_move_it_back(world: World) -> None:
    await world.fill(20)
    await advance(world)
    taken_over = Collector()

    class Slow(Collector):
        async def send(self, batch: Batch) -> None:
            await super().send(batch)
            world.clock.advance(5)
            await drain(exporter(world, taken_over, limit=10))

    with pytest.raises(MovedError):
        await exporter(world, Slow(), limit=10).step()
    assert taken_over.indexes == list(range(20))


async def test_a_slow_sink_keeps_the_lease(world: World) -> None:
    await world.fill(2)
    await advance(world)
    released = asyncio.Event()

    class Slow(Collector):
        async def send(self, batch: Batch) -> None:
            await released.wait()
            await super().send(batch)

    slow = Slow()
    sending = asyncio.create_task(exporter(world, slow).step())
    other = Collector()
    second = exporter(world, other)
    for _ in range(3):
        await asyncio.sleep(1.2)
        world.clock.advance(2)
        assert not await second.step()
    released.set()
    await sending
    assert (slow.indexes, other.taken) == ([0, 1], [])


@pytest.mark.clause("PCI DSS 10.2.1.3", "P5")
async def test_an_export_is_recorded_when_it_begins_and_once_an_hour_with_its_count(world: World) -> None:
    sink = Collector()
    made = exporter(world, sink)
    await world.fill(7)
    await advance(world)
    await drain(made)
    await drain(made)
    await relay(world)
    for _ in range(59):
        await world.fill(2)
        await advance(world)
        world.clock.advance(59)
        await drain(made)
    assert await relay(world) == []
    world.clock.advance(TELL.total_seconds())
    await drain(made)
    assert len(await relay(world)) == 1
    await advance(world)
    await drain(made)
    own = [record for record in sink.records if valv(record).get("action") in OWN]
    assert [record["metadata"]["event_code"] for record in own] == [
        "audit.siem.start",
        "audit.siem.send",
        "audit.siem.send",
    ]
    assert [valv(record).get("details") for record in own] == [None, {"count": 7}, {"count": 118}]
    assert valv(own[0])["object"] == {"kind": "sink", "id": "https"}
    assert valv(own[0])["outcome"] == Outcome.SUCCESS


@pytest.mark.clause("P5")
async def test_the_export_of_its_own_records_does_not_make_the_log_grow(world: World) -> None:
    sink = Collector()
    made = exporter(world, sink)
    await world.fill(3)
    for _ in range(3):
        await advance(world)
        await drain(made)
        await relay(world)
    size = await world.records.size()
    assert size == 5  # three that happened, the export's start, its count
    for _ in range(50):
        world.clock.advance(timedelta(hours=2).total_seconds())
        await advance(world)
        await drain(made)
        await relay(world)
    assert await world.records.size() == size
    assert sink.indexes == list(range(size))


async def test_nothing_is_opened_when_the_start_cannot_be_recorded(world: World) -> None:
    await world.fill(3)
    await advance(world)
    sink = Collector()
    made = exporter(world, sink)
    async with world.database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE outbox RENAME TO outbox_away")
    with pytest.raises(Fault) as refused:
        await made.step()
    assert refused.value.reason is AUDIT_UNAVAILABLE
    assert sink.taken == []
    async with world.database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE outbox_away RENAME TO outbox")
    await drain(made)
    assert sink.indexes == [0, 1, 2]
