"""Any number of calls at once, with any answers to any challenges: what works once opens one session."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from services.auth import tables
from services.auth.errors import CHALLENGE_NOT_VALID, SECOND_FACTOR_NOT_VALID, THROTTLED
from services.auth.factors.holdings import Factor
from services.auth.factors.steps import Continued
from services.kit.faults import Fault
from tests.unit.auth.factors.member import Member, member
from tests.unit.auth.world import World, world_in

CHALLENGES = 3
CALL = st.tuples(st.integers(0, CHALLENGES - 1), st.sampled_from(["now", "next", "code", "other code", "wrong"]))
"""Which challenge, and what it is answered with."""


async def session_count(world: World) -> int:
    async with world.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(tables.sessions))).scalar_one())


async def run(folder: Path, calls: list[tuple[int, str]]) -> None:
    async with world_in(folder) as world:
        anna = await member(world)
        await anna.enrol_totp()
        asked = [await anna.first_step() for _ in range(CHALLENGES)]
        answers = {
            "now": (Factor.TOTP, anna.code()),
            "next": (Factor.TOTP, anna.code(1)),
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
    if not any(what in ("now", "next") for _, what in won):
        assert held.totp.last_step < anna.world.clock.now().timestamp() // 30


@pytest.mark.clause("ASVS 6.5.1", "ASVS 6.6.2", "P9")
@settings(max_examples=12)
@given(calls=st.lists(CALL, min_size=2, max_size=8))
def test_of_any_calls_at_once_each_challenge_and_each_answer_wins_at_most_once(calls: list[tuple[int, str]]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), calls))
