"""Recovery codes: ten, each good once, and what their owner is told."""

from __future__ import annotations

import asyncio
import re

import pytest

from services.auth import email_address
from services.auth.errors import FACTOR_NOT_FOUND, SECOND_FACTOR_NOT_VALID, THROTTLED
from services.auth.factors.holdings import Factor
from services.auth.factors.steps import Continued
from services.kit.faults import Fault
from services.kit.secret import Secret
from tests.unit.auth.factors.member import NEW_PASSWORD, VISITOR, Member, member, reason
from tests.unit.auth.world import Trail


@pytest.mark.clause("ASVS 6.5.4", "NIST 800-63B-4 4.2.1")
async def test_the_first_second_factor_brings_ten_codes_and_the_next_none(anna: Member) -> None:
    await anna.begin_totp()
    made = [code.text() for code in await anna.confirm_totp()]
    assert len(set(made)) == 10
    assert all(re.fullmatch(r"([0-9a-hjkmnp-tv-z]{6}-){3}[0-9a-hjkmnp-tv-z]{6}", code) for code in made)
    await anna.enrol_passkey()
    assert anna.codes == made
    assert (await anna.held()).recovery_codes == 10


@pytest.mark.clause("ASVS 6.5.1", "NIST 800-63B-4 4.6")
async def test_a_code_signs_in_once_and_its_owner_is_told(anna: Member) -> None:
    await anna.enrol_totp()
    trail = Trail()
    arrived = await anna.sign_in(Factor.RECOVERY_CODE, anna.codes[0], trail)
    assert arrived.session.amr == ("pwd", "rc", "mfa")
    assert (trail.subject, trail.details) == (anna.account_id, {"factor": "rc"})
    assert "A recovery code was used" in await anna.mails()
    with pytest.raises(Fault) as refused:
        await anna.sign_in(Factor.RECOVERY_CODE, anna.codes[0])
    assert refused.value.reason is SECOND_FACTOR_NOT_VALID
    assert (await anna.held()).recovery_codes == 9


async def test_case_spaces_and_letters_that_look_like_digits_do_not_matter(anna: Member) -> None:
    await anna.enrol_totp()
    typed = anna.codes[0].upper().replace("-", " ").replace("0", "O").replace("1", "l")
    await anna.sign_in(Factor.RECOVERY_CODE, f"  {typed} ")


@pytest.mark.clause("ASVS 6.5.1")
@pytest.mark.parametrize("same_challenge", [True, False])
async def test_of_racing_calls_with_one_code_one_wins(anna: Member, *, same_challenge: bool) -> None:
    await anna.enrol_totp()
    asked = [await anna.first_step() for _ in range(1 if same_challenge else 4)]
    results = await asyncio.gather(
        *(anna.proceed(asked[n % len(asked)].challenge, Factor.RECOVERY_CODE, anna.codes[0]) for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Continued) for result in results) == 1
    assert sum(isinstance(result, Fault) for result in results) == 3


async def test_one_challenge_uses_up_one_code(anna: Member) -> None:
    """Two codes race for one challenge: what loses is not lost."""
    await anna.enrol_totp()
    asked = await anna.first_step()
    results = await asyncio.gather(
        *(anna.proceed(asked.challenge, Factor.RECOVERY_CODE, code) for code in anna.codes[:3]), return_exceptions=True
    )
    assert sum(isinstance(result, Continued) for result in results) == 1
    assert (await anna.held()).recovery_codes == 9


@pytest.mark.clause("NIST 800-63B-4 4.6")
async def test_the_owner_is_told_when_three_are_left_and_then_each_time(anna: Member) -> None:
    await anna.enrol_totp()
    for number, code in enumerate(anna.codes, 1):
        await anna.sign_in(Factor.RECOVERY_CODE, code)
        told = (await anna.mails()).count("Few recovery codes are left")
        assert told == max(0, number - 6)
    assert Factor.RECOVERY_CODE not in (await anna.first_step()).factors


