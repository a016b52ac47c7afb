"""One suite each for activity, counters and fan-out, on every implementation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.auth import tables
from services.auth.fanout import PostgresFanout
from services.auth.redis_ports import RedisActivity, RedisCounters, RedisFanout, connect
from services.auth.revocations import Fanout, FanoutLost
from services.auth.sessions import Activity, ActivityLost
from services.auth.sql_counters import SqlCounters
from services.auth.sql_ports import SqlActivity, SqlUpkeep
from services.auth.throttle import Bucket, Counters
from services.kit.clock import SystemClock
from services.kit.db import Database, DatabaseConfig
from services.kit.migrate import migrate
from tests.support.clock import FakeClock
from tests.support.counters import MemoryCounters

MIGRATIONS = Path(tables.__file__).parent / "migrations"
STORES = ["sqlite", "postgresql", "redis"]
NOW = SystemClock().now()  # Redis forgets on its own clock
TICK = timedelta(microseconds=1)
SOON = NOW + timedelta(seconds=900)


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database | Redis]:
    """Where things are kept."""
    async with opened(request, request.param, tmp_path) as made:
        yield made


@asynccontextmanager
async def opened(request: pytest.FixtureRequest, kind: str, folder: Path) -> AsyncIterator[Database | Redis]:
    """Open one of the stores."""
    if kind == "redis":
        client = Redis.from_url(request.getfixturevalue("redis_url"))
        yield client
        await client.aclose()
        return
    url = f"sqlite+aiosqlite:///{folder}/auth.db" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    await asyncio.to_thread(migrate, MIGRATIONS, DatabaseConfig(url))
    database = Database(DatabaseConfig(url))
    yield database
    await database.close()


@pytest.fixture
def activity(store: Database | Redis) -> Activity:
    """Each implementation."""
    return RedisActivity(store) if isinstance(store, Redis) else SqlActivity(store)


@pytest.fixture(params=[*STORES, "memory"])
async def counters(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Counters]:
    """Each implementation, and the tests' own."""
    if request.param == "memory":
        yield MemoryCounters()
        return
    async with opened(request, request.param, tmp_path) as store:
        yield RedisCounters(store, MemoryCounters(), SystemClock()) if isinstance(store, Redis) else SqlCounters(store)


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


def bucket(name: str, limit: int = 1000) -> Bucket:
    return Bucket(name, limit, SOON)


async def room_in(counters: Counters, name: str) -> int:
    """Return how many fit in a bucket that holds 100 in all, filling it."""
    for number in range(101):
        if (await counters.take([bucket(name, 100)])).full:
            return number
    raise AssertionError("it has no bound")


@pytest.mark.clause("ASVS 6.3.1", "NIST 800-63B-4 3.2.2")
async def test_of_many_at_once_exactly_as_many_fit_as_the_limit_says(counters: Counters) -> None:
    results = await asyncio.gather(*(counters.take([bucket("x", 7)]) for _ in range(20)))
    assert sorted(len(result.full) for result in results) == [0] * 7 + [1] * 13


async def test_buckets_are_counted_together_in_any_order(counters: Counters) -> None:
    await asyncio.gather(*(counters.take([bucket("x"), bucket("y")]) for _ in range(5)))
    await asyncio.gather(*(counters.take([bucket("y"), bucket("x")]) for _ in range(5)))
    await counters.take([bucket("y")])
    assert [await room_in(counters, name) for name in ("x", "y")] == [90, 89]


async def test_what_finds_one_bucket_full_is_counted_in_none(counters: Counters) -> None:
    await counters.take([bucket("full", 1)])
    for _ in range(3):
        refused = await counters.take([bucket("open"), bucket("full", 1), bucket("other")])
        assert refused.full == {"full"}
    assert await room_in(counters, "open") == await room_in(counters, "other") == 100


async def test_what_is_forgiven_is_not_counted_and_never_below_nothing(counters: Counters) -> None:
    for _ in range(2):
        await counters.take([bucket("x")])
    await counters.forgive(["x", "never"])
    assert await room_in(counters, "x") == 99
    for _ in range(105):
        await counters.forgive(["x"])
    assert await room_in(counters, "x") == await room_in(counters, "never") == 100


async def test_the_store_that_counted_is_the_one_named(counters: Counters) -> None:
    taken = await counters.take([bucket("x")])
    assert taken.counters is counters
    assert not (await counters.take([])).full


@pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
async def test_a_series_grows_and_begins_again_only_when_it_is_cleared(store: Database) -> None:
    series = SqlCounters(store)
    assert await series.count("x") == 0
    for _ in range(3):
        await series.add("x", datetime(9999, 1, 1, tzinfo=UTC))
    await series.add("y", SOON)
    assert [await series.count(name) for name in ("x", "y")] == [3, 1]
    await SqlUpkeep(store).sweep(SOON + timedelta(days=4000))
    assert [await series.count(name) for name in ("x", "y")] == [3, 0]
    await series.clear("x")
    assert await series.count("x") == 0


@pytest.fixture(params=["postgresql", "redis"])
async def fanouts(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Fanout, Fanout]]:
    """Two replicas' ends of each implementation."""
    if request.param == "postgresql":
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
        await publish()  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
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
        await hints.aclose()  # type: ignore[attr-defined]  # the concrete object has it


async def test_without_redis_activity_is_lost_and_hints_are_missed() -> None:
    client = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    with pytest.raises(ActivityLost):
        await RedisActivity(client).touch("ses_a", NOW)
    with pytest.raises(ActivityLost):
        await RedisActivity(client).last("ses_a")
    await RedisFanout(client).publish()
    with pytest.raises(FanoutLost):
        await anext(RedisFanout(client).hints())
    await client.aclose()


async def test_without_redis_counting_goes_on_elsewhere() -> None:
    away = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    counters = RedisCounters(away, MemoryCounters(), FakeClock())
    results = [await counters.take([bucket("x", 2)]) for _ in range(3)]
    assert [len(result.full) for result in results] == [0, 0, 1]
    await results[0].counters.forgive(["x"])
    assert not (await counters.take([bucket("x", 2)])).full
    await counters.forgive(["x"])  # what Redis counted before it went away stays counted there
    await away.aclose()


async def test_redis_is_left_alone_for_some_seconds_after_it_was_away() -> None:
    clock, spare = FakeClock(), MemoryCounters()
    connections: list[object] = []

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = connect(f"redis://127.0.0.1:{port}", None)
    counters = RedisCounters(client, spare, clock)
    await counters.take([bucket("x")])
    tried = len(connections)
    assert tried > 0
    for _ in range(3):
        await counters.take([bucket("x")])
    assert (len(connections), spare.counts) == (tried, {"x": 4})
    clock.advance(5.0)
    await counters.take([bucket("x")])
    assert len(connections) > tried
    server.close()
    await client.aclose()


async def test_without_postgresql_hints_are_missed_and_that_is_said() -> None:
    fanout = PostgresFanout("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    await fanout.publish()
    with pytest.raises(FanoutLost):
        await anext(fanout.hints())


async def test_redis_is_given_ids_and_hashes_to_keep_for_a_while(redis_url: str) -> None:
    client = Redis.from_url(redis_url)
    await RedisActivity(client).touch("ses_a", NOW)
    await RedisCounters(client, MemoryCounters(), SystemClock()).take([bucket("bucket")])
    keys = sorted(await client.keys("*"))
    assert keys == [b"valv:auth:activity:ses_a", b"valv:auth:counter:bucket"]
    assert 1800 < await client.ttl(keys[0]) <= 1860
    assert 0 < await client.ttl(keys[1]) <= 960
    await client.aclose()
