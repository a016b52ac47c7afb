"""A restored database gets back what the log had signed, at the old indexes, or the log says what is lost."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from services.audit.checkpoint import Checkpoint
from services.audit.merkle import check_consistency
from services.audit.recovery import recovery
from services.audit.tables import ALARMS, RECOVERIES, SET_ASIDE
from services.audit.tree import TreeReader
from services.kit.faults import Fault
from services.kit.relay import CONFIRM_SECONDS, MAX_PAUSE_SECONDS
from tests.unit.audit.restoring import House, indexes, make_house
from tests.unit.audit.world import World
from valv.audit.v1 import event_pb2


@pytest.fixture
async def house(home: Path) -> AsyncIterator[House]:
    async with make_house(home) as made:
        yield made


async def fill(house: House, world: World, count: int, subject: str = "") -> None:
    """Every producer records and ships `count` events; the log signs them."""
    await world.sequencer._round()
    for producer in house.producers:
        for _ in range(count):
            await producer.write(subject)
        await producer.ship(world.appender)
    await world.sequencer._round()


async def recorded(world: World) -> list[tuple[str, int, int]]:
    """What the log's own outbox says about recoveries."""
    async with world.database.read() as connection:
        rows = await connection.execute(select(world.outbox.table.c.event).order_by(world.outbox.table.c.id))
        events = [event_pb2.Event.FromString(data) for data in rows.scalars()]
    return [
        (event.action, event.details.count, event.details.lost)
        for event in events
        if event.action.startswith("audit.recovery")
    ]


async def require_continued(house: House, world: World, old: Checkpoint, places: dict[str, int]) -> None:
    """Everything that was answered is in the log, where it was signed; the new head extends the old one."""
    found = await indexes(world)
    for producer in house.producers:
        for event in producer.written:
            assert event.event_id in found, "an acknowledged record is missing"
    written = {event.event_id for event in _written(house)}
    for event_id, index in places.items():
        if index < old.size and event_id in written:
            assert found[event_id] == index
    head = await world.signed()
    assert (head.size, await world.records.surplus()) == (await world.records.size(), 0)
    assert await TreeReader(world.tiles, head.size).root() == head.root
    proof = await TreeReader(world.tiles, head.size).consistency(old.size)
    check_consistency(old.size, head.size, proof, old.root, head.root)
    assert await world.records.missing({}) == 0
    async with world.database.read() as connection:
        assert (await connection.execute(select(ALARMS.c.reason).where(ALARMS.c.closed_ms.is_(None)))).all() == []


def _written(house: House) -> list[event_pb2.Event]:
    return [event for producer in house.producers for event in producer.written]


@pytest.mark.clause("P5")
async def test_a_restored_database_gets_back_what_was_signed(house: House) -> None:
    async with house.log() as world:
        anna = world.ids.new("usr")
        await fill(house, world, 3, anna)
        copy = house.backup("audit")
        await fill(house, world, 40, anna)
        old, places = await world.signed(), await indexes(world)
    house.restore("audit", copy)
    async with house.log() as world:
        await world.sequencer._round()
        world.sequencer.require_sound()
        assert world.sequencer.recovering
        assert await world.signed() == old, "nothing is signed below what was signed"
        with pytest.raises(Fault, match="LOG_RECOVERING"):
            await world.appender.append(world.place("shop"), [world.event()])
        await house.recover(world)
        await require_continued(house, world, old, places)
        assert await recorded(world) == [("audit.recovery.begin", 120, 0), ("audit.recovery.end", 120, 0)]
        for event in house.producers[1].written:
            assert await world.activity.receipt(anna, event.event_id)


