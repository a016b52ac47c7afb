"""Any number of calls at once, on SQLite and PostgreSQL: of whatever works once, one call wins and nobody hangs.

Hypothesis chooses who comes when and with what; each example has tables of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from services.auth import email_address, tables
from services.auth.arrivals import Visitor
from services.auth.email_changes import Moved
from services.auth.errors import CHALLENGE_NOT_VALID, SECOND_FACTOR_NOT_VALID, THROTTLED, TOKEN_NOT_VALID
from services.auth.factors.holdings import Factor
from services.auth.factors.steps import Continued
from services.kit.db import Database, DatabaseConfig
from services.kit.faults import Fault
from services.kit.secret import Secret
from tests.unit.auth.factors.member import Member, member
from tests.unit.auth.world import EMAIL, HOME, Trail, World, world_in

NEW = "anna@example.net"
CHALLENGES = 3
CALL = st.tuples(st.integers(0, CHALLENGES - 1), st.sampled_from(["now", "code", "other code", "wrong"]))
"""Which challenge, and what it is answered with."""
RACERS = st.integers(2, 6)
DELAYS = st.lists(st.integers(0, 3), min_size=6, max_size=6)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Each database; SQLite is made anew in a folder."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@asynccontextmanager
async def fresh(url: str) -> AsyncIterator[World]:
    """A world without a past, for one example."""
    if url:
        database = Database(DatabaseConfig(url))
        async with database.write() as connection:
            await connection.run_sync(tables.metadata.create_all)
            for table in reversed(tables.metadata.sorted_tables):
                await connection.execute(table.delete())
        await database.close()
    with TemporaryDirectory() as folder:
        async with world_in(Path(folder), url=url) as world:
            yield world


async def late(delay: int, call: Awaitable[object]) -> object:
    await asyncio.sleep(delay / 500)
    return await call


async def session_count(world: World) -> int:
    async with world.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(tables.sessions))).scalar_one())


async def answer(url: str, calls: list[tuple[int, str]]) -> None:
    async with fresh(url) as world:
        anna = await member(world)
        await anna.enrol_totp()
        asked = [await anna.first_step() for _ in range(CHALLENGES)]
        answers = {
            "now": (Factor.TOTP, anna.code()),
            "code": (Factor.RECOVERY_CODE, anna.codes[0]),
            "other code": (Factor.RECOVERY_CODE, anna.codes[1]),
            "wrong": (Factor.TOTP, anna.code(9)),
        }
        before = await session_count(world)
        results = await asyncio.gather(
            *(anna.proceed(asked[which].challenge, *answers[what]) for which, what in calls), return_exceptions=True
        )
        won = [call for call, result in zip(calls, results, strict=True) if isinstance(result, Continued)]
        assert await session_count(world) - before == len(won)
        assert max(Counter(which for which, _ in won).values(), default=0) <= 1
        assert max(Counter(what for _, what in won).values(), default=0) <= 1
        assert "wrong" not in {what for _, what in won}
        lost = {result.reason for result in results if isinstance(result, Fault)}
        assert lost <= {CHALLENGE_NOT_VALID, SECOND_FACTOR_NOT_VALID, THROTTLED}
        assert len(won) + sum(isinstance(result, Fault) for result in results) == len(calls)
        await nothing_more(anna, won)


async def nothing_more(anna: Member, won: list[tuple[int, str]]) -> None:
    """What was used up is gone, and what nobody used is still there."""
    used = sum(what.endswith("code") for _, what in won)
    held = await anna.held()
    assert held.recovery_codes == 10 - used
    assert held.totp is not None
    if not any(what == "now" for _, what in won):
        assert held.totp.last_step < anna.world.clock.now().timestamp() // 30


@pytest.mark.clause("ASVS 6.5.1", "ASVS 6.6.2", "P9")
def test_of_any_calls_at_once_each_challenge_and_each_answer_wins_at_most_once(url: str) -> None:
    @settings(max_examples=8)
    @given(calls=st.lists(CALL, min_size=2, max_size=8))
    def holds(calls: list[tuple[int, str]]) -> None:
        asyncio.run(answer(url, calls))

    holds()


@pytest.mark.clause("ASVS 6.5.1")
def test_of_racing_resets_one_wins(url: str) -> None:
    async def race(racers: int, delays: list[int]) -> None:
        async with fresh(url) as world:
            await world.member()
            async with world.work() as work:
                await world.changes.recover(work, Trail(), email_address.parse(EMAIL), Visitor(HOME, "curl"))
            token = await world.mailed_token()
            wanted = [f"keeper {n} counts {n} slow green waves" for n in range(racers)]
            calls = (late(delay, reset(world, token, new)) for delay, new in zip(delays, wanted, strict=False))
            results = await asyncio.gather(*calls, return_exceptions=True)
            won = [new for new, result in zip(wanted, results, strict=True) if result is None]
            assert len(won) == 1
            assert lost(results) == {TOKEN_NOT_VALID}
            await world.sign_in(password=won[0])

    @settings(max_examples=5)
    @given(racers=RACERS, delays=DELAYS)
    def holds(racers: int, delays: list[int]) -> None:
        asyncio.run(race(racers, delays))

    holds()


async def reset(world: World, token: str, new: str) -> None:
    async with world.work() as work:
        await world.changes.reset(work, Trail(), Secret(token), Secret(new))


@pytest.mark.clause("ASVS 6.5.1")
def test_of_racing_changes_of_address_one_wins(url: str) -> None:
    """Of one link, or of the links of two accounts that want the same address."""

    async def race(racers: int, accounts: int, delays: list[int]) -> None:
        async with fresh(url) as world:
            rivals = [await wanting(world, f"rival{number}@example.com") for number in range(accounts)]
            calls = (late(delays[n], move(world, *rivals[n % accounts])) for n in range(racers))
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert sum(isinstance(result, Moved) for result in results) == 1
            assert lost(results) == {TOKEN_NOT_VALID}
            await world.sign_in(NEW)

    @settings(max_examples=5)
    @given(racers=RACERS, accounts=st.integers(1, 2), delays=DELAYS)
    def holds(racers: int, accounts: int, delays: list[int]) -> None:
        asyncio.run(race(racers, accounts, delays))

    holds()


async def wanting(world: World, email: str) -> tuple[str, str]:
    """Return a member who wants the new address, and the token that was mailed there."""
    account = await world.member(email)
    async with world.work() as work:
        await world.emails.begin(work, account, email_address.parse(NEW))
    world.server.taken.clear()
    while await world.courier.step():
        pass
    (mail,) = [mail for mail in world.server.taken if mail["To"] == NEW]
    part = mail.get_body(("plain",))
    assert part is not None
    return account, str(part.get_content()).partition("/confirm-change#token=")[2].split()[0]


async def move(world: World, account: str, token: str) -> Moved:
    async with world.work() as work:
        return await world.emails.confirm(work, account, "", Secret(token))


def lost(results: list[object]) -> set[object]:
    """Return why the others were refused; whatever is no refusal is an error of ours."""
    faults: set[object] = {result.reason for result in results if isinstance(result, Fault)}
    assert [result for result in results if isinstance(result, BaseException) and not isinstance(result, Fault)] == []
    return faults
