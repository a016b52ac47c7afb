"""Records come in once each, in order, and are answered when they are durable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import event as sql_event
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from services.audit import wire
from services.audit.appender import MAX_WAITING
from services.audit.tables import ALARMS
from services.kit.faults import Fault
from tests.support.followers import until
from tests.unit.audit.world import World, make_world
from valv.audit.v1 import event_pb2


async def alarms(world: World) -> list[tuple[str, str, bool]]:
    async with world.database.read() as connection:
        rows = await connection.execute(select(ALARMS.c.producer, ALARMS.c.reason, ALARMS.c.closed_ms))
        return [(producer, reason, closed is None) for producer, reason, closed in rows]


async def recorded(world: World) -> list[str]:
    """The actions in the service's own outbox."""
    async with world.database.read() as connection:
        rows = await connection.execute(select(world.outbox.table.c.event))
        return [event_pb2.Event.FromString(data).action for data in rows.scalars()]


async def test_numbers_follow_each_other(world: World) -> None:
    assert await world.append(world.event(), world.event()) == 2
    assert await world.append(world.event()) == 3
    assert await world.append(world.event(), producer="auth") == 1
    assert await world.records.size() == 4


@pytest.mark.clause("P5")
async def test_a_record_sent_again_is_not_kept_again(world: World) -> None:
    first, second, third = (world.event() for _ in range(3))
    await world.append(first, second)
    assert await world.appender.append(world.place(first=1), [first, second]) == 2
    assert await world.appender.append(world.place(first=2), [second, third]) == 3
    assert await world.records.size() == 3
    assert await alarms(world) == []


@pytest.mark.clause("P5")
async def test_a_gap_is_refused_alarmed_and_healed(world: World) -> None:
    await world.append(world.event())
    late = world.event()
    for _ in range(2):
        with pytest.raises(Fault, match="AUDIT_GAP"):
            await world.appender.append(world.place(first=3), [late])
    assert await world.records.size() == 1
    assert await alarms(world) == [("files", "AUDIT_GAP", True)]
    assert await recorded(world) == ["audit.alarm.open"]
    assert await world.records.open_alarms() == 1
    await world.append(world.event(), late)
    assert await alarms(world) == [("files", "AUDIT_GAP", False)]
    assert await recorded(world) == ["audit.alarm.open", "audit.alarm.close"]


@pytest.mark.clause("P5")
async def test_a_new_epoch_names_the_one_before(world: World) -> None:
    await world.append(world.event())
    first, second = world.epochs["files"], world.ids.new("epo")
    for predecessor in ("", world.ids.new("epo")):
        with pytest.raises(Fault, match="AUDIT_EPOCH"):
            await world.appender.append(world.place(epoch=second, predecessor=predecessor), [world.event()])
    assert await alarms(world) == [("files", "AUDIT_EPOCH", True)]
    assert await world.appender.append(world.place(epoch=second, predecessor=first), [world.event()]) == 1
    head = await world.records.head("files")
    assert head is not None
    assert (head.epoch, head.highest) == (second, 1)


async def test_the_first_epoch_has_no_predecessor(world: World) -> None:
    with pytest.raises(Fault, match="AUDIT_EPOCH"):
        await world.appender.append(world.place(predecessor=world.ids.new("epo")), [world.event()])
    with pytest.raises(Fault, match="AUDIT_GAP"):
        await world.appender.append(world.place(first=2), [world.event()])
    assert await world.records.head("files") is None


async def test_a_closed_epoch_takes_nothing_new(world: World) -> None:
    old = world.event()
    await world.append(old)
    first, second = world.epochs["files"], world.ids.new("epo")
    await world.appender.append(world.place(epoch=second, predecessor=first), [world.event()])
    assert await world.appender.append(world.place(epoch=first), [old]) == 1
    with pytest.raises(Fault, match="AUDIT_EPOCH"):
        await world.appender.append(world.place(epoch=first, first=2), [world.event()])


@pytest.mark.clause("P5")
async def test_a_number_or_id_is_never_used_twice(world: World) -> None:
    mine = world.event()
    await world.append(mine)
    with pytest.raises(Fault, match="AUDIT_REUSED"):
        await world.appender.append(world.place(first=1), [world.event()])
    assert await alarms(world) == [("files", "AUDIT_REUSED", True)]
    with pytest.raises(Fault, match="AUDIT_REUSED"):
        await world.appender.append(world.place(first=2), [mine])
    with pytest.raises(Fault, match="AUDIT_REUSED"):
        await world.append(mine, producer="auth")
    assert await world.records.size() == 1


