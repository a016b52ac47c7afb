"""What customers do with their sessions, password and address, as the edge calls it: over mTLS, mailed, recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.kit.clients import reason_of
from tests.integration.auth_stage import PASSWORD, Edge, Mailbox, Stage, edge, mail_server, refusal
from tests.support.pki import Pki
from valv.audit.v1 import event_pb2
from valv.auth.v1 import account_pb2, email_pb2, email_pb2_grpc, security_pb2, security_pb2_grpc

EMAIL, NEW_EMAIL = "anna@example.com", "anna@example.net"
NEW = "another lighthouse, another keeper"
ENDED = (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")


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
    """One session of somebody, as an API client has it."""

    def __init__(self, browser: Edge, channel: grpc.aio.Channel, token: str) -> None:
        self.security: Any = security_pb2_grpc.SecurityServiceStub(channel)
        self.email: Any = email_pb2_grpc.EmailServiceStub(channel)
        self.browser, self.token = browser, token

    async def call(self, method: Any, request: Any) -> Any:
        """Make a call in this session."""
        renewed = await self.browser.renew(self.token)
        return await method(request, metadata=self.browser.with_(renewed.assertion), timeout=20)

    async def sessions(self) -> list[security_pb2.OwnSession]:
        """List."""
        reply = await self.call(self.security.ListSessions, security_pb2.ListSessionsRequest())
        return list(reply.sessions)

    async def dead(self) -> bool:
        """Whether the token is dead."""
        try:
            await self.browser.renew(self.token)
        except grpc.aio.AioRpcError as error:
            told = error.code(), reason_of(error)
        else:
            return False
        assert told == ENDED
        return True


async def member(browser: Edge, mailbox: Mailbox, email: str = EMAIL) -> None:
    await browser.sign_up(email)
    await browser.confirm(await mailbox.token(email))


def recorded(stage: Stage) -> list[tuple[str, str]]:
    with sqlite3.connect(stage.folder / "auth.db") as database:
        rows = database.execute("SELECT event FROM outbox ORDER BY id").fetchall()
    events = [event_pb2.Event.FromString(row[0]) for row in rows]
    return [(event.action, event.reason) for event in events]


@pytest.mark.clause("ASVS 7.5.2", "ASVS 7.4.3", "ASVS 8.2.2", "P8", "P9")
async def test_sessions_are_listed_and_ended_one_others_all(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser, stage.channel("envoy") as channel:
        await member(browser, mailbox)
        await member(browser, mailbox, "bo@example.com")
        bo = Person(browser, channel, await browser.sign_in("bo@example.com"))
        first, second, third, fourth = [Person(browser, channel, await browser.sign_in(EMAIL)) for _ in range(4)]
        listed = await second.sessions()
        assert [one.current for one in listed] == [True, False, False, False]
        assert {(one.device, one.place, tuple(one.factors)) for one in listed} == {("grpc", "192.0.0.0/16", ("pwd",))}
        (bos,) = await bo.sessions()
        missing = (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
        end, request = second.security.EndSession, security_pb2.EndSessionRequest
        for unknown in (bos.session_id, "ses_01jd9xk8w0q2m3n4p5r6s7t8v9", "", "x"):
            assert await refusal(lambda: second.call(end, request(session_id=unknown))) == missing  # noqa: B023 - awaited before the loop goes on
        (target,) = [one.session_id for one in await first.sessions() if one.current]
        await second.call(end, request(session_id=target))
        assert [await one.dead() for one in (first, second, third, fourth, bo)] == [True, False, False, False, False]
        reply = await second.call(second.security.EndOtherSessions, security_pb2.EndOtherSessionsRequest())
        assert reply.ended == 2
        assert [await one.dead() for one in (second, third, fourth, bo)] == [False, True, True, False]
        third = Person(browser, channel, await browser.sign_in(EMAIL))
        reply = await third.call(third.security.EndAllSessions, security_pb2.EndAllSessionsRequest())
        assert reply.ended == 2
        assert [await one.dead() for one in (second, third, bo)] == [True, True, False]
    actions = recorded(stage)
    assert actions.count(("auth.session.end", "")) == 1
    assert actions.count(("auth.session.end", "NOT_FOUND")) == 4
    assert {("auth.session.list", ""), ("auth.session.end_others", ""), ("auth.session.end_all", "")} <= set(actions)


@pytest.mark.clause("ASVS 6.2.2", "ASVS 6.2.3", "ASVS 7.2.4", "ASVS 6.3.7", "P8")
async def test_a_changed_password_gives_a_new_token_and_ends_everything_else(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser, stage.channel("envoy") as channel:
        await member(browser, mailbox)
        mine, other = [Person(browser, channel, await browser.sign_in(EMAIL)) for _ in range(2)]
        change, request = mine.security.ChangePassword, security_pb2.ChangePasswordRequest
        wrong = request(current_password="wrong and wrong again", new_password=NEW)
        assert await refusal(lambda: mine.call(change, wrong)) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "PASSWORD_WRONG",
        )
        asked = request(current_password=PASSWORD, new_password=NEW, delivery=account_pb2.TOKEN_DELIVERY_BODY)
        reply = await mine.call(change, asked)
        assert [await one.dead() for one in (mine, other)] == [True, True]
        mine.token = reply.session_token
        (only,) = await mine.sessions()
        assert only.session_id == reply.session.session_id
        assert reply.session.email == EMAIL
        as_browser = mine.call(change, request(current_password=NEW, new_password=PASSWORD))
        assert (await as_browser).session_token == ""
        assert await mine.dead()
        subjects = [str(mail["Subject"]) for mail in await mailbox.wait(4)]
        assert subjects.count("Your password was changed") == 2


@pytest.mark.clause("ASVS 6.4.3", "ASVS 6.3.8", "ASVS 6.3.7", "P9")
async def test_recovery_by_mail_sets_a_password_and_signs_nobody_in(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser, stage.channel("envoy") as channel:
        await member(browser, mailbox)
        mine = Person(browser, channel, await browser.sign_in(EMAIL))
        stub, metadata = mine.email, {"metadata": browser.metadata, "timeout": 20}
        before = await mailbox.token(EMAIL)
        answers = [
            await stub.Recover(email_pb2.RecoverRequest(email=email), **metadata)
            for email in ("nobody@example.com", EMAIL)
        ]
        assert answers[0] == answers[1] == email_pb2.RecoverResponse()
        token = await mailbox.token(EMAIL, other_than=before)
        request = email_pb2.ResetPasswordRequest(token=token, new_password=NEW)
        reset = stub.ResetPassword(request, **metadata)
        assert await reset == email_pb2.ResetPasswordResponse()
        assert not [value for key, value in await reset.initial_metadata() if key == "set-cookie"]
        assert await mine.dead()
        again = await refusal(lambda: stub.ResetPassword(request, **metadata))
        assert again == (grpc.StatusCode.INVALID_ARGUMENT, "TOKEN_NOT_VALID")
        assert (await refusal(lambda: browser.sign_in(EMAIL)))[1] == "BAD_CREDENTIALS"
        await browser.sign_in(EMAIL, NEW)
    assert {("auth.account.recover", ""), ("auth.password.reset", "")} <= set(recorded(stage))


@pytest.mark.clause("ASVS 6.3.7", "ASVS 7.5.1", "P9")
async def test_an_address_changes_once_its_new_mailbox_and_the_signed_in_owner_agree(
    stage: Stage, mailbox: Mailbox
) -> None:
    async with edge(stage) as browser, stage.channel("envoy") as channel:
        await member(browser, mailbox)
        mine, other = [Person(browser, channel, await browser.sign_in(EMAIL)) for _ in range(2)]
        await mine.call(mine.email.SetLocale, email_pb2.SetLocaleRequest(locale="sv"))
        asked = email_pb2.SetLocaleRequest(locale="tlh")
        assert (await refusal(lambda: mine.call(mine.email.SetLocale, asked)))[1] == "LOCALE_NOT_SUPPORTED"
        await mine.call(mine.email.ChangeEmail, email_pb2.ChangeEmailRequest(new_email=NEW_EMAIL))
        request = email_pb2.ConfirmEmailChangeRequest(token=await mailbox.token(NEW_EMAIL))
        nobody = mine.email.ConfirmEmailChange
        assert (await refusal(lambda: nobody(request, metadata=browser.metadata)))[1] == "UNAUTHENTICATED"
        reply = await mine.call(mine.email.ConfirmEmailChange, request)
        assert reply.email == NEW_EMAIL
        assert [await one.dead() for one in (mine, other)] == [False, True]
        assert (await refusal(lambda: browser.sign_in(EMAIL)))[1] == "BAD_CREDENTIALS"
        await browser.sign_in(NEW_EMAIL)
        wanted = {
            (EMAIL, "Någon har bett om att byta din e-postadress"),
            (EMAIL, "Din e-postadress har bytts"),
            (NEW_EMAIL, "Din e-postadress har bytts"),
        }
        count = 5
        while not wanted <= {(str(mail["To"]), str(mail["Subject"])) for mail in await mailbox.wait(count)}:
            count += 1  # they come in any order, and waiting for one too many fails


@pytest.mark.clause("ASVS 7.2.4", "P9")
async def test_a_sign_in_ends_the_session_it_carried_and_knows_its_device_again(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser:
        await member(browser, mailbox)
        before = await browser.sign_in(EMAIL)
        request = account_pb2.SignInRequest(email=EMAIL, password=PASSWORD)
        carried = (*browser.metadata, ("x-valv-session", before))
        call = browser.accounts.SignIn(request, metadata=carried, timeout=20)
        await call
        assert await refusal(lambda: browser.renew(before)) == ENDED
        cookies = [value for key, value in await call.initial_metadata() if key == "set-cookie"]
        (device,) = [one.partition("=")[2].partition(";")[0] for one in cookies if "valv_device" in one]
        told = [str(mail["Subject"]) for mail in await mailbox.wait(2)]
        assert told == ["Confirm your e-mail address", "A new device signed in"]
        for extra in ((("x-valv-device", device),), ()):
            request.delivery = account_pb2.TOKEN_DELIVERY_BODY
            request.device_token = "" if extra else device
            reply = await browser.accounts.SignIn(request, metadata=(*browser.metadata, *extra), timeout=20)
            assert reply.device_token == device
        await browser.sign_up("bo@example.com")
        await mailbox.token("bo@example.com")
        assert len(mailbox.mails) == 3
    assert ("auth.session.supersede", "") in recorded(stage)