@pytest.mark.clause("P5")
async def test_its_own_records_are_lost_with_its_own_outbox_and_said_to_be(house: House) -> None:
    async with house.log() as world:
        await house.recover(world, 1)
        await fill(house, world, 2)
        copy = house.backup("audit")
        for _ in range(7):
            await world.outbox.record(_own(world))
        await fill(house, world, 5)
        await house.recover(world, 2)
        old, places = await world.signed(), await indexes(world)
    house.restore("audit", copy)
    async with house.log() as world:
        await house.recover(world)
        await require_continued(house, world, old, places)
        assert await recorded(world) == [("audit.recovery.begin", 22, 0), ("audit.recovery.end", 15, 7)]
        async with world.database.read() as connection:
            assert (await connection.execute(select(RECOVERIES.c.lost))).scalars().all() == [7]
        before = await world.signed()
        await fill(house, world, 2)
        await house.recover(world, 2)
        await require_continued(house, world, before, places)


def _own(world: World) -> event_pb2.Event:
    event = world.outbox.event("audit.thing.do")
    event.actor.kind, event.actor.id = event_pb2.Actor.KIND_SERVICE, "audit"
    return event


@pytest.mark.clause("P5")
async def test_a_producer_that_is_away_is_waited_for(house: House) -> None:
    async with house.log() as world:
        await fill(house, world, 1)
        copy = house.backup("audit")
        await fill(house, world, 4)
        old, places = await world.signed(), await indexes(world)
    house.restore("audit", copy)
    away = house.producers.pop()
    async with house.log() as world:
        await house.recover(world)
        assert world.sequencer.recovering
        assert await world.signed() == old
        house.producers.append(away)
        await house.recover(world)
        await require_continued(house, world, old, places)


@pytest.mark.clause("P5")
async def test_a_producer_that_the_backup_has_never_heard_of_replays_too(house: House) -> None:
    async with house.log() as world:
        late = house.producers.pop()
        await fill(house, world, 3)
        copy = house.backup("audit")
        house.producers.append(late)
        await fill(house, world, 3)
        old, places = await world.signed(), await indexes(world)
    house.restore("audit", copy)
    async with house.log() as world:
        await house.recover(world)
        await require_continued(house, world, old, places)


@pytest.mark.clause("P5")
async def test_an_erased_person_stays_erased_and_their_entries_stay_in_the_tree(house: House) -> None:
    async with house.log() as world:
        anna, bo = world.ids.new("usr"), world.ids.new("usr")
        await fill(house, world, 2, anna)
        copy = house.backup("audit")
        await fill(house, world, 3, anna)
        await fill(house, world, 3, bo)
        await world.keyring.destroy(anna)
        await fill(house, world, 2, anna)
        old, places = await world.signed(), await indexes(world)
    house.restore("audit", copy)
    async with house.log() as world:
        await house.recover(world)
        assert not world.sequencer.recovering
        found = await indexes(world)
        assert found.keys() >= {event.event_id for event in _written(house)}
        anew = {event: index for event, index in found.items() if event in places and index != places[event]}
        lost = {event.event_id for producer in house.producers for event in producer.written[2:5]}
        assert anew.keys() == lost, "what was sealed under the destroyed key cannot be told from others"
        assert sorted(anew.values()) == list(range(old.size, old.size + 9))
        assert await recorded(world) == [("audit.recovery.begin", 24, 0), ("audit.recovery.end", 15, 9)]
        assert await world.records.missing({}) == 0
        assert await world.keyring.get(anna) is None
        head = await world.signed()
        proof = await TreeReader(world.tiles, head.size).consistency(old.size)
        check_consistency(old.size, head.size, proof, old.root, head.root)
        for event in house.producers[0].written[5:8]:
            assert await world.activity.receipt(bo, event.event_id)
        late = {event.event_id for producer in house.producers for event in producer.written[8:]}
        await require_security_records(world, anna, lost | late)


async def require_security_records(world: World, subject: str, events: set[str]) -> None:
    """Operators find what stays of just these events about the person, and nothing is left of them elsewhere."""
    remains, more = await world.reader().page(subject, None, 200)
    assert {record.event.id for record in remains if record.source.producer != "audit"} == events
    assert more is None
    async with world.database.read() as connection:
        assert (await connection.execute(select(SET_ASIDE).where(SET_ASIDE.c.subject.is_not(None)))).all() == []


