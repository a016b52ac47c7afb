"""Authenticator apps: which codes count, and that none counts twice, whoever races for it."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.arrivals import Arrived
from services.auth.errors import CODE_NOT_VALID, SECOND_FACTOR_NOT_VALID, THROTTLED, TOTP_NOT_BEGUN
from services.auth.factors.holdings import Factor
from services.auth.factors.steps import Continued
from services.kit.faults import ALREADY_EXISTS, Fault
from tests.unit.auth.factors.member import Member, member, refused
from tests.unit.auth.world import Trail, world_in


async def test_an_app_counts_from_its_first_code_on(anna: Member) -> None:
    await anna.begin_totp()
    assert isinstance(await anna.world.first_step(), Arrived)
    assert (await anna.held()).totp is None
    made = await anna.confirm_totp()
    assert len(made) == 10
    assert (await anna.first_step()).factors == (Factor.TOTP, Factor.RECOVERY_CODE)


@pytest.mark.clause("ASVS 6.5.1", "NIST 800-63B-4 3.1.4")
async def test_a_code_opens_one_session_and_says_how(anna: Member) -> None:
    await anna.enrol_totp()
    code, trail = anna.code(), Trail()
    arrived = await anna.sign_in(Factor.TOTP, code, trail)
    assert arrived.session.amr == ("pwd", "otp", "mfa")
    assert (trail.subject, trail.details) == (anna.account_id, {"factor": "otp"})
    trail = Trail()
    assert (await refused(anna.sign_in(Factor.TOTP, code, trail))).reason is SECOND_FACTOR_NOT_VALID
    assert (trail.subject, trail.details) == (anna.account_id, {"factor": "otp"})


@pytest.mark.clause("ASVS 6.5.1")
async def test_the_code_that_turned_the_app_on_signs_nobody_in(anna: Member) -> None:
    await anna.begin_totp()
    code = anna.code()
    await anna.confirm_totp(code)
    assert (await refused(anna.sign_in(Factor.TOTP, code))).reason is SECOND_FACTOR_NOT_VALID


@pytest.mark.clause("ASVS 6.5.1")
async def test_no_code_from_before_an_accepted_one_counts(anna: Member) -> None:
    await anna.enrol_totp()
    anna.world.clock.advance(90)
    before, now = anna.code(-1), anna.code()
    await anna.sign_in(Factor.TOTP, now)
    assert (await refused(anna.sign_in(Factor.TOTP, before))).reason is SECOND_FACTOR_NOT_VALID


@pytest.mark.clause("ASVS 6.5.5", "ASVS 6.5.8")
@pytest.mark.parametrize("steps", [-2, -1, 1, 2])
async def test_no_code_but_the_present_one_signs_in(anna: Member, steps: int) -> None:
    await anna.enrol_totp()
    anna.world.clock.advance(120)
    assert (await refused(anna.sign_in(Factor.TOTP, anna.code(steps)))).reason is SECOND_FACTOR_NOT_VALID
    await anna.sign_in(Factor.TOTP, anna.code())


@pytest.mark.clause("ASVS 6.5.5")
async def test_a_code_lives_thirty_seconds(anna: Member) -> None:
    await anna.enrol_totp()
    clock = anna.world.clock
    clock.advance(60 - clock.now().timestamp() % 30)
    code = anna.code()
    asked = await anna.first_step()
    clock.advance(29.999)
    assert anna.code() == code
    clock.advance(0.001)
    assert (await refused(anna.proceed(asked.challenge, Factor.TOTP, code))).reason is SECOND_FACTOR_NOT_VALID


@pytest.mark.parametrize("steps, good", [(-2, False), (-1, True), (1, True), (2, False)])
async def test_a_first_code_may_be_a_step_off(anna: Member, steps: int, *, good: bool) -> None:
    await anna.begin_totp()
    if good:
        await anna.confirm_totp(anna.code(steps))
    else:
        assert (await refused(anna.confirm_totp(anna.code(steps)))).reason is CODE_NOT_VALID


async def test_spaces_in_a_code_do_not_matter(anna: Member) -> None:
    await anna.enrol_totp()
    code = anna.code()
    await anna.sign_in(Factor.TOTP, f" {code[:3]} {code[3:]} ")


NO_CODES = ("", "1", "12345", "1234567", "abcdef", "-12345", "\uff11\uff12\uff13\uff14\uff15\uff16", "\x00")


@pytest.mark.parametrize("code", NO_CODES)
async def test_what_is_no_code_is_not_right(anna: Member, code: str) -> None:
    await anna.enrol_totp()
    asked = await anna.first_step()
    with pytest.raises((Fault, ValueError)):
        await anna.proceed(asked.challenge, Factor.TOTP, code)


@pytest.mark.clause("ASVS 6.5.1")
@settings(max_examples=8)
@given(racers=st.integers(2, 5), same_challenge=st.booleans())
def test_of_racing_calls_with_one_code_one_wins(racers: int, *, same_challenge: bool) -> None:
    async def race(folder: Path) -> None:
        async with world_in(folder) as world:
            anna = await member(world)
            await anna.enrol_totp()
            asked = [await anna.first_step() for _ in range(1 if same_challenge else racers)]
            code = anna.code()
            results = await asyncio.gather(
                *(anna.proceed(asked[n % len(asked)].challenge, Factor.TOTP, code) for n in range(racers)),
                return_exceptions=True,
            )
            assert sum(isinstance(result, Continued) for result in results) == 1
            assert sum(isinstance(result, Fault) for result in results) == racers - 1

    with TemporaryDirectory() as folder:
        asyncio.run(race(Path(folder)))


async def test_of_racing_confirmations_one_wins(anna: Member) -> None:
    await anna.begin_totp()
    results = await asyncio.gather(*(anna.confirm_totp() for _ in range(3)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Fault", "Fault", "list"]
    assert (await anna.held()).recovery_codes == 10


async def test_a_wrong_first_code_turns_nothing_on(anna: Member) -> None:
    await anna.begin_totp()
    fault = await refused(anna.confirm_totp(anna.code(5)))
    assert (fault.reason, fault.field) == (CODE_NOT_VALID, "code")
    assert (await anna.held()).totp is None


async def test_a_seed_waits_for_a_quarter_of_an_hour(anna: Member) -> None:
    await anna.begin_totp()
    anna.world.clock.advance(899.999)
    await anna.confirm_totp()
    await anna.remove_totp("the heron waits beside the reeds")
    await anna.begin_totp()
    anna.world.clock.advance(900)
    assert (await refused(anna.confirm_totp())).reason is TOTP_NOT_BEGUN


async def test_beginning_anew_forgets_the_seed_before(anna: Member) -> None:
    await anna.begin_totp()
    before = anna.code()
    await anna.begin_totp()
    assert (await refused(anna.confirm_totp(before))).reason is CODE_NOT_VALID
    await anna.confirm_totp()
    assert (await refused(anna.begin_totp())).reason is ALREADY_EXISTS
    assert (await refused(anna.confirm_totp())).reason is TOTP_NOT_BEGUN


@pytest.mark.clause("ASVS 6.6.3", "NIST 800-63B-4 3.2.2")
async def test_guessing_codes_soon_has_to_wait_and_the_right_one_too(anna: Member) -> None:
    await anna.enrol_totp()
    for _ in range(5):
        assert (await refused(anna.sign_in(Factor.TOTP, anna.code(7)))).reason is SECOND_FACTOR_NOT_VALID
    fault = await refused(anna.sign_in(Factor.TOTP, anna.code()))
    assert fault.reason is THROTTLED
    assert fault.retry_after is not None
    anna.world.clock.advance(fault.retry_after)
    await anna.sign_in(Factor.TOTP, anna.code())


async def test_right_codes_are_not_counted(anna: Member) -> None:
    await anna.enrol_totp()
    for _ in range(7):
        await anna.sign_in(Factor.TOTP, anna.code())
        anna.world.clock.advance(30)


@pytest.mark.clause("ASVS 6.5.4")
async def test_the_uri_is_what_apps_read(anna: Member) -> None:
    async with anna.world.work() as work:
        enrolment = await anna.world.factors.factors.begin_totp(work, anna.account_id)
    uri = urlsplit(enrolment.uri.text())
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", f"/Valv:{anna.email.replace('@', '%40')}")
    assert parse_qs(uri.query)["secret"] == [enrolment.secret.text()]
    assert len(enrolment.secret.text()) == 32


@pytest.mark.clause("ASVS 13.3.1", "P6")
async def test_the_database_does_not_hold_the_seed(anna: Member) -> None:
    await anna.enrol_totp()
    raw = base64.b32decode(anna.seed)
    stored = b"".join(path.read_bytes() for path in anna.world.folder.glob("*.db*"))
    assert raw not in stored
    assert anna.seed.encode() not in stored


async def test_a_seed_opens_only_for_its_own_account(anna: Member) -> None:
    """Somebody who can write to the database cannot give one account the seed of another."""
    bo = await member(anna.world, "bo@example.com")
    await anna.enrol_totp()
    await bo.enrol_totp()
    async with anna.world.units.read() as store:
        bos = await store.factors.totp.find(bo.account_id)
    assert bos is not None
    async with anna.world.units.write() as store:
        await store.factors.totp.remove(anna.account_id)
        await store.factors.totp.begin(anna.account_id, bos.sealed, anna.world.clock.now())
        await store.factors.totp.confirm(anna.account_id, bos.sealed, 0, anna.world.clock.now())
    asked = await anna.first_step()
    with pytest.raises(ValueError, match="does not open"):
        await anna.proceed(asked.challenge, Factor.TOTP, bo.code())
