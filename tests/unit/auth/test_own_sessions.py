"""What customers see of their own sessions, and what ending them does to whom."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.auth.arrivals import Arrived, Visitor
from services.auth.own_sessions import OwnSessions
from services.kit.faults import NOT_FOUND, SESSION_ENDED, Fault
from tests.unit.auth.world import World


def own(world: World) -> OwnSessions:
    return OwnSessions(world.sessions, world.clock)


async def alive(world: World, arrived: Arrived) -> bool:
    try:
        await world.sessions.find(world.units, arrived.token)
    except Fault as fault:
        reason = fault.reason
    else:
        return True
    assert reason is SESSION_ENDED
    return False


async def end(world: World, account: str, session: str) -> None:
    async with world.work() as work:
        await own(world).end(work, account, session)


@pytest.mark.clause("ASVS 7.5.2", "P9")
async def test_the_list_shows_live_sessions_the_current_one_first_then_by_last_activity(world: World) -> None:
    account = await world.member()
    await world.member("bo@example.com")
    await world.sign_in("bo@example.com")
    idle = await world.sign_in()
    world.clock.advance(1000)
    devices = ("safari/ios", "curl", "firefox/linux")
    phone, current, laptop = [await world.sign_in(visitor=Visitor("203.0.113.9", device)) for device in devices]
    ended = await world.sign_in()
    await end(world, account, ended.session.session_id)
    for seconds, one in ((100, phone), (700, laptop)):
        world.clock.advance(seconds)
        await world.sessions.touch(await world.sessions.find(world.units, one.token))
    found = await own(world).list(world.units, account, current.session.session_id)
    assert [one.device for one in found] == ["curl", "firefox/linux", "safari/ios"]
    assert found[1].active == world.clock.now()
    assert found[2].active == world.clock.now() - timedelta(seconds=700)
    assert not await alive(world, idle)


@pytest.mark.clause("ASVS 7.5.2", "P8")
async def test_one_is_ended_once_and_the_others_live(world: World) -> None:
    account = await world.member()
    first, second = await world.sign_in(), await world.sign_in()
    await end(world, account, first.session.session_id)
    assert [await alive(world, one) for one in (first, second)] == [False, True]
    with pytest.raises(Fault) as refused:
        await end(world, account, first.session.session_id)
    assert (refused.value.reason, refused.value.field) == (NOT_FOUND, "session_id")
    async with world.units.read() as store:
        assert [row.session_id for row in await store.revocations.since(0, 9)] == [first.session.session_id]


@pytest.mark.clause("ASVS 8.2.2", "ASVS 7.5.2")
async def test_somebody_elses_session_is_not_there_and_lives_on(world: World) -> None:
    account = await world.member()
    await world.member("bo@example.com")
    others = await world.sign_in("bo@example.com")
    faults = []
    for session in (others.session.session_id, world.ids.new("ses")):
        with pytest.raises(Fault) as refused:
            await end(world, account, session)
        faults.append((refused.value.reason, refused.value.field))
    assert set(faults) == {(NOT_FOUND, "session_id")}
    assert await alive(world, others)


@pytest.mark.clause("ASVS 7.4.3", "P8")
async def test_all_but_one_end_and_then_all_and_nobody_elses(world: World) -> None:
    account = await world.member()
    await world.member("bo@example.com")
    others = await world.sign_in("bo@example.com")
    mine = [await world.sign_in() for _ in range(4)]
    async with world.work() as work:
        assert await own(world).end_others(work, account, mine[2].session.session_id) == 3
    assert [await alive(world, one) for one in mine] == [False, False, True, False]
    async with world.work() as work:
        assert await own(world).end_all(work, account) == 1
    async with world.work() as work:
        assert await own(world).end_all(work, account) == 0
    assert not any([await alive(world, one) for one in mine])
    assert await alive(world, others)
    async with world.units.read() as store:
        revoked = {row.session_id for row in await store.revocations.since(0, 9)}
    assert revoked == {one.session.session_id for one in mine}


async def test_what_is_rolled_back_ends_nothing(world: World) -> None:
    account = await world.member()
    mine = await world.sign_in()

    async def end_and_fail() -> None:
        async with world.work() as work:
            await own(world).end_all(work, account)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await end_and_fail()
    assert await alive(world, mine)
    async with world.units.read() as store:
        assert not await store.revocations.since(0, 9)


async def test_of_parallel_calls_that_end_all_each_session_is_ended_by_one(world: World) -> None:
    account = await world.member()
    mine = [await world.sign_in() for _ in range(3)]

    async def end_all() -> int:
        async with world.work() as work:
            return await own(world).end_all(work, account)

    assert sum(await asyncio.gather(*(end_all() for _ in range(4)))) == len(mine)