@pytest.mark.clause("P5", "P14")
async def test_of_an_erasure_between_backup_and_restore_stays_what_producers_still_have(house: House) -> None:
    async with house.log() as world:
        anna = world.ids.new("usr")
        await fill(house, world, 2, anna)
        copy = house.backup("audit")
        await fill(house, world, 3, anna)
        await fill(house, world, 1)
        await world.eraser().erase(anna)
        await house.recover(world, 2)
        before, every = await world.signed(), {event.event_id for event in _written(house) if event.subject == anna}
        await require_security_records(world, anna, every)
    house.restore("audit", copy)
    async with house.log() as world:
        await house.recover(world)
        assert not world.sequencer.recovering
        await world.eraser().erase(anna)  # auth orders it again: the log has lost that it was done
        lost = {event.event_id for producer in house.producers for event in producer.written[2:5]}
        await require_security_records(world, anna, lost)
        kept = await world.records.page(anna, None, 200)
        assert {each.event_id for each in kept} >= every, "of those in the backup: whose they are, and their leaf"
        assert [await world.bodies.open(each) for each in kept] == [None] * len(kept)
        await house.recover(world, 2)
        await require_continued(house, world, before, {})
        await require_security_records(world, anna, lost)


@pytest.mark.clause("P5")
@pytest.mark.parametrize("decision", ["a newer copy is found", "the loss is accepted"])
async def test_keys_older_than_the_log_stop_the_recovery_until_an_operator_decides(house: House, decision: str) -> None:
    async with house.log() as world:
        await fill(house, world, 2)
        copies = house.backup("audit"), house.backup("keys")
        anna = world.ids.new("usr")
        await fill(house, world, 2, anna)
        newer = house.backup("keys")
        old, places = await world.signed(), await indexes(world)
    house.restore("audit", copies[0])
    house.restore("keys", copies[1])
    async with house.log() as world:
        await house.recover(world)
        assert world.sequencer.recovering
        progress = await world.recovery._store.progress()
        assert progress is not None
        assert (progress.bodiless, progress.keyless) == (6, ["auth", "billing", "files"])
        assert await world.signed() == old
    if decision == "a newer copy is found":
        house.restore("keys", newer)
        async with house.log() as world:
            await house.recover(world)
            await require_continued(house, world, old, places)
        return
    async with house.log() as world:
        for accepted, recovering in ((5, True), (6, False)):
            world.recovery._accept_lost = accepted
            await house.recover(world)
            assert world.sequencer.recovering is recovering
        assert ("audit.recovery.end", 0, 6) in await recorded(world)
        assert (await world.signed()).size > old.size


