"""Passing on what ended: at once, to everyone, and with silence rather than a guess when the rows cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from services.auth import revocations
from services.auth.fanout import NoFanout
from services.auth.revocations import Broadcaster, Progress
from services.auth.store import Store, StoreAway, Units
from tests.unit.auth.world import World

IDS = [f"ses_{number:026d}" for number in range(20)]


class Failing:
    """Transactions that fail at will."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.away = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        if self.away:
            raise StoreAway
        async with self.units.read() as store:
            yield store

    def write(self) -> AsyncIterator[Store]:
        raise NotImplementedError  # a broadcaster only reads


class Slow:
    """Transactions that wait before the second and later ones begin."""

    def __init__(self, units: Units) -> None:
        self.units = units
        self.begun = 0
        self.waiting, self.go_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Store]:
        self.begun += 1
        if self.begun > 1:
            self.waiting.set()
            await self.go_on.wait()
        async with self.units.read() as store:
            yield store

    def write(self) -> AsyncIterator[Store]:
        raise NotImplementedError  # a broadcaster only reads


class Loud:
    """Hints that everybody hears."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()

    async def publish(self) -> None:
        self._heard.set()

    async def hints(self) -> AsyncIterator[None]:
        while True:
            await self._heard.wait()
            self._heard.clear()
            yield


async def revoke(world: World, session_id: str) -> None:
    async with world.units.write() as store:
        await store.revocations.add(session_id, world.clock.now())


async def first(stream: AsyncIterator[Progress]) -> Progress:
    return await asyncio.wait_for(anext(stream), 2)


def ids(progress: Progress) -> list[str]:
    return [row.session_id for row in progress.revocations]


@pytest.mark.clause("P8")
async def test_a_stream_begins_with_the_last_minute_and_says_it_is_complete(world: World) -> None:
    await revoke(world, IDS[0])
    world.clock.advance(30)
    await revoke(world, IDS[1])
    world.clock.advance(30.001)
    broadcaster, seen, _ = world.make_broadcaster()
    await broadcaster.load()
    progress = await first(broadcaster.follow())
    assert ids(progress) == [IDS[1]]
    assert (progress.sequence, progress.complete) == (2, True)
    assert ids(seen[0]) == [IDS[1]]


@pytest.mark.clause("P8")
async def test_what_this_replica_ends_is_passed_on_before_the_answer(world: World) -> None:
    broadcaster, seen, _ = world.make_broadcaster()
    await broadcaster.load()
    streams = [broadcaster.follow() for _ in range(3)]
    for stream in streams:
        assert ids(await first(stream)) == []
    await revoke(world, IDS[0])
    await broadcaster.announce()
    assert ids(seen[-1]) == [IDS[0]]
    for stream in streams:
        assert ids(await first(stream)) == [IDS[0]]


@pytest.mark.clause("P8")
async def test_who_announces_goes_on_when_every_stream_has_taken_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "TELL_SECONDS", 60)
    broadcaster, _, _ = world.make_broadcaster()
    await broadcaster.load()
    streams = [broadcaster.follow() for _ in range(3)]
    for stream in streams:
        await first(stream)
    await revoke(world, IDS[0])
    announcing = asyncio.create_task(broadcaster.announce())
    taking = []
    for stream in streams:
        assert ids(await first(stream)) == [IDS[0]]
        await asyncio.sleep(0.01)
        assert not announcing.done()  # it was given, and is not yet sent: that is when the next is asked for
        taking.append(asyncio.ensure_future(anext(stream)))
    await asyncio.wait_for(announcing, 2)
    for waiting in taking:
        waiting.cancel()


async def test_a_stream_that_takes_nothing_holds_nobody_up_for_long(world: World) -> None:
    broadcaster, _, _ = world.make_broadcaster()
    await broadcaster.load()
    stuck = broadcaster.follow()
    await first(stuck)
    await revoke(world, IDS[0])
    assert revocations.TELL_SECONDS <= 0.1
    await asyncio.wait_for(broadcaster.announce(), 10)
    await stuck.aclose()
    assert broadcaster._told == {}


@pytest.mark.clause("P8")
async def test_a_stream_that_wakes_while_much_is_read_misses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "_BATCH", 2)
    monkeypatch.setattr(revocations, "HEARTBEAT_SECONDS", 0.001)
    slow = Slow(world.units)
    broadcaster = Broadcaster(cast("Units", slow), NoFanout(), world.clock, lambda _: None, lambda: None)
    stream = broadcaster.follow()
    broadcaster._complete_at = world.clock.monotonic()
    assert ids(await first(stream)) == []
    for one in IDS[:5]:
        await revoke(world, one)
    reading = asyncio.create_task(broadcaster.read())
    await slow.waiting.wait()
    assert ids(await first(stream)) == []
    slow.go_on.set()
    await reading
    assert ids(await first(stream)) == IDS[:5]


async def test_what_another_replica_ends_is_found_by_reading(world: World) -> None:
    broadcaster, _, _ = world.make_broadcaster()
    await broadcaster.load()
    stream = broadcaster.follow()
    await first(stream)
    running = asyncio.create_task(broadcaster.run())
    await revoke(world, IDS[0])
    assert ids(await first(stream)) == [IDS[0]]
    running.cancel()


async def test_a_hint_makes_another_replica_read_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fanout = Loud()
    mine = Broadcaster(world.units, fanout, world.clock, lambda _: None, lambda: None)
    other = Broadcaster(world.units, fanout, world.clock, lambda _: None, lambda: None)
    await mine.load()
    await other.load()
    listening = asyncio.create_task(other.listen())
    stream = other.follow()
    await first(stream)
    await asyncio.sleep(0)
    await revoke(world, IDS[0])
    await mine.announce()
    assert ids(await first(stream)) == [IDS[0]]
    listening.cancel()


async def test_nothing_new_is_a_sign_of_life_each_400_milliseconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert revocations.HEARTBEAT_SECONDS + revocations.POLL_SECONDS <= 0.5
    monkeypatch.setattr(revocations, "HEARTBEAT_SECONDS", 0.01)
    broadcaster, _, _ = world.make_broadcaster()
    await broadcaster.load()
    stream = broadcaster.follow()
    assert [(await first(stream)).complete for _ in range(3)] == [True, True, True]


async def test_a_stream_falls_silent_when_the_rows_cannot_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocations, "HEARTBEAT_SECONDS", 0.01)
    failing, away, seen = Failing(world.units), [], list[Progress]()
    broadcaster = Broadcaster(cast("Units", failing), NoFanout(), world.clock, seen.append, lambda: away.append(1))
    await broadcaster.load()
    stream = broadcaster.follow()
    await first(stream)
    failing.away = True
    await broadcaster.announce()
    assert away
    heard = len(seen)
    world.clock.advance(revocations.COMPLETE_SECONDS)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert len(seen) == heard
    failing.away = False
    await broadcaster.announce()
    assert (await asyncio.wait_for(waiting, 2)).complete


async def test_numbers_have_no_gap_and_the_order_they_were_given_in(world: World) -> None:
    await asyncio.gather(*(revoke(world, one) for one in IDS))
    async with world.units.read() as store:
        rows = await store.revocations.since(0, 100)
    assert [row.sequence for row in rows] == list(range(1, len(IDS) + 1))


async def test_many_rows_are_read_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocations, "_BATCH", 3)
    broadcaster, _, _ = world.make_broadcaster()
    await broadcaster.load()
    for one in IDS:
        await revoke(world, one)
    await broadcaster.announce()
    assert ids(await first(broadcaster.follow())) == IDS


async def test_a_slow_stream_misses_nothing(world: World) -> None:
    broadcaster, _, _ = world.make_broadcaster()
    await broadcaster.load()
    stream = broadcaster.follow()
    await first(stream)
    got: list[str] = []
    for one in IDS:
        await revoke(world, one)
        await broadcaster.announce()
        if len(got) < 5:
            got += ids(await first(stream))
    while len(got) < len(IDS):
        got += ids(await first(stream))
    assert got == IDS


async def test_closing_ends_the_streams(world: World) -> None:
    broadcaster, _, _ = world.make_broadcaster()
    await broadcaster.load()
    stream = broadcaster.follow()
    await first(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.01)
    broadcaster.close()
    await asyncio.wait({waiting}, timeout=2)
    assert [progress async for progress in stream] == []
    assert waiting.done()
    waiting.exception()
