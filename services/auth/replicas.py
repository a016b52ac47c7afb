"""Owns what replicas of auth share beside the database, as configured: activity, counters, and hints to look again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url

from services.auth.config import Config, Hints, Shared, SharedConfig
from services.auth.fanout import NoFanout, PostgresFanout
from services.auth.sql_counters import SqlCounters
from services.auth.sql_ports import SqlActivity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.auth.revocations import Fanout
    from services.auth.sessions import Activity
    from services.auth.throttle import Counters
    from services.kit.clock import Clock
    from services.kit.db import Database


class Replicas:
    """What replicas share beside the database, as configured."""

    activity: Activity
    counters: Counters
    fanout: Fanout

    def __init__(self, config: Config, database: Database, clock: Clock) -> None:
        """Connect to nothing yet."""
        shared, self._clock = config.shared, clock
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self.sql_counters = SqlCounters(database)
        self.activity, self.counters, self.fanout = SqlActivity(database), self.sql_counters, NoFanout()
        if shared.redis_url is not None:
            self._use_redis(shared, shared.redis_url)
        if shared.hints is Hints.POSTGRESQL:
            fanout = PostgresFanout(_conninfo(config))
            self._closers.append(fanout.close)
            self.fanout = fanout

    def _use_redis(self, shared: SharedConfig, url: str) -> None:
        from services.auth import redis_ports  # noqa: PLC0415 - what has no Redis neither loads nor trusts its client

        file = shared.redis_password_file
        client = redis_ports.connect(url, None if file is None else file.read_text("utf-8").strip())
        self._closers.append(client.aclose)
        if shared.activity is Shared.REDIS:
            self.activity = redis_ports.RedisActivity(client)
        if shared.counters is Shared.REDIS:
            self.counters = redis_ports.RedisCounters(client, self.sql_counters, self._clock)
        if shared.hints is Hints.REDIS:
            self.fanout = redis_ports.RedisFanout(client)

    async def close(self) -> None:
        """Give up connections."""
        for close in self._closers:
            await close()


def _conninfo(config: Config) -> str:
    url = make_url(config.database.url).set(drivername="postgresql")
    if config.database.password_file is not None:
        url = url.set(password=config.database.password_file.read_text("utf-8").strip())
    return url.render_as_string(hide_password=False)