@pytest.mark.clause("P5")
@pytest.mark.parametrize(
    "damage,reason", [("lost", "TILES_LOST"), ("cut", "TILES_DIFFER"), ("other", "ENTRIES_DIFFER")]
)
async def test_without_the_signed_tiles_the_order_is_unknown_and_the_log_halts(
    house: House, damage: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with house.log() as world:
        await fill(house, world, 2)
        copy = house.backup("audit")
        await fill(house, world, 2)
        old, places = await world.signed(), await indexes(world)
    house.restore("audit", copy)
    bundle = house.folder / "log/tile/entries/000.p/12"
    whole = bundle.read_bytes()
    if damage == "lost":
        bundle.unlink()
    else:
        bundle.write_bytes(whole[:-1] if damage == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    async with house.log() as world:
        await house.recover(world, 2)
        assert f"HaltError: {reason}" in caplog.text
        with pytest.raises(Fault, match="LOG_HALTED"):
            world.sequencer.require_sound()
        assert await world.signed() == old
        bundle.write_bytes(whole)  # somebody has a copy: tiles are public
        await house.recover(world)
        await require_continued(house, world, old, places)


@pytest.mark.clause("P5")
async def test_a_database_that_goes_back_under_a_running_log_is_noticed(house: House) -> None:
    async with house.log() as world:
        await fill(house, world, 2)
        await fill(house, world, 2)
        old, places = await world.signed(), await indexes(world)
        async with world.database.write() as connection:  # what a failover to a replica that lags does
            await connection.exec_driver_sql("DELETE FROM entries WHERE idx >= 6")
            await connection.exec_driver_sql("UPDATE log_state SET size = 6")
            await connection.exec_driver_sql("UPDATE epochs SET highest = 2")
        world.clock.advance(1)
        with pytest.raises(Fault, match="LOG_RECOVERING"):
            await world.appender.append(world.place("shop"), [world.event()])
        await house.recover(world)
        await require_continued(house, world, old, places)


@pytest.mark.clause("P5")
async def test_tiles_that_were_written_and_never_signed_do_not_stand_in_the_way(house: House) -> None:
    async with house.log() as world:
        await fill(house, world, 2)
        copy = house.backup("audit")
        await fill(house, world, 1)
        old, places = await world.signed(), await indexes(world)
        lost = [world.event() for _ in range(3)]
        await world.appender.append(world.place("shop"), lost)
        state = world.sequencer._state
        assert state is not None
        await world.tiles.put(state.edge.grow(await world.records.entries(9, 3)).files)  # and then the power went
    house.restore("audit", copy)
    async with house.log() as world:
        for producer in house.producers:
            await producer.write("")
        await house.recover(world)
        await require_continued(house, world, old, places)


@pytest.mark.clause("P5")
@pytest.mark.parametrize("seed", range(10))
async def test_whatever_was_cut_off_and_whenever_it_dies_again_nothing_is_missing(house: House, seed: int) -> None:
    chance = random.Random(seed)
    copies: list[Path] = []
    async with house.log() as world:
        people = ["", *(world.ids.new("usr") for _ in range(3))]
        for _ in range(chance.randint(15, 40)):
            await _one_step(chance, house, world, people, copies)
        await house.recover(world, 1)
        old, places = await world.signed(), await indexes(world)
    for _ in range(chance.randint(1, 2)):
        house.restore("audit", chance.choice(copies))
        for _ in range(chance.randint(0, 4)):
            await _die_on_the_way(chance, house, people)
        async with house.log() as world:
            await house.recover(world)
            assert not world.sequencer.recovering
            await require_continued(house, world, old, places)
            await fill(house, world, 1)
            await house.recover(world, 1)
            old, places = await world.signed(), await indexes(world)


async def _one_step(chance: random.Random, house: House, world: World, people: list[str], copies: list[Path]) -> None:
    producer = chance.choice(house.producers)
    match chance.choice(("write", "write", "write", "ship", "ship", "sign", "own", "backup")):
        case "write":
            for _ in range(chance.randint(1, 30)):
                await producer.write(chance.choice(people))
        case "ship":
            await producer.ship(world.appender, chance.randint(1, 3))
        case "sign":
            await world.sequencer._round()
        case "own":
            await house.recover(world, 1)
        case "backup":
            copies.append(house.backup("audit"))
    if not copies:
        copies.append(house.backup("audit"))


async def _die_on_the_way(chance: random.Random, house: House, people: list[str]) -> None:
    """Run the recovery for a while with stores that fail at some call, then stop without a word."""
    async with house.log() as world:
        store = world.recovery._store
        method = chance.choice(("progress", "await_records", "begin", "end"))
        inner, moment, after = getattr(store, method), chance.randint(0, 3), chance.random() < 0.5
        calls = 0

        async def fail(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls <= moment:
                return await inner(*arguments)
            if after:
                await inner(*arguments)
            raise OSError("injected")

        setattr(store, method, fail)
        chance.shuffle(house.producers)
        await chance.choice(house.producers).write(chance.choice(people))
        await house.recover(world, chance.randint(1, 3))


def test_the_wait_for_unknown_producers_is_longer_than_an_idle_relay_sleeps() -> None:
    assert recovery.PATIENCE.total_seconds() > CONFIRM_SECONDS + 2 * MAX_PAUSE_SECONDS