@pytest.mark.clause("ASVS 6.5.6")
async def test_new_codes_end_the_old_ones(anna: Member) -> None:
    await anna.enrol_totp()
    old = anna.codes[0]
    new = await anna.generate_codes()
    assert len(set(new)) == 10
    assert old not in new
    assert (await anna.mails())[-1] == "You have new recovery codes"
    with pytest.raises(Fault):
        await anna.sign_in(Factor.RECOVERY_CODE, old)
    await anna.sign_in(Factor.RECOVERY_CODE, new[0])


@pytest.mark.clause("ASVS 6.4.4")
async def test_a_lost_app_takes_the_password_and_a_code_that_was_given_with_it(anna: Member) -> None:
    """What enrolling took: the password, and what was shown only to who was signed in with it."""
    await anna.enrol_totp()
    async with anna.world.work() as work:
        await anna.world.changes.recover(work, Trail(), email_address.parse(anna.email), VISITOR)
    token = await anna.world.mailed_token()
    async with anna.world.work() as work:
        await anna.world.changes.reset(work, Trail(), Secret(token), Secret(NEW_PASSWORD))
    asked = await anna.first_step(NEW_PASSWORD)
    assert asked.factors == (Factor.TOTP, Factor.RECOVERY_CODE), "the address alone does not replace it"
    opened = await anna.proceed(asked.challenge, Factor.RECOVERY_CODE, anna.codes[0])
    anna.session_id = opened.arrived.session.session_id
    await anna.remove_totp(NEW_PASSWORD)
    await anna.enrol_totp()
    asked = await anna.first_step(NEW_PASSWORD)
    assert await reason(anna.proceed(asked.challenge, Factor.RECOVERY_CODE, "0" * 24)) is SECOND_FACTOR_NOT_VALID
    await anna.proceed(asked.challenge, Factor.TOTP, anna.code())


async def test_without_a_second_factor_there_is_nothing_to_recover(anna: Member) -> None:
    with pytest.raises(Fault) as refused:
        await anna.generate_codes()
    assert refused.value.reason is FACTOR_NOT_FOUND


@pytest.mark.clause("ASVS 6.6.3")
async def test_codes_share_their_limit_with_the_app(anna: Member) -> None:
    await anna.enrol_totp()
    await anna.sign_in(Factor.RECOVERY_CODE, anna.codes[1])
    wrong = ((Factor.TOTP, anna.code(9)), (Factor.RECOVERY_CODE, "0" * 24), (Factor.RECOVERY_CODE, anna.codes[1]))
    for number in range(5):
        with pytest.raises(Fault) as refused:
            await anna.sign_in(*wrong[number % 3])
        assert refused.value.reason is SECOND_FACTOR_NOT_VALID
    with pytest.raises(Fault) as refused:
        await anna.sign_in(Factor.RECOVERY_CODE, anna.codes[0])
    assert refused.value.reason is THROTTLED


@pytest.mark.parametrize("code", ["0", "0" * 23, "0" * 25, "u" * 24, "é" * 24, "\u017f" * 24, "0" * 100_000])
async def test_what_is_no_code_is_not_right(anna: Member, code: str) -> None:
    await anna.enrol_totp()
    with pytest.raises(Fault) as refused:
        await anna.sign_in(Factor.RECOVERY_CODE, code)
    assert refused.value.reason is SECOND_FACTOR_NOT_VALID


async def test_somebody_elses_code_is_not_right(anna: Member) -> None:
    bo = await member(anna.world, "bo@example.com")
    await anna.enrol_totp()
    await bo.enrol_totp()
    with pytest.raises(Fault):
        await anna.sign_in(Factor.RECOVERY_CODE, bo.codes[0])
    await bo.sign_in(Factor.RECOVERY_CODE, bo.codes[0])


@pytest.mark.clause("ASVS 6.5.2", "P6")
async def test_the_database_holds_no_code(anna: Member) -> None:
    await anna.enrol_totp()
    stored = b"".join(path.read_bytes() for path in anna.world.folder.glob("*.db*"))
    for code in anna.codes:
        for form in (code, code.replace("-", ""), code.upper()):
            assert form.encode() not in stored
