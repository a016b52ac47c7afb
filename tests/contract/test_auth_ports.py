"""One suite each for activity, counters and fan-out, on every implementation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.auth import tables
from services.auth.fanout import LocalFanout, PostgresFanout
from services.auth.redis_ports import RedisActivity, RedisCounters, RedisFanout, connect
from services.auth.revocations import Fanout, FanoutLost
from services.auth.sessions import Activity, ActivityLost
from services.auth.sql_ports import SqlActivity, SqlCounters
from services.auth.throttle import Counters
from services.kit.clock import SystemClock
from services.kit.db import Database, DatabaseConfig
from services.kit.faults import UNAVAILABLE, Fault
from services.kit.migrate import migrate

MIGRATIONS = Path(tables.__file__).parent / "migrations"
STORES = ["sqlite", "postgresql", "redis"]
NOW = SystemClock().now()  # Redis forgets on its own clock
TICK = timedelta(microseconds=1)
SOON = NOW + timedelta(seconds=900)


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database | Redis]:
    """Where things are kept."""
    if request.param == "redis":
        client = Redis.from_url(request.getfixturevalue("redis_url"))
        yield client
        await client.aclose()
        return
    sqlite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path}/auth.db" if sqlite else request.getfixturevalue("postgres_url")
    await asyncio.to_thread(migrate, MIGRATIONS, DatabaseConfig(url))
    database = Database(DatabaseConfig(url))
    yield database
    await database.close()


@pytest.fixture
def activity(store: Database | Redis) -> Activity:
    """Each implementation."""
    return RedisActivity(store) if isinstance(store, Redis) else SqlActivity(store)


@pytest.fixture
def counters(store: Database | Redis) -> Counters:
    """Each implementation."""
    return RedisCounters(store) if isinstance(store, Redis) else SqlCounters(store)


async def test_nothing_is_known_of_a_session_never_touched(activity: Activity) -> None:
    assert await activity.last("ses_a") is None


async def test_the_last_activity_is_kept_to_the_microsecond(activity: Activity) -> None:
    await activity.touch("ses_a", NOW)
    await activity.touch("ses_b", NOW + TICK)
    assert (await activity.last("ses_a"), await activity.last("ses_b")) == (NOW, NOW + TICK)


async def test_activity_never_moves_backwards_in_whatever_order_it_arrives(activity: Activity) -> None:
    times = [NOW + timedelta(seconds=number * 7 % 11) for number in range(11)]
    await asyncio.gather(*(activity.touch("ses_a", time) for time in times))
    assert await activity.last("ses_a") == max(times)
    await activity.touch("ses_a", NOW)
    assert await activity.last("ses_a") == max(times)


async def test_each_hit_is_counted_once_however_many_at_a_time(counters: Counters) -> None:
    results = await asyncio.gather(*(counters.hit(["x"], [SOON]) for _ in range(20)))
    assert sorted(count for (count,) in results) == list(range(1, 21))


async def test_buckets_are_counted_together_in_any_order(counters: Counters) -> None:
    await asyncio.gather(*(counters.hit(["x", "y"], [SOON, SOON]) for _ in range(5)))
    await asyncio.gather(*(counters.hit(["y", "x"], [SOON, SOON]) for _ in range(5)))
    await counters.hit(["y"], [SOON])
    assert list(await counters.hit(["x", "y"], [SOON, SOON])) == [11, 12]


async def test_what_is_forgiven_is_not_counted_and_never_below_nothing(counters: Counters) -> None:
    await counters.hit(["x"], [SOON])
    await counters.hit(["x"], [SOON])
    await counters.forgive(["x", "never"])
    assert list(await counters.hit(["x"], [SOON])) == [2]
    for _ in range(5):
        await counters.forgive(["x"])
    assert list(await counters.hit(["x", "never"], [SOON, SOON])) == [1, 1]


@pytest.fixture(params=["local", "postgresql", "redis"])
async def fanouts(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Fanout, Fanout]]:
    """Two replicas' ends of each implementation."""
    if request.param == "local":
        one = LocalFanout()
        yield one, one
    elif request.param == "postgresql":
        conninfo = request.getfixturevalue("postgres_url").replace("+psycopg", "")
        first, second = PostgresFanout(conninfo), PostgresFanout(conninfo)
        yield first, second
        await first.close()
        await second.close()
    else:
        clients = [connect(request.getfixturevalue("redis_url"), None) for _ in range(2)]
        yield RedisFanout(clients[0]), RedisFanout(clients[1])
        for client in clients:
            await client.aclose()


async def heard(hints: AsyncIterator[None], publish: Callable[[], object]) -> None:
    """Wait for a hint, giving it again while the listener may not have begun to listen."""
    waiting = asyncio.ensure_future(anext(hints))
    for _ in range(50):
        await publish()  # type: ignore[misc]
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), 0.1)
            return
    pytest.fail("no hint arrived")


@pytest.mark.clause("P8")
async def test_every_replica_hears_a_hint_and_the_next_one(fanouts: tuple[Fanout, Fanout]) -> None:
    mine, other = fanouts
    streams = [mine.hints(), other.hints()]
    for hints in streams:
        await heard(hints, mine.publish)
    await asyncio.sleep(1.2)  # silence is no loss
    await heard(streams[1], mine.publish)
    for hints in streams:
        await hints.aclose()  # type: ignore[attr-defined]


async def test_without_redis_activity_is_lost_trying_waits_and_hints_are_missed() -> None:
    client = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    with pytest.raises(ActivityLost):
        await RedisActivity(client).touch("ses_a", NOW)
    with pytest.raises(ActivityLost):
        await RedisActivity(client).last("ses_a")
    with pytest.raises(Fault) as refused:
        await RedisCounters(client).hit(["x"], [SOON])
    assert refused.value.reason is UNAVAILABLE
    await RedisCounters(client).forgive(["x"])
    await RedisFanout(client).publish()
    with pytest.raises(FanoutLost):
        await anext(RedisFanout(client).hints())
    await client.aclose()


async def test_without_postgresql_hints_are_missed_and_that_is_said() -> None:
    fanout = PostgresFanout("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    await fanout.publish()
    with pytest.raises(FanoutLost):
        await anext(fanout.hints())


async def test_redis_is_given_ids_and_hashes_to_keep_for_a_while(redis_url: str) -> None:
    client = Redis.from_url(redis_url)
    await RedisActivity(client).touch("ses_a", NOW)
    await RedisCounters(client).hit(["bucket"], [SOON])
    keys = sorted(await client.keys("*"))
    assert keys == [b"valv:auth:activity:ses_a", b"valv:auth:counter:bucket"]
    assert 1800 < await client.ttl(keys[0]) <= 1860
    assert 0 < await client.ttl(keys[1]) <= 960
    await client.aclose()
