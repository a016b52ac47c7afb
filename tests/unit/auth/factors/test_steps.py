"""Signing in by steps: challenges, what strangers learn, and signing in anew from within a session."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import select

from services.auth import tables
from services.auth.arrivals import Arrived, Visitor
from services.auth.errors import (
    BAD_CREDENTIALS,
    CHALLENGE_NOT_VALID,
    PASSKEY_REQUIRED,
    SECOND_FACTOR_NOT_VALID,
    THROTTLED,
)
from services.auth.factors.challenges import ATTEMPTS
from services.auth.factors.holdings import Factor
from services.auth.factors.steps import Continued, Next
from services.kit.faults import SESSION_ENDED, Fault
from services.kit.secret import Secret
from tests.support.authenticator import Authenticator
from tests.unit.auth.factors.member import VISITOR, Member, member, reason
from tests.unit.auth.world import HOME, PASSWORD, URL, Trail, sha256

WRONG = "another lighthouse, another keeper"


async def again(anna: Member, password: str = PASSWORD) -> Arrived | Next:
    async with anna.world.work() as work:
        return await anna.world.accounts.sign_in_again(
            work, anna.account_id, anna.session_id, Secret(password), VISITOR
        )


async def again_by_passkey(anna: Member) -> Next:
    async with anna.world.work() as work:
        return await anna.world.factors.steps.passkey_again(work, anna.account_id, anna.session_id)


async def alive(anna: Member, session_id: str) -> bool:
    async with anna.world.units.read() as store:
        session = await store.sessions.get(session_id)
    assert session is not None
    return session.ended is None


@pytest.mark.clause("ASVS 6.3.8", "P9")
async def test_only_who_knows_the_password_learns_that_there_is_more(anna: Member) -> None:
    await member(anna.world, "bo@example.com")
    await anna.enrol_totp()
    for email in (anna.email, "bo@example.com", "nobody@example.com"):
        assert await reason(anna.world.first_step(email, WRONG)) is BAD_CREDENTIALS
    assert isinstance(await anna.world.first_step("bo@example.com"), Arrived)
    assert isinstance(await anna.world.first_step(anna.email), Next)


async def test_the_password_alone_opens_no_session(anna: Member) -> None:
    await anna.enrol_totp()
    async with anna.world.database.read() as connection:
        before = len((await connection.execute(select(tables.sessions))).all())
    await anna.first_step()
    async with anna.world.database.read() as connection:
        assert len((await connection.execute(select(tables.sessions))).all()) == before


async def test_the_session_that_the_request_carried_dies_when_the_new_one_opens(anna: Member) -> None:
    await anna.enrol_totp()
    first = await anna.sign_in(Factor.TOTP, anna.code())
    anna.world.clock.advance(30)
    carrying = Visitor(HOME, "firefox/linux", session_token=first.token)
    asked = await anna.world.first_step(visitor=carrying)
    assert isinstance(asked, Next)
    assert await alive(anna, first.session.session_id)
    done = await anna.proceed(asked.challenge, Factor.TOTP, anna.code(), visitor=carrying)
    assert done.arrived.superseded
    assert not await alive(anna, first.session.session_id)


@pytest.mark.clause("ASVS 6.6.3")
async def test_a_challenge_is_tried_a_few_times_and_then_not_even_with_the_right_answer(anna: Member) -> None:
    await anna.enrol_passkey()
    asked = await anna.first_step()
    for _ in range(ATTEMPTS):
        assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, "{}")) is SECOND_FACTOR_NOT_VALID
    answer = anna.device.get(asked.passkey_options)
    assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer)) is CHALLENGE_NOT_VALID


async def test_parallel_attempts_cannot_pass_the_limit_together(anna: Member) -> None:
    await anna.enrol_passkey()
    asked = await anna.first_step()
    calls = (anna.proceed(asked.challenge, Factor.PASSKEY, "{}") for _ in range(ATTEMPTS + 4))
    results = await asyncio.gather(*calls, return_exceptions=True)
    reasons = [result.reason for result in results if isinstance(result, Fault)]
    assert (reasons.count(SECOND_FACTOR_NOT_VALID), reasons.count(CHALLENGE_NOT_VALID)) == (ATTEMPTS, 4)


@pytest.mark.parametrize("seconds, good", [(299.999, True), (300.0, False)])
async def test_a_challenge_lives_five_minutes(anna: Member, seconds: float, *, good: bool) -> None:
    await anna.enrol_totp()
    asked = await anna.first_step()
    assert (asked.expires - anna.world.clock.now()).total_seconds() == 300
    anna.world.clock.advance(seconds)
    if good:
        await anna.proceed(asked.challenge, Factor.TOTP, anna.code())
    else:
        assert await reason(anna.proceed(asked.challenge, Factor.TOTP, anna.code())) is CHALLENGE_NOT_VALID


@pytest.mark.clause("ASVS 6.6.2")
async def test_a_challenge_is_answered_with_its_own_accounts_factors_only(anna: Member) -> None:
    bo = await member(anna.world, "bo@example.com")
    await anna.enrol_totp()
    await bo.enrol_totp()
    asked, trail = await anna.first_step(), Trail()
    assert await reason(anna.proceed(asked.challenge, Factor.TOTP, bo.code(), trail)) is SECOND_FACTOR_NOT_VALID
    assert trail.subject == anna.account_id
    done = await anna.proceed(asked.challenge, Factor.TOTP, anna.code())
    assert done.arrived.session.account_id == anna.account_id


@pytest.mark.parametrize("token", ["", "vch_", "vch_" + "A" * 43, "vst_" + "A" * 43, "å" * 47, "vch_" + "A" * 44])
async def test_what_is_no_challenge_is_refused(anna: Member, token: str) -> None:
    with pytest.raises((Fault, ValueError)) as refused:
        await anna.proceed(Secret(token), Factor.TOTP, "123456")
    assert not isinstance(refused.value, Fault) or refused.value.reason is CHALLENGE_NOT_VALID


async def test_factors_that_the_account_does_not_have_open_nothing(anna: Member) -> None:
    await anna.enrol_passkey()
    asked = await anna.first_step()
    assert await reason(anna.proceed(asked.challenge, Factor.TOTP, "123456")) is SECOND_FACTOR_NOT_VALID


async def test_a_passkeys_challenge_takes_no_code(anna: Member) -> None:
    await anna.enrol_totp()
    await anna.enrol_passkey()
    asked = await again_by_passkey(anna)
    for factor, value in ((Factor.TOTP, anna.code()), (Factor.RECOVERY_CODE, anna.codes[0])):
        assert await reason(anna.proceed(asked.challenge, factor, value)) is SECOND_FACTOR_NOT_VALID


async def test_a_challenge_is_stored_as_its_hash_only(anna: Member) -> None:
    await anna.enrol_totp()
    asked = await anna.first_step()
    token = asked.challenge.text()
    stored = b"".join(path.read_bytes() for path in anna.world.folder.glob("auth.db*"))
    assert token.encode() not in stored
    assert sha256(token) in stored


async def test_what_was_asked_before_a_change_of_factors_is_not_answered_after_it(anna: Member) -> None:
    await anna.enrol_totp()
    asked = await anna.first_step()
    await anna.enrol_passkey()
    assert await reason(anna.proceed(asked.challenge, Factor.TOTP, anna.code())) is CHALLENGE_NOT_VALID


@pytest.mark.clause("ASVS 7.2.4", "P8")
async def test_signing_in_anew_ends_the_session_and_opens_a_fresh_one(anna: Member) -> None:
    anna.world.clock.advance(1000)
    arrived = await again(anna)
    assert isinstance(arrived, Arrived)
    assert arrived.session.account_id == anna.account_id
    assert arrived.session.opened == anna.world.clock.now()
    assert arrived.session.session_id != anna.session_id
    assert not await alive(anna, anna.session_id)
    async with anna.world.units.read() as store:
        assert anna.session_id in {row.session_id for row in await store.revocations.since(0, 10)}
    assert await reason(again(anna)) is SESSION_ENDED


async def test_signing_in_anew_wants_the_second_factor_too(anna: Member) -> None:
    await anna.enrol_totp()
    asked = await again(anna)
    assert isinstance(asked, Next)
    assert await alive(anna, anna.session_id)
    done = await anna.proceed(asked.challenge, Factor.TOTP, anna.code())
    assert done.replaced
    assert not await alive(anna, anna.session_id)


async def test_signing_in_anew_with_a_wrong_password_changes_nothing_and_is_counted(anna: Member) -> None:
    for _ in range(5):
        assert await reason(again(anna, WRONG)) is BAD_CREDENTIALS
    assert await reason(again(anna)) is THROTTLED
    assert await alive(anna, anna.session_id)


async def test_a_passkey_signs_in_anew_without_the_password(anna: Member) -> None:
    assert await reason(again_by_passkey(anna)) is PASSKEY_REQUIRED
    await anna.enrol_passkey(Authenticator(URL, verifies_user=False))
    assert await reason(again_by_passkey(anna)) is PASSKEY_REQUIRED
    await anna.enrol_passkey()
    asked = await again_by_passkey(anna)
    options = json.loads(asked.passkey_options)
    assert (asked.factors, options["userVerification"]) == ((Factor.PASSKEY,), "required")
    assert len(options["allowCredentials"]) == 1
    done = await anna.proceed(asked.challenge, Factor.PASSKEY, anna.device.get(asked.passkey_options))
    assert (done.replaced, done.arrived.session.amr) == (True, ("pop", "mfa"))
    assert not await alive(anna, anna.session_id)


@pytest.mark.clause("P8", "ASVS 6.6.2")
async def test_a_step_up_dies_with_the_session_it_was_asked_from(anna: Member) -> None:
    await anna.enrol_totp()
    asked = await again(anna)
    assert isinstance(asked, Next)
    async with anna.world.work() as work:
        store = await work.write()
        await anna.world.sessions.end(store.sessions, store.revocations, anna.session_id)
    assert await reason(anna.proceed(asked.challenge, Factor.TOTP, anna.code())) is SESSION_ENDED


@pytest.mark.clause("P7")
async def test_a_step_up_dies_with_its_session_when_that_idles_too_long(anna: Member) -> None:
    await anna.enrol_totp()
    anna.world.clock.advance(1700)
    asked = await again(anna)
    assert isinstance(asked, Next)
    anna.world.clock.advance(100)
    assert await reason(anna.proceed(asked.challenge, Factor.TOTP, anna.code())) is SESSION_ENDED


async def test_of_racing_step_ups_one_session_comes(anna: Member) -> None:
    await anna.enrol_totp()
    asked = [await again(anna) for _ in range(3)]
    anna.world.clock.advance(30)
    answers = [anna.code(), anna.codes[1], anna.codes[0]]
    factors = [Factor.TOTP, Factor.RECOVERY_CODE, Factor.RECOVERY_CODE]
    calls = [
        anna.proceed(one.challenge, factor, answer)
        for one, factor, answer in zip(asked, factors, answers, strict=True)
        if isinstance(one, Next)
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, Continued) for result in results) == 1


@pytest.mark.clause("ASVS 7.4.2")
async def test_who_is_disabled_gets_no_session_with_whatever_factor(anna: Member) -> None:
    await anna.enrol_totp()
    await anna.enrol_passkey()
    asked = await anna.first_step()
    async with anna.world.work() as work:
        alone = await anna.world.factors.steps.begin_passkey(work)
    async with anna.world.units.write() as store:
        await store.lifecycle.standings.disable(anna.account_id, "compromised", anna.world.clock.now())
    answer = anna.device.get(alone.passkey_options)
    assert await reason(anna.proceed(alone.challenge, Factor.PASSKEY, answer)) is BAD_CREDENTIALS
    assert await reason(anna.proceed(asked.challenge, Factor.TOTP, anna.code())) is BAD_CREDENTIALS
    assert await reason(anna.world.first_step()) is BAD_CREDENTIALS
