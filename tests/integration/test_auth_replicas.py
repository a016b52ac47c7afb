"""Two replicas of auth on one database: one suite with and without Redis, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.integration.auth_stage import Edge, Mailbox, Stage, edge, mail_server, refusal
from tests.support.pki import Pki
from tests.support.servers import Servers
from valv.auth.v1 import account_pb2, security_pb2, security_pb2_grpc

EMAIL = "anna@example.com"
ENDED = (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
SHARED_SECRETS = ("pepper.toml", "signing.json", "root.key")
TOLD_SECONDS = 0.5
"""Between replicas, with each reading the rows every 100 ms at the latest; two processes share a busy machine."""


@dataclass
class Pair:
    """Two replicas, as the edge sees them, and the Redis between them if there is one."""

    one: Edge
    two: Edge
    first: grpc.aio.Channel
    second: grpc.aio.Channel
    redis: ExitStack
    with_redis: bool
    mailbox: Mailbox

    def security(self, channel: grpc.aio.Channel) -> Any:
        """The stub of a replica; its types know only the blocking kind."""
        return security_pb2_grpc.SecurityServiceStub(channel)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The database that both share."""
    sqlite = f"sqlite+aiosqlite:///{tmp_path}/auth.db"
    return sqlite if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sql", "redis"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path, database: str, servers: Servers) -> AsyncIterator[Pair]:
    """Two replicas, serving."""
    mailbox = Mailbox()
    with ExitStack() as redis:
        shared = 'shared = { hints = "postgresql" }' if database.startswith("postgresql") else ""
        if request.param == "redis":
            url = await asyncio.to_thread(redis.enter_context, servers.valkey())
            shared = f'shared = {{ activity = "redis", counters = "redis", hints = "redis", redis_url = "{url}" }}'
        async with mail_server(mailbox) as port, AsyncExitStack() as stack:
            stages = [
                await stack.enter_async_context(_replica(tmp_path, name, port, database, shared)) for name in "ab"
            ]
            one, two = [await stack.enter_async_context(edge(stage)) for stage in stages]
            first, second = [await stack.enter_async_context(stage.channel("envoy")) for stage in stages]
            yield Pair(one, two, first, second, redis, request.param == "redis", mailbox)


@asynccontextmanager
async def _replica(folder: Path, name: str, mail: int, database: str, shared: str) -> AsyncIterator[Stage]:
    home = folder / name
    home.mkdir()
    if name != "a":
        for secret in SHARED_SECRETS:
            shutil.copy(folder / "a" / secret, home / secret)
    stage = Stage(home, Pki(home), mail, database, shared)
    await stage.start()
    try:
        yield stage
    finally:
        assert await stage.stop() == 0


async def member(pair: Pair) -> None:
    await pair.one.sign_up(EMAIL)
    await pair.two.confirm(await pair.mailbox.token(EMAIL))


async def refused_within(browser: Edge, metadata: Any, seconds: float) -> bool:
    """Whether a replica that was not asked to end a session refuses its assertion within that time."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            await browser.accounts.GetSession(account_pb2.GetSessionRequest(), metadata=metadata)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED  # noqa: PT017 - either outcome is expected here
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.clause("P8", "ASVS 7.4.1", "ASVS 7.5.2")
async def test_what_one_opens_the_other_knows_and_what_one_ends_the_other_refuses(pair: Pair) -> None:
    await member(pair)
    mine, other = await pair.one.sign_in(EMAIL), await pair.two.sign_in(EMAIL)
    there = await pair.two.renew(mine)
    here = await pair.one.renew(other)
    listed = await pair.security(pair.second).ListSessions(
        security_pb2.ListSessionsRequest(), metadata=pair.two.with_(there.assertion)
    )
    assert {one.session_id for one in listed.sessions} == {there.session_id, here.session_id}
    await pair.security(pair.first).EndSession(
        security_pb2.EndSessionRequest(session_id=there.session_id), metadata=pair.one.with_(here.assertion)
    )
    assert await refusal(lambda: pair.two.renew(mine)) == ENDED
    assert await refused_within(pair.two, pair.two.with_(there.assertion), TOLD_SECONDS)
    assert (await pair.two.renew(other)).session_id == here.session_id


@pytest.mark.clause("P7", "P8")
async def test_losing_redis_ends_sessions_early_at_most(pair: Pair) -> None:
    """Without one there is nothing to lose, and the same must hold."""
    await member(pair)
    kept, ended = await pair.one.sign_in(EMAIL), await pair.two.sign_in(EMAIL)
    await asyncio.sleep(0.3)
    before = await pair.one.renew(kept)
    gone = await pair.two.renew(ended)
    await pair.one.accounts.SignOut(account_pb2.SignOutRequest(), metadata=pair.one.with_(gone.assertion))
    await asyncio.to_thread(pair.redis.close)
    after = await pair.two.renew(kept)
    assert after.session_id == before.session_id
    if pair.with_redis:
        assert after.ends.ToNanoseconds() <= before.ends.ToNanoseconds()
    for browser in (pair.one, pair.two):
        assert await refusal(lambda: browser.renew(ended)) == ENDED  # noqa: B023 - awaited before the loop goes on
    await pair.two.accounts.SignOut(account_pb2.SignOutRequest(), metadata=pair.two.with_(after.assertion))
    for browser in (pair.one, pair.two):
        assert await refusal(lambda: browser.renew(kept)) == ENDED  # noqa: B023 - awaited before the loop goes on
    assert await refused_within(pair.one, pair.one.with_(before.assertion), TOLD_SECONDS)
    assert (await pair.one.renew(await pair.two.sign_in(EMAIL))).session_id


@pytest.mark.clause("ASVS 6.5.1")
async def test_of_two_replicas_that_race_for_a_link_one_wins(pair: Pair) -> None:
    await pair.one.sign_up(EMAIL)
    token = await pair.mailbox.token(EMAIL)
    results = await asyncio.gather(
        *(browser.confirm(token) for browser in (pair.one, pair.two) * 3), return_exceptions=True
    )
    assert sum(result is None for result in results) == 1
    await pair.two.sign_in(EMAIL)
