"""Passkeys: beside a password and instead of it, one of several, never replayed, never another's."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

import cbor2
import pytest

from services.auth.arrivals import Visitor
from services.auth.errors import (
    CHALLENGE_NOT_VALID,
    PASSKEY_NOT_VALID,
    SECOND_FACTOR_NOT_VALID,
    THROTTLED,
    TOO_MANY_PASSKEYS,
)
from services.auth.factors import passkeys
from services.auth.factors.holdings import Factor
from services.auth.factors.steps import Continued, Next
from services.auth.throttle import Who
from services.auth.throttle_rules import Action
from services.kit.faults import ALREADY_EXISTS, INVALID_ARGUMENT, Fault
from services.kit.secret import Secret
from tests.support.authenticator import Authenticator
from tests.unit.auth.factors.member import Member, member, reason
from tests.unit.auth.world import URL, Trail


async def begin_alone(anna: Member) -> Next:
    async with anna.world.work() as work:
        return await anna.world.factors.steps.begin_passkey(work)


async def test_a_passkey_is_asked_for_by_what_the_account_has(anna: Member) -> None:
    await anna.enrol_passkey()
    asked = await anna.first_step()
    assert asked.factors == (Factor.PASSKEY, Factor.RECOVERY_CODE)
    options = json.loads(asked.passkey_options)
    assert (options["rpId"], options["userVerification"]) == ("localhost", "preferred")
    assert len(options["allowCredentials"]) == 1


@pytest.mark.clause("P9", "ASVS 6.7.2")
async def test_a_passkey_is_the_second_factor(anna: Member) -> None:
    await anna.enrol_passkey()
    asked, trail = await anna.first_step(), Trail()
    done = await anna.proceed(asked.challenge, Factor.PASSKEY, anna.device.get(asked.passkey_options), trail)
    assert done.arrived.session.amr == ("pwd", "pop", "mfa")
    assert (trail.subject, trail.details) == (anna.account_id, {"factor": "pop"})


@pytest.mark.clause("P9", "NIST 800-63B-4 3.1.7")
async def test_a_passkey_alone_signs_in_and_says_whose_it_is(anna: Member) -> None:
    await anna.enrol_passkey()
    asked, trail = await begin_alone(anna), Trail()
    options = json.loads(asked.passkey_options)
    assert (options["allowCredentials"], options["userVerification"]) == ([], "required")
    done = await anna.proceed(asked.challenge, Factor.PASSKEY, anna.device.get(asked.passkey_options), trail)
    assert done.arrived.session.account_id == anna.account_id == trail.subject
    assert done.arrived.session.amr == ("pop", "mfa")


async def test_an_authenticator_that_verifies_nobody_is_a_second_factor_only(anna: Member) -> None:
    touched = Authenticator(URL, verifies_user=False)
    assert not (await anna.enrol_passkey(touched)).verifies_user
    asked = await anna.first_step()
    await anna.proceed(asked.challenge, Factor.PASSKEY, touched.get(asked.passkey_options))
    asked = await begin_alone(anna)
    answer = touched.get(asked.passkey_options)
    assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer)) is SECOND_FACTOR_NOT_VALID


async def test_an_account_has_several_and_any_will_do(anna: Member) -> None:
    phone = Authenticator(URL, counts=False)
    await anna.enrol_passkey()
    await anna.enrol_passkey(phone)
    for device in (anna.device, phone, phone):
        asked = await anna.first_step()
        await anna.proceed(asked.challenge, Factor.PASSKEY, device.get(asked.passkey_options))


@pytest.mark.clause("ASVS 6.5.1", "ASVS 6.7.2")
async def test_an_answer_works_once_and_for_its_own_challenge_only(anna: Member) -> None:
    await anna.enrol_passkey()
    asked, other = await anna.first_step(), await anna.first_step()
    answer = anna.device.get(asked.passkey_options)
    assert await reason(anna.proceed(other.challenge, Factor.PASSKEY, answer)) is SECOND_FACTOR_NOT_VALID
    await anna.proceed(asked.challenge, Factor.PASSKEY, answer)
    assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer)) is CHALLENGE_NOT_VALID


@pytest.mark.clause("ASVS 6.5.1")
@pytest.mark.parametrize("counts", [True, False])
async def test_of_racing_calls_with_one_answer_one_wins(anna: Member, *, counts: bool) -> None:
    anna.device.counts = counts
    await anna.enrol_passkey()
    asked = await anna.first_step()
    answer = anna.device.get(asked.passkey_options)
    calls = (anna.proceed(asked.challenge, Factor.PASSKEY, answer) for _ in range(4))
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, Continued) for result in results) == 1
    assert sum(isinstance(result, Fault) for result in results) == 3


@pytest.mark.clause("P9")
async def test_a_copy_that_counts_from_before_is_refused(anna: Member) -> None:
    await anna.enrol_passkey()
    copy = anna.device.credentials[0].sign_count
    for _ in range(2):
        asked = await anna.first_step()
        await anna.proceed(asked.challenge, Factor.PASSKEY, anna.device.get(asked.passkey_options))
    for count in (copy, copy + 1):  # signs with 1 and 2: 2 is the last one seen
        anna.device.credentials[0].sign_count = count
        asked = await anna.first_step()
        answer = anna.device.get(asked.passkey_options)
        assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer)) is SECOND_FACTOR_NOT_VALID
    asked = await anna.first_step()
    await anna.proceed(asked.challenge, Factor.PASSKEY, anna.device.get(asked.passkey_options))


@pytest.mark.parametrize("alone", [True, False])
async def test_another_accounts_passkey_opens_nothing_of_this_one(anna: Member, *, alone: bool) -> None:
    bo = await member(anna.world, "bo@example.com")
    await anna.enrol_passkey()
    await bo.enrol_passkey()
    asked, trail = await (begin_alone(anna) if alone else anna.first_step()), Trail()
    answer = bo.device.get(asked.passkey_options, bo.device.credentials[0])
    if alone:
        done = await anna.proceed(asked.challenge, Factor.PASSKEY, answer, trail)
        assert done.arrived.session.account_id == bo.account_id
    else:
        assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer, trail)) is SECOND_FACTOR_NOT_VALID
        assert trail.subject == anna.account_id


async def test_who_says_to_be_another_is_refused(anna: Member) -> None:
    bo = await member(anna.world, "bo@example.com")
    await anna.enrol_passkey()
    bos = anna.device.credentials[0]
    bos.user_handle = bo.account_id.encode()
    for asked in (await begin_alone(anna), await anna.first_step()):
        answer = anna.device.get(asked.passkey_options)
        assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer)) is SECOND_FACTOR_NOT_VALID
    asked = await begin_alone(anna)
    nameless = json.loads(anna.device.get(asked.passkey_options))
    del nameless["response"]["userHandle"]
    assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, json.dumps(nameless))) is SECOND_FACTOR_NOT_VALID


@pytest.mark.clause("ASVS 6.3.8")
async def test_a_refusal_of_nobodys_passkey_takes_as_long_as_one_of_somebodys(anna: Member) -> None:
    await anna.enrol_passkey()
    stranger = Authenticator(URL)
    stranger.create(await anna.passkey_options())
    asked, trail = await begin_alone(anna), Trail()
    answer = stranger.get(asked.passkey_options)
    assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer, trail)) is SECOND_FACTOR_NOT_VALID
    assert (trail.otherwise, trail.subject) == (anna.world.throttle.pretend, "")


@pytest.mark.clause("NIST 800-63B-4 3.2.5")
@pytest.mark.parametrize("origin", ["https://localhost", "https://localhost:8444", "https://valv.example", "null"])
async def test_what_was_made_or_signed_for_another_site_is_refused(anna: Member, origin: str) -> None:
    await anna.enrol_passkey()
    fake = Authenticator(origin)
    assert await reason(anna.enrol_passkey(fake)) is PASSKEY_NOT_VALID
    fake.credentials = anna.device.credentials
    asked = await anna.first_step()
    answer = fake.get(asked.passkey_options)
    assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer)) is SECOND_FACTOR_NOT_VALID


@pytest.mark.clause("ASVS 6.5.7")
async def test_a_signature_by_another_key_is_refused(anna: Member) -> None:
    """Though its authenticator says that it verified its user: a biometric is worth nothing without the key."""
    await anna.enrol_passkey()
    stranger = Authenticator(URL)
    stranger.create(await anna.passkey_options())
    stranger.credentials[0].credential_id = anna.device.credentials[0].credential_id
    stranger.credentials[0].sign_count = 100
    for asked in (await anna.first_step(), await begin_alone(anna)):
        answer = stranger.get(asked.passkey_options, stranger.credentials[0])
        assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer)) is SECOND_FACTOR_NOT_VALID


@pytest.mark.clause("ASVS 6.6.2")
async def test_a_registration_belongs_to_its_account_and_session_and_is_used_once(anna: Member) -> None:
    bo = await member(anna.world, "bo@example.com")
    made = anna.device.create(await anna.passkey_options())
    assert await reason(bo.confirm_passkey(made)) is CHALLENGE_NOT_VALID
    elsewhere = Member(anna.world, anna.account_id, bo.session_id)
    assert await reason(elsewhere.confirm_passkey(made)) is CHALLENGE_NOT_VALID
    await anna.confirm_passkey(made)
    assert await reason(anna.confirm_passkey(made)) is CHALLENGE_NOT_VALID
    made = anna.device.create(await anna.passkey_options())
    anna.world.clock.advance(300)
    assert await reason(anna.confirm_passkey(made)) is CHALLENGE_NOT_VALID


async def test_a_challenge_to_sign_in_registers_nothing_and_the_other_way_round(anna: Member) -> None:
    await anna.enrol_passkey()
    asked, options = await anna.first_step(), json.loads(await anna.passkey_options())
    challenge = json.loads(asked.passkey_options)["challenge"]
    made = anna.device.create(json.dumps({**options, "challenge": challenge}))
    assert await reason(anna.confirm_passkey(made)) is CHALLENGE_NOT_VALID
    registering = Secret(urlsafe_b64decode(options["challenge"] + "=="))
    answer = anna.device.get(json.dumps({"challenge": options["challenge"]}), anna.device.credentials[0])
    assert await reason(anna.proceed(registering, Factor.PASSKEY, answer)) is CHALLENGE_NOT_VALID


async def test_a_credential_is_added_once_whoever_adds_it(anna: Member) -> None:
    bo = await member(anna.world, "bo@example.com")
    await anna.enrol_passkey()
    thief = Authenticator(URL)
    options = await bo.passkey_options()
    made = json.loads(thief.create(options))
    known = anna.device.credentials[0].credential_id
    attestation = _with_credential(made["response"]["attestationObject"], known)
    name = _text(known)
    forged = {**made, "id": name, "rawId": name, "response": {**made["response"], "attestationObject": attestation}}
    assert await reason(bo.confirm_passkey(json.dumps(forged))) is ALREADY_EXISTS


async def test_an_account_has_twenty_at_most(anna: Member) -> None:
    for _ in range(passkeys.MOST - 1):
        await anna.enrol_passkey()
    made = [anna.device.create(await anna.passkey_options()) for _ in range(2)]
    results = await asyncio.gather(*(anna.confirm_passkey(one) for one in made), return_exceptions=True)
    assert sum(isinstance(result, Fault) for result in results) == 1
    assert len((await anna.held()).passkeys) == passkeys.MOST
    assert await reason(anna.passkey_options()) is TOO_MANY_PASSKEYS


@pytest.mark.parametrize("name, kept", [("  Åsas nyckel ", "Åsas nyckel"), ("x" * 64, "x" * 64), ("A\u030a", "Å")])
async def test_a_name_is_kept_as_written(anna: Member, name: str, kept: str) -> None:
    made = anna.device.create(await anna.passkey_options())
    assert (await anna.confirm_passkey(made, name)).display_name == kept


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\nb", "a\u202eb", "\x00"])
async def test_a_name_that_cannot_be_shown_is_refused(anna: Member, name: str) -> None:
    made = anna.device.create(await anna.passkey_options())
    assert await reason(anna.confirm_passkey(made, name)) is INVALID_ARGUMENT


@pytest.mark.parametrize(
    "answer",
    ["{}", "[]", "null", "x", '{"id":1}', "[" * 5000, '{"id":"AA","rawId":"AA","type":"public-key","response":{}}'],
)
async def test_what_is_no_answer_is_refused_and_nothing_else_happens(anna: Member, answer: str) -> None:
    await anna.enrol_passkey()
    asked = await anna.first_step()
    assert await reason(anna.proceed(asked.challenge, Factor.PASSKEY, answer)) is SECOND_FACTOR_NOT_VALID
    assert await reason(anna.confirm_passkey(answer)) is PASSKEY_NOT_VALID


@pytest.mark.clause("ASVS 6.7.1")
async def test_the_key_that_verifies_a_passkey_never_changes(anna: Member) -> None:
    made = await anna.enrol_passkey()
    asked = await begin_alone(anna)
    await anna.proceed(asked.challenge, Factor.PASSKEY, anna.device.get(asked.passkey_options))
    async with anna.world.work() as work:
        await anna.world.factors.factors.rename_passkey(work, anna.account_id, made.passkey_id, "Another name")
    forged = Authenticator(URL)
    answer = json.loads(forged.create(await anna.passkey_options()))
    attestation = _with_credential(answer["response"]["attestationObject"], made.credential_id)
    answer |= {"id": _text(made.credential_id), "rawId": _text(made.credential_id)}
    answer["response"]["attestationObject"] = attestation
    assert await reason(anna.confirm_passkey(json.dumps(answer))) is ALREADY_EXISTS
    (kept,) = (await anna.held()).passkeys
    assert (kept.display_name, kept.sign_count) == ("Another name", made.sign_count + 1)
    assert kept.public_key == made.public_key


@pytest.mark.clause("P9")
async def test_a_flood_of_wrong_codes_leaves_the_owner_their_passkey(anna: Member) -> None:
    await anna.enrol_totp()
    await anna.enrol_passkey()
    for _ in range(6):
        with pytest.raises(Fault):
            await anna.sign_in(Factor.TOTP, anna.code(9))
    assert await reason(anna.sign_in(Factor.TOTP, anna.code())) is THROTTLED
    asked = await anna.first_step()
    answer = anna.device.get(asked.passkey_options)
    await anna.proceed(asked.challenge, Factor.PASSKEY, answer, visitor=Visitor("198.51.100.1"))


@pytest.mark.clause("P9", "NIST 800-63B-4 3.2.2")
async def test_a_passkey_opens_the_password_again_that_strangers_have_used_up(anna: Member) -> None:
    await anna.enrol_passkey()
    series = anna.world.make_throttle(anna.world.rules)._series_name(Action.SIGN_IN, Who(anna.email))
    for _ in range(100):
        await anna.world.counters.add(series, anna.world.clock.now() + timedelta(days=1))
    assert await reason(anna.first_step()) is THROTTLED
    asked = await begin_alone(anna)
    await anna.proceed(asked.challenge, Factor.PASSKEY, anna.device.get(asked.passkey_options))
    await anna.first_step()


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _with_credential(attestation: str, credential_id: bytes) -> str:
    read = cbor2.loads(urlsafe_b64decode(attestation + "=="))
    data = read["authData"]
    read["authData"] = data[:55] + credential_id + data[55 + len(credential_id) :]
    return _text(cbor2.dumps(read))