async def test_concurrent_appends_share_commits_and_one_bad_one_spoils_none(world: World) -> None:
    commits = 0

    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    sql_event.listen(world.database._writer.sync_engine, "commit", count)
    good = [world.append(world.event(), producer=f"p{number}") for number in range(20)]
    bad = world.appender.append(world.place("bad", first=9), [world.event()])
    *numbers, refused = await asyncio.gather(*good, bad, return_exceptions=True)
    assert numbers == [1] * 20
    assert isinstance(refused, Fault)
    assert commits < 10
    assert await world.records.size() == 20


async def test_a_duplicate_id_among_others_is_refused_alone(world: World) -> None:
    mine = world.event()
    await world.append(mine)
    results = await asyncio.gather(
        world.append(world.event(), producer="a"),
        world.append(mine, producer="b"),
        world.append(world.event(), producer="c"),
        return_exceptions=True,
    )
    assert [isinstance(result, Fault) for result in results] == [False, True, False]
    assert await world.records.size() == 3


async def test_too_much_at_once_is_turned_away(world: World) -> None:
    with pytest.raises(Fault, match="OVERLOADED"):
        await world.appender.append(world.place(), [world.event()] * (MAX_WAITING + 1))


async def test_what_was_answered_survives(world: World) -> None:
    events = await world.fill(3)
    async with make_world(world.folder) as again:
        assert await again.records.size() == 3
        kept = await again.records.find(events[2].id)
        assert kept is not None
        assert kept.index == 2


async def test_a_failed_commit_is_told_and_nothing_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = world.records.begin

    @asynccontextmanager
    async def fail() -> AsyncIterator[object]:
        async with begin() as transaction:
            yield transaction
            raise OSError("disk full")

    monkeypatch.setattr(world.records, "begin", fail)
    with pytest.raises(OSError, match="disk full"):
        await world.append(world.event())
    monkeypatch.undo()
    assert await world.records.size() == 0
    assert await world.append(world.event()) == 1


@pytest.mark.parametrize("away", ["the log", "the checkpoints"])
async def test_a_store_that_is_away_is_waited_for_once_by_all_who_wait(
    away: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, asked, here = 0, asyncio.Event(), asyncio.Event()
    error = OperationalError("", {}, ConnectionError("the server does not answer"))

    async def hang() -> None:
        nonlocal waits
        waits += 1
        asked.set()
        await here.wait()
        raise error

    @asynccontextmanager
    async def closed() -> AsyncIterator[None]:
        await hang()
        yield

    if away == "the log":
        monkeypatch.setattr(world.records, "begin", closed)
    else:
        monkeypatch.setattr(world.heads, "signed", hang)
    early = asyncio.create_task(world.append(world.event(), producer="a"))
    await asked.wait()
    late = [asyncio.create_task(world.append(world.event(), producer=name)) for name in ("b", "c", "d")]
    await until(lambda: len(world.appender._queue) >= len(late))
    here.set()
    assert await asyncio.gather(early, *late, return_exceptions=True) == [error] * 4
    assert waits == 1
    monkeypatch.undo()
    assert await world.append(world.event(), producer="c") == 1


@pytest.mark.clause("P5")
async def test_an_event_that_does_not_fit_stops_its_producer_aloud(world: World) -> None:
    good = wire.message_of(world.event())
    bad = event_pb2.Event.FromString(good.SerializeToString())
    bad.subject = "anna@example.com"
    for _ in range(2):
        with pytest.raises(Fault, match="AUDIT_EVENT_REFUSED") as refused:
            await world.appender.append_serialized(world.place(), [good.SerializeToString(), bad.SerializeToString()])
        assert refused.value.field == "events[1].subject"
    assert await alarms(world) == [("files", "AUDIT_EVENT_REFUSED", True)]
    assert await world.records.size() == 0
    assert await world.appender.append_serialized(world.place(), [good.SerializeToString()]) == 1
    assert await world.records.open_alarms() == 0
