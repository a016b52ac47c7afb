"""Removing factors and the password: what is left is never nothing, never a weak password, and the owner is told."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from services.auth import email_address, tables
from services.auth.arrivals import Arrived
from services.auth.errors import (
    BAD_CREDENTIALS,
    FACTOR_NOT_FOUND,
    PASSKEY_REQUIRED,
    PASSWORD_COMMON,
    PASSWORD_REQUIRED,
    PASSWORD_TOO_SHORT,
)
from services.auth.factors.holdings import Factor
from services.auth.factors.steps import Next
from services.auth.mail import FACTOR_ADDED, FACTOR_REMOVED, PASSWORD_REMOVED, RECOVERY_CODES_RENEWED
from services.kit.faults import NOT_FOUND, Fault
from services.kit.secret import Secret
from tests.support.authenticator import Authenticator
from tests.unit.auth.factors.member import NEW_PASSWORD, Member, member, reason
from tests.unit.auth.world import EMAIL, PASSWORD, URL

SHORT = "the heron, eh?"  # 14 code points


async def templates(anna: Member) -> list[str]:
    async with anna.world.database.read() as connection:
        queued = await connection.execute(select(tables.mails.c.template).order_by(tables.mails.c.mail_id))
        return list(queued.scalars())


async def open_sessions(anna: Member) -> set[str]:
    async with anna.world.units.read() as store:
        return {one.session_id for one in await store.sessions.open_of(anna.account_id, anna.world.clock.now())}


@pytest.mark.clause("NIST 800-63B-4 3.1.1.2", "ASVS 6.2.1")
async def test_who_removes_the_last_second_factor_chooses_a_password_of_fifteen(anna: Member) -> None:
    await anna.enrol_totp()
    assert await reason(anna.remove_totp()) is PASSWORD_REQUIRED
    assert await reason(anna.remove_totp(SHORT)) is PASSWORD_TOO_SHORT
    assert await reason(anna.remove_totp("passwordpassword1")) is PASSWORD_COMMON
    assert (await anna.held()).totp is not None
    await anna.remove_totp(NEW_PASSWORD)
    assert await reason(anna.world.first_step()) is BAD_CREDENTIALS
    assert isinstance(await anna.world.first_step(password=NEW_PASSWORD), Arrived)


async def test_a_refused_password_names_its_field(anna: Member) -> None:
    await anna.enrol_totp()
    for password in ("", SHORT):
        with pytest.raises(Fault) as refused:
            await anna.remove_totp(password)
        assert refused.value.field == "new_password"


@pytest.mark.clause("ASVS 6.5.6")
async def test_the_last_second_factor_takes_the_recovery_codes_with_it(anna: Member) -> None:
    await anna.enrol_totp()
    passkey = await anna.enrol_passkey()
    await anna.remove_totp()
    assert (await anna.held()).recovery_codes == 10
    await anna.remove_passkey(passkey.passkey_id, NEW_PASSWORD)
    held = await anna.held()
    assert (held.has_second, held.recovery_codes) == (False, 0)


@pytest.mark.parametrize("beside_an_app", [True, False])
async def test_an_account_without_a_password_keeps_a_passkey_or_gets_a_password(
    anna: Member, *, beside_an_app: bool
) -> None:
    if beside_an_app:
        await anna.enrol_totp()
    passkey = await anna.enrol_passkey()
    await anna.remove_password()
    assert await reason(anna.remove_passkey(passkey.passkey_id)) is PASSWORD_REQUIRED
    await anna.remove_passkey(passkey.passkey_id, NEW_PASSWORD)
    assert isinstance(await anna.world.first_step(password=NEW_PASSWORD), Next if beside_an_app else Arrived)


async def test_a_passkey_that_verifies_nobody_does_not_stand_for_a_password(anna: Member) -> None:
    first = await anna.enrol_passkey()
    await anna.enrol_passkey(Authenticator(URL, verifies_user=False))
    await anna.remove_password()
    assert await reason(anna.remove_passkey(first.passkey_id)) is PASSWORD_REQUIRED


@pytest.mark.clause("P9")
async def test_a_password_is_removed_only_where_a_passkey_signs_in_alone(anna: Member) -> None:
    assert await reason(anna.remove_password()) is PASSKEY_REQUIRED
    await anna.enrol_totp()
    await anna.enrol_passkey(Authenticator(URL, verifies_user=False))
    assert await reason(anna.remove_password()) is PASSKEY_REQUIRED
    await anna.enrol_passkey()
    await anna.remove_password()
    assert await reason(anna.remove_password()) is NOT_FOUND
    assert not (await anna.held()).has_password


@pytest.mark.clause("ASVS 6.3.8")
async def test_an_account_without_a_password_looks_like_any_wrong_password(anna: Member) -> None:
    await anna.enrol_passkey()
    await anna.remove_password()
    for email in (EMAIL, "nobody@example.com"):
        assert await reason(anna.world.first_step(email, PASSWORD)) is BAD_CREDENTIALS


async def test_of_racing_removals_that_would_leave_nothing_one_is_refused(anna: Member) -> None:
    passkey = await anna.enrol_passkey()
    await anna.enrol_totp()
    results = await asyncio.gather(
        anna.remove_password(), anna.remove_passkey(passkey.passkey_id), return_exceptions=True
    )
    assert sum(isinstance(result, Fault) for result in results) == 1
    held = await anna.held()
    assert held.has_password or held.alone


async def test_of_racing_removals_of_the_last_two_factors_one_is_refused(anna: Member) -> None:
    passkey = await anna.enrol_passkey()
    await anna.enrol_totp()
    results = await asyncio.gather(anna.remove_totp(), anna.remove_passkey(passkey.passkey_id), return_exceptions=True)
    assert [result.reason for result in results if isinstance(result, Fault)] == [PASSWORD_REQUIRED]
    assert (await anna.held()).has_second


async def test_what_is_not_there_or_not_yours_is_not_found(anna: Member) -> None:
    bo = await member(anna.world, "bo@example.com")
    passkey = await bo.enrol_passkey()
    assert await reason(anna.remove_totp(NEW_PASSWORD)) is FACTOR_NOT_FOUND
    assert await reason(anna.remove_passkey(passkey.passkey_id, NEW_PASSWORD)) is FACTOR_NOT_FOUND
    async with anna.world.work() as work:
        rename = anna.world.factors.factors.rename_passkey(work, anna.account_id, passkey.passkey_id, "mine now")
        assert await reason(rename) is FACTOR_NOT_FOUND
    assert isinstance(await anna.world.first_step(), Arrived)  # the new password was not taken
    assert len((await bo.held()).passkeys) == 1


async def test_an_app_that_was_never_confirmed_is_no_factor(anna: Member) -> None:
    await anna.begin_totp()
    assert await reason(anna.remove_totp(NEW_PASSWORD)) is FACTOR_NOT_FOUND


async def test_a_passkey_is_renamed_by_its_owner(anna: Member) -> None:
    passkey = await anna.enrol_passkey()
    async with anna.world.work() as work:
        await anna.world.factors.factors.rename_passkey(work, anna.account_id, passkey.passkey_id, " Work laptop ")
    assert [one.display_name for one in (await anna.held()).passkeys] == ["Work laptop"]


@pytest.mark.clause("ASVS 7.4.3", "ASVS 6.3.7", "P8", "NIST 800-63B-4 4.6")
async def test_every_change_ends_the_other_sessions_and_tells_the_owner(anna: Member) -> None:
    await anna.mails()

    async def another() -> str:
        """Sign in elsewhere; returns what is queued for it by itself."""
        outcome = await anna.world.first_step()
        if isinstance(outcome, Next):
            device = anna.device.get(outcome.passkey_options) if outcome.passkey_options else anna.code()
            factor = Factor.PASSKEY if outcome.passkey_options else Factor.TOTP
            outcome = (await anna.proceed(outcome.challenge, factor, device)).arrived
            anna.world.clock.advance(30)
        await anna.mails()
        return outcome.session.session_id

    async def changed(template: str, others: set[str]) -> None:
        assert await templates(anna) == [template]
        assert await open_sessions(anna) == {anna.session_id}
        async with anna.world.units.read() as store:
            assert others <= {row.session_id for row in await store.revocations.since(0, 100)}
        await anna.mails()

    others = {await another(), await another()}
    await anna.enrol_totp()
    await changed(FACTOR_ADDED, others)
    others = {await another()}
    passkey = await anna.enrol_passkey()
    await changed(FACTOR_ADDED, others)
    others = {await another()}
    await anna.generate_codes()
    await changed(RECOVERY_CODES_RENEWED, others)
    others = {await another()}
    await anna.remove_totp()
    await changed(FACTOR_REMOVED, others)
    others = {await another()}
    await anna.remove_password()
    await changed(PASSWORD_REMOVED, others)
    await anna.remove_passkey(passkey.passkey_id, NEW_PASSWORD)
    await changed(FACTOR_REMOVED, set())


async def test_beginning_changes_nothing_for_anybody(anna: Member) -> None:
    other = await anna.world.sign_in()
    await anna.mails()
    await anna.begin_totp()
    await anna.passkey_options()
    assert await open_sessions(anna) == {anna.session_id, other.session.session_id}
    assert await templates(anna) == []


@pytest.mark.clause("NIST 800-63B-4 3.1.1.2", "ASVS 6.2.1")
async def test_a_password_needs_eight_beside_a_second_factor_and_fifteen_alone(anna: Member) -> None:
    email = email_address.parse(EMAIL)

    def accepted(text: str, least: int) -> bool:
        try:
            anna.world.policy.require(Secret(text), email, least=least)
        except Fault as fault:
            return fault.reason is not PASSWORD_TOO_SHORT
        return True

    least = (await anna.held()).least_password
    assert [accepted("xq7!mö9ktz2#wv4"[:size], least) for size in (14, 15)] == [False, True]
    await anna.enrol_totp()
    least = (await anna.held()).least_password
    assert [accepted("xq7!mö9ktz2#wv4"[:size], least) for size in (7, 8)] == [False, True]
