"""Second factors as the edge knows them: over mTLS, in a process of its own, recorded, told to all services."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pyotp
import pytest

from services.auth import assertions
from services.auth.assertions import AssertionSigner
from services.auth.sessions import Session
from tests.integration.auth_stage import PASSWORD, Edge, Mailbox, Stage, edge, mail_server, refusal
from tests.support.authenticator import Authenticator
from tests.support.authenticator_app import shown
from tests.support.pki import Pki
from valv.audit.v1 import event_pb2
from valv.auth.v1 import account_pb2, factor_pb2, factor_pb2_grpc

EMAIL = "anna@example.com"
URL = "https://localhost:8443"
BODY = account_pb2.TOKEN_DELIVERY_BODY
NEW_PASSWORD = "the heron waits beside the reeds"


@pytest.fixture
def mailbox() -> Mailbox:
    """What the mail server took."""
    return Mailbox()


@pytest.fixture
async def stage(tmp_path: Path, mailbox: Mailbox) -> AsyncIterator[Stage]:
    """Auth, serving."""
    async with mail_server(mailbox) as port:
        made = Stage(tmp_path, Pki(tmp_path), port)
        await made.start()
        yield made
        await made.stop()


class Person:
    """Somebody signed in, with the factors contract at hand."""

    def __init__(self, browser: Edge, channel: grpc.aio.Channel) -> None:
        self.browser, self.accounts = browser, browser.accounts
        self.factors: Any = factor_pb2_grpc.FactorServiceStub(channel)
        self.token, self.assertion = "", ""

    async def begin(self, mailbox: Mailbox) -> None:
        """Sign up, confirm and sign in."""
        await self.browser.sign_up(EMAIL)
        await self.browser.confirm(await mailbox.token(EMAIL))
        await self.take(await self.browser.sign_in(EMAIL))

    async def take(self, token: str) -> None:
        """Go on with another session."""
        self.token, self.assertion = token, (await self.browser.renew(token)).assertion

    @property
    def signed_in(self) -> tuple[tuple[str, str], ...]:
        return self.browser.with_(self.assertion)

    async def call(self, name: str, request: Any) -> Any:
        return await getattr(self.factors, name)(request, metadata=self.signed_in, timeout=20)

    async def password(self, password: str = PASSWORD) -> Any:
        request = account_pb2.SignInRequest(email=EMAIL, password=password, delivery=BODY)
        return await self.accounts.SignIn(request, metadata=self.browser.metadata, timeout=20)

    async def proceed(self, challenge: str, **answer: str) -> Any:
        request = account_pb2.ContinueSignInRequest(challenge=challenge, delivery=BODY, **answer)
        return await self.accounts.ContinueSignIn(request, metadata=self.browser.metadata, timeout=20)

    async def again(self, password: str = PASSWORD) -> Any:
        request = account_pb2.ReauthenticateRequest(password=password, delivery=BODY)
        return await self.accounts.Reauthenticate(request, metadata=self.signed_in, timeout=20)


@pytest.fixture
async def anna(stage: Stage, mailbox: Mailbox) -> AsyncIterator[Person]:
    """Anna, signed in."""
    async with edge(stage) as browser, stage.channel("envoy") as channel:
        person = Person(browser, channel)
        await person.begin(mailbox)
        yield person


async def enrol_totp(anna: Person) -> tuple[pyotp.TOTP, list[str]]:
    """Turn an app on with the code of the step before: it leaves the present one for the next sign-in."""
    begun = await anna.call("BeginTotp", factor_pb2.BeginTotpRequest())
    app = pyotp.TOTP(begun.secret)
    assert pyotp.parse_uri(begun.otpauth_uri).secret == begun.secret
    confirmed = await anna.call("ConfirmTotp", factor_pb2.ConfirmTotpRequest(code=shown(app, -1)))
    return app, list(confirmed.recovery_codes)


async def enrol_passkey(anna: Person, device: Authenticator) -> factor_pb2.Passkey:
    begun = await anna.call("BeginPasskey", factor_pb2.BeginPasskeyRequest())
    made = factor_pb2.ConfirmPasskeyRequest(credential_json=device.create(begun.options_json), display_name="Laptop")
    passkey: factor_pb2.Passkey = (await anna.call("ConfirmPasskey", made)).passkey
    return passkey


def events(stage: Stage) -> list[event_pb2.Event]:
    with sqlite3.connect(stage.folder / "auth.db") as connection:
        rows = connection.execute("SELECT event FROM outbox ORDER BY id").fetchall()
    return [event_pb2.Event.FromString(row[0]) for row in rows]


@pytest.mark.clause("P9", "ASVS 16.3.1", "PCI DSS 10.2.1.5")
async def test_an_app_from_enrolment_to_removal_with_every_step_on_record(
    stage: Stage, anna: Person, mailbox: Mailbox
) -> None:
    app, codes = await enrol_totp(anna)
    assert len(codes) == 10
    asked = await anna.password()
    assert not asked.HasField("session")
    assert list(asked.next.factors) == [account_pb2.FACTOR_TOTP, account_pb2.FACTOR_RECOVERY_CODE]
    code = shown(app)
    opened = await anna.proceed(asked.next.challenge, totp_code=code)
    assert opened.session.email == EMAIL
    asked = await anna.password()
    wrong = (grpc.StatusCode.UNAUTHENTICATED, "SECOND_FACTOR_NOT_VALID")
    assert await refusal(lambda: anna.proceed(asked.next.challenge, totp_code=code)) == wrong
    opened = await anna.proceed(asked.next.challenge, recovery_code=codes[0])
    await anna.take(opened.session_token)
    listed = await anna.call("ListFactors", factor_pb2.ListFactorsRequest())
    assert (listed.has_password, listed.HasField("totp_confirmed"), listed.recovery_codes_left) == (True, True, 9)
    required = (grpc.StatusCode.FAILED_PRECONDITION, "PASSWORD_REQUIRED")
    assert await refusal(lambda: anna.call("RemoveTotp", factor_pb2.RemoveTotpRequest())) == required
    await anna.call("RemoveTotp", factor_pb2.RemoveTotpRequest(new_password=NEW_PASSWORD))
    assert (await anna.password(NEW_PASSWORD)).HasField("session")

    kept = events(stage)
    told = [(one.action, one.details.factor, one.reason) for one in kept if one.action.startswith("auth.session")]
    assert told == [
        ("auth.session.open", "pwd", ""),
        ("auth.session.challenge", "pwd", ""),
        ("auth.session.open", "otp", ""),
        ("auth.session.challenge", "pwd", ""),
        ("auth.session.continue", "otp", "SECOND_FACTOR_NOT_VALID"),
        ("auth.session.open", "rc", ""),
        ("auth.session.open", "pwd", ""),
    ]
    assert len({one.subject for one in kept if one.subject}) == 1
    assert [one.action for one in kept if one.action.startswith("auth.totp")] == [
        "auth.totp.begin", "auth.totp.confirm", "auth.totp.remove", "auth.totp.remove",
    ]  # fmt: skip


@pytest.mark.clause("P9", "P8")
async def test_a_passkey_signs_in_alone_and_the_password_can_go(stage: Stage, anna: Person) -> None:
    device = Authenticator(URL)
    passkey = await enrol_passkey(anna, device)
    assert passkey.verifies_user
    begun = await anna.accounts.BeginPasskeySignIn(
        account_pb2.BeginPasskeySignInRequest(), metadata=anna.browser.metadata
    )
    answer = device.get(begun.next.passkey_options_json)
    opened = await anna.proceed(begun.next.challenge, passkey_json=answer)
    stale = (grpc.StatusCode.INVALID_ARGUMENT, "CHALLENGE_NOT_VALID")
    assert await refusal(lambda: anna.proceed(begun.next.challenge, passkey_json=answer)) == stale
    await anna.take(opened.session_token)
    renamed = factor_pb2.RenamePasskeyRequest(passkey_id=passkey.passkey_id, display_name="Phone")
    await anna.call("RenamePasskey", renamed)
    await anna.call("RemovePassword", factor_pb2.RemovePasswordRequest())
    denied = (grpc.StatusCode.UNAUTHENTICATED, "BAD_CREDENTIALS")
    assert await refusal(anna.password) == denied
    listed = await anna.call("ListFactors", factor_pb2.ListFactorsRequest())
    assert (listed.has_password, listed.passkeys[0].display_name) == (False, "Phone")
    assert listed.passkeys[0].HasField("used")
    asked = await anna.again("")
    again = await anna.proceed(asked.next.challenge, passkey_json=device.get(asked.next.passkey_options_json))
    await anna.take(again.session_token)
    remove = factor_pb2.RemovePasskeyRequest(passkey_id=passkey.passkey_id)
    required = (grpc.StatusCode.FAILED_PRECONDITION, "PASSWORD_REQUIRED")
    assert await refusal(lambda: anna.call("RemovePasskey", remove)) == required
    objects = {(one.action, one.object.kind) for one in events(stage) if one.action.startswith("auth.passkey")}
    assert {("auth.passkey.confirm", "psk"), ("auth.passkey.rename", "psk"), ("auth.passkey.remove", "psk")} <= objects


@pytest.mark.clause("ASVS 7.2.4", "ASVS 7.5.1", "P8")
async def test_an_old_sign_in_is_asked_to_authenticate_again_and_then_may(stage: Stage, anna: Person) -> None:
    old = aged(stage, anna, timedelta(seconds=601))
    again = (grpc.StatusCode.UNAUTHENTICATED, "REAUTHENTICATE")
    fresh, anna.assertion = anna.assertion, old
    for name, request in (
        ("BeginTotp", factor_pb2.BeginTotpRequest()),
        ("ConfirmTotp", factor_pb2.ConfirmTotpRequest(code="123456")),
        ("RemoveTotp", factor_pb2.RemoveTotpRequest()),
        ("BeginPasskey", factor_pb2.BeginPasskeyRequest()),
        ("ConfirmPasskey", factor_pb2.ConfirmPasskeyRequest(credential_json="{}", display_name="x")),
        ("RenamePasskey", factor_pb2.RenamePasskeyRequest(passkey_id="psk_x", display_name="x")),
        ("RemovePasskey", factor_pb2.RemovePasskeyRequest(passkey_id="psk_x")),
        ("GenerateRecoveryCodes", factor_pb2.GenerateRecoveryCodesRequest()),
        ("RemovePassword", factor_pb2.RemovePasswordRequest()),
    ):
        assert await refusal(lambda name=name, request=request: anna.call(name, request)) == again  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
    await anna.call("ListFactors", factor_pb2.ListFactorsRequest())
    token = anna.token
    opened = await anna.again()
    await anna.take(opened.session_token)
    await anna.call("BeginTotp", factor_pb2.BeginTotpRequest())
    ended = (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
    assert await refusal(lambda: anna.browser.renew(token)) == ended
    anna.assertion = fresh
    assert await refusal(lambda: anna.call("ListFactors", factor_pb2.ListFactorsRequest())) == ended


def aged(stage: Stage, anna: Person, age: timedelta) -> str:
    """The same session, as if its person had signed in so long ago."""
    shown = json.loads(_payload(anna.assertion))
    now = datetime.now(UTC)
    signer = AssertionSigner(assertions.load(stage.folder / "signing.json"), URL, "valv")
    session = Session(shown["sid"], shown["sub"], now, now + timedelta(hours=1), now, ("pwd",))
    minted = signer.sign(replace(session, opened=now - age), now + timedelta(minutes=10), now)
    return minted.token.text()


def _payload(token: str) -> bytes:
    return urlsafe_b64decode(token.split(".")[1] + "==")


async def test_a_change_ends_other_sessions_in_every_service_and_mails(
    stage: Stage, anna: Person, mailbox: Mailbox
) -> None:
    other = await anna.browser.sign_in(EMAIL)
    await enrol_totp(anna)
    assert await refusal(lambda: anna.browser.renew(other)) == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
    await anna.browser.renew(anna.token)
    async with asyncio.timeout(20):
        while True:
            if any(mail["Subject"] == "A way to sign in was added" for mail in mailbox.mails):
                break
            await asyncio.sleep(0.05)


async def test_a_browser_gets_its_cookies_when_the_second_step_is_done(anna: Person) -> None:
    app, _ = await enrol_totp(anna)
    request = account_pb2.SignInRequest(email=EMAIL, password=PASSWORD)
    call = anna.accounts.SignIn(request, metadata=anna.browser.metadata)
    asked, headers = await call, await call.initial_metadata()
    assert "set-cookie" not in dict(headers)
    assert ("cache-control", "no-store") in tuple(headers)
    proceed = account_pb2.ContinueSignInRequest(challenge=asked.next.challenge, totp_code=shown(app))
    call = anna.accounts.ContinueSignIn(proceed, metadata=anna.browser.metadata)
    opened, headers = await call, await call.initial_metadata()
    assert opened.session_token == ""
    names = {value.partition("=")[0] for key, value in headers if key == "set-cookie"}
    assert {"__Host-valv_session", "__Host-valv_device"} <= names


@pytest.mark.parametrize(
    "answer", [{}, {"totp_code": "123456", "recovery_code": "x"}, {"recovery_code": "x", "passkey_json": "{}"}]
)
async def test_a_challenge_takes_exactly_one_answer(anna: Person, answer: dict[str, str]) -> None:
    await enrol_totp(anna)
    asked = await anna.password()
    wrong = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert await refusal(lambda: anna.proceed(asked.next.challenge, **answer)) == wrong
