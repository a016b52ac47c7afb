"""Owns what Redis may hold for auth: activity, counters and hints. None of it is the only copy of what matters.

Losing any of it can only end sessions earlier. Keys bear ids and keyed hashes, never an address.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.auth.revocations import FanoutLost
from services.auth.sessions import MAX_IDLE, ActivityLost
from services.auth.sql_times import from_microseconds, microseconds
from services.auth.throttle import Taken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from services.auth.throttle import Bucket, Counters
    from services.kit.clock import Clock

_ACTIVITY = "valv:auth:activity:"
_COUNTER = "valv:auth:counter:"
_HINTS = "valv:auth:revocations"
_SLACK = timedelta(seconds=60)
_SECONDS = 1.0
_AWAY_SECONDS = 5.0
_SILENCE_SECONDS = 30.0
_TOUCH = """
local last = redis.call('GET', KEYS[1])
if not last or tonumber(ARGV[1]) > tonumber(last) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
"""
_TAKE = """
local full = {}
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i - 1]) then full[#full + 1] = i end
end
if #full == 0 then
  for i, key in ipairs(KEYS) do
    redis.call('INCR', key)
    redis.call('PEXPIREAT', key, ARGV[2 * i])
  end
end
return full
"""
_FORGIVE = """
for _, key in ipairs(KEYS) do
  local hits = redis.call('GET', key)
  if hits and tonumber(hits) > 0 then redis.call('DECR', key) end
end
"""


def connect(url: str, password: str | None) -> Redis:
    """Return a client that gives up after a second; nothing connects yet."""
    return Redis.from_url(url, password=password, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)


class RedisActivity:
    """The last recorded activity of sessions."""

    beside_sessions = False

    def __init__(self, redis: Redis) -> None:
        """Take the client."""
        self._redis = redis
        self._touch = redis.register_script(_TOUCH)

    async def touch(self, session_id: str, now: datetime) -> None:
        """Record activity; an older time than the one recorded changes nothing."""
        kept = (MAX_IDLE + _SLACK) // timedelta(milliseconds=1)
        try:
            await self._touch(keys=[_ACTIVITY + session_id], args=[microseconds(now), kept])
        except (RedisError, OSError) as error:
            raise ActivityLost from error

    async def last(self, session_id: str) -> datetime | None:
        """Return the last recorded activity."""
        try:
            found = await self._redis.get(_ACTIVITY + session_id)
        except (RedisError, OSError) as error:
            raise ActivityLost from error
        return None if found is None else from_microseconds(int(found))


class RedisCounters:
    """Counters. While Redis is away those in ``spare`` are used, and Redis is left alone for some seconds."""

    def __init__(self, redis: Redis, spare: Counters, clock: Clock) -> None:
        """Take the client, and counters that do not need it."""
        self._take, self._forgive = redis.register_script(_TAKE), redis.register_script(_FORGIVE)
        self._spare, self._clock = spare, clock
        self._away_until = float("-inf")

    async def take(self, buckets: Sequence[Bucket]) -> Taken:
        """Count one in each bucket if none of them is full. Raises what the spare counters raise."""
        if self._clock.monotonic() < self._away_until or not buckets:
            return await self._spare.take(buckets)
        limits = [(bucket.limit, microseconds(bucket.expires + _SLACK) // 1000) for bucket in buckets]
        try:
            full: list[int] = await self._take(
                keys=[_COUNTER + bucket.name for bucket in buckets], args=[number for pair in limits for number in pair]
            )
        except (RedisError, OSError):
            self._away_until = self._clock.monotonic() + _AWAY_SECONDS
            return await self._spare.take(buckets)
        return Taken(frozenset(buckets[number - 1].name for number in full), self)

    async def forgive(self, names: Sequence[str]) -> None:
        """Take one back from each bucket; a count never goes below 0. When Redis is away they stay counted there."""
        try:
            await self._forgive(keys=[_COUNTER + name for name in names])
        except (RedisError, OSError):
            self._away_until = self._clock.monotonic() + _AWAY_SECONDS


class RedisFanout:
    """Hints over publish/subscribe."""

    def __init__(self, redis: Redis) -> None:
        """Take the client."""
        self._redis = redis

    async def publish(self) -> None:
        """Give a hint; when Redis is away the others find out by reading."""
        try:
            await self._redis.publish(_HINTS, b"")
        except (RedisError, OSError):
            return

    async def hints(self) -> AsyncIterator[None]:
        """Yield at each hint. Raises FanoutLost."""
        try:
            async with self._redis.pubsub() as subscription:
                await subscription.subscribe(_HINTS)
                while True:
                    message = await subscription.get_message(ignore_subscribe_messages=True, timeout=_SILENCE_SECONDS)
                    if message is not None:
                        yield
        except (RedisError, OSError) as error:
            raise FanoutLost from error
