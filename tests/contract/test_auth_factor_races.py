"""The whole of a second step, raced on SQLite and PostgreSQL: one wins, the others are refused, nobody hangs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.auth.errors import CHALLENGE_NOT_VALID, PASSWORD_REQUIRED, SECOND_FACTOR_NOT_VALID
from services.auth.factors.holdings import Factor
from services.auth.factors.steps import Continued, Next
from services.kit.faults import SESSION_ENDED, Fault
from tests.unit.auth.factors.member import VISITOR, Member, member
from tests.unit.auth.world import world_in

RACERS = 4


@pytest.fixture(params=["sqlite", "postgresql"])
async def anna(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Member]:
    """Anna with an authenticator app, on each database."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    async with world_in(tmp_path, url=url) as world:
        made = await member(world)
        await made.enrol_totp()
        yield made


def outcomes(results: list[object]) -> tuple[int, Counter[str]]:
    """How many sessions were opened, and why the others were not; whatever is no refusal is an error of ours."""
    strays = [result for result in results if not isinstance(result, Continued | Fault)]
    assert strays == []
    faults = Counter(result.reason.name for result in results if isinstance(result, Fault))
    return sum(isinstance(result, Continued) for result in results), faults


@pytest.mark.clause("ASVS 6.5.1", "NIST 800-63B-4 3.1.4")
@pytest.mark.parametrize("factor", [Factor.TOTP, Factor.RECOVERY_CODE])
async def test_one_answer_to_several_challenges_opens_one_session(anna: Member, factor: Factor) -> None:
    asked = [await anna.first_step() for _ in range(RACERS)]
    value = anna.code() if factor is Factor.TOTP else anna.codes[0]
    calls = (anna.proceed(one.challenge, factor, value) for one in asked)
    won, lost = outcomes(await asyncio.gather(*calls, return_exceptions=True))
    assert (won, lost) == (1, {SECOND_FACTOR_NOT_VALID.name: RACERS - 1})


@pytest.mark.clause("ASVS 6.5.1", "ASVS 6.6.2")
async def test_several_answers_to_one_challenge_open_one_session(anna: Member) -> None:
    asked = await anna.first_step()
    calls = (anna.proceed(asked.challenge, Factor.RECOVERY_CODE, code) for code in anna.codes[:RACERS])
    won, lost = outcomes(await asyncio.gather(*calls, return_exceptions=True))
    assert (won, lost) == (1, {CHALLENGE_NOT_VALID.name: RACERS - 1})
    assert (await anna.held()).recovery_codes == 9


@pytest.mark.clause("ASVS 7.4.3", "P8")
async def test_sign_ins_and_changes_at_once_neither_hang_nor_fail(anna: Member) -> None:
    """A session either opens before the change, and ends with it, or its challenge is gone."""
    for round_ in range(4):
        anna.world.clock.advance(60)
        asked = [await anna.first_step() for _ in range(2)]
        answers = ((Factor.TOTP, anna.code()), (Factor.RECOVERY_CODE, anna.codes[round_]))
        calls = [anna.proceed(one.challenge, *answer) for one, answer in zip(asked, answers, strict=True)]
        results = await asyncio.gather(*calls, anna.enrol_passkey(), return_exceptions=True)
        _, lost = outcomes(list(results[:2]))
        assert set(lost) <= {CHALLENGE_NOT_VALID.name}
        assert not isinstance(results[2], BaseException)
        for result in results[:2]:
            if isinstance(result, Continued):
                await has_ended(anna, result.arrived.session.session_id)


async def has_ended(anna: Member, session_id: str) -> None:
    async with anna.world.units.read() as store:
        session = await store.sessions.get(session_id)
    assert session is not None
    assert session.ended is not None


async def test_removing_both_factors_at_once_leaves_one(anna: Member) -> None:
    passkey = await anna.enrol_passkey()
    results = await asyncio.gather(anna.remove_totp(), anna.remove_passkey(passkey.passkey_id), return_exceptions=True)
    assert [result.reason for result in results if isinstance(result, Fault)] == [PASSWORD_REQUIRED]
    assert (await anna.held()).has_second


async def test_of_step_ups_from_one_session_one_replaces_it(anna: Member) -> None:
    async def again() -> Continued:
        async with anna.world.work() as work:
            store = await work.write()
            asked = await anna.world.factors.steps.after_password(store, anna.account_id, VISITOR, anna.session_id)
        assert isinstance(asked, Next)
        return await anna.proceed(asked.challenge, Factor.RECOVERY_CODE, anna.codes.pop())

    won, lost = outcomes(await asyncio.gather(*(again() for _ in range(RACERS)), return_exceptions=True))
    assert (won, lost) == (1, {SESSION_ENDED.name: RACERS - 1})
