"""Auth as its callers know it: over mTLS, in a process of its own, killed and started again."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.integration.auth_stage import PASSWORD, Edge, Mailbox, Stage, edge, mail_server, refusal
from tests.support.pki import Pki
from valv.auth.v1 import account_pb2, session_pb2, session_pb2_grpc

EMAIL = "anna@example.com"


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


async def member(browser: Edge, mailbox: Mailbox, email: str = EMAIL) -> None:
    await browser.sign_up(email)
    await browser.confirm(await mailbox.token(email))


async def read(stream: Any, kind: str) -> session_pb2.WatchResponse:
    """Return the next message of that kind."""
    async with asyncio.timeout(5):
        while True:
            message: session_pb2.WatchResponse = await stream.read()
            if message.WhichOneof("body") == kind:
                return message


@pytest.mark.clause("P8", "ASVS 7.4.1", "ASVS 3.3.1", "ASVS 3.3.2", "ASVS 3.3.4")
async def test_from_sign_up_to_sign_out(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser:
        await member(browser, mailbox)
        request = account_pb2.SignInRequest(email=EMAIL, password=PASSWORD)
        call = browser.accounts.SignIn(request, metadata=browser.metadata, timeout=20)
        reply, headers = await call, await call.initial_metadata()
        assert reply.session_token == ""
        assert ("cache-control", "no-store") in tuple(headers)
        cookies = [value.partition("=") for key, value in headers if key == "set-cookie"]
        assert [name for name, _, _ in cookies] == ["__Host-valv_session", "__Host-valv_device"]
        token, *attributes = cookies[0][2].split("; ")
        assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]
        device, *attributes = cookies[1][2].split("; ")
        assert sorted(attributes) == ["HttpOnly", "Max-Age=34560000", "Path=/", "SameSite=Strict", "Secure"]
        assert device.startswith("vdt_")
        assert reply.device_token == ""

        renewed = await browser.renew(token)
        assert renewed.session_id == reply.session.session_id
        assert renewed.lifetime.seconds == 30
        signed_in = browser.with_(renewed.assertion)
        shown = await browser.accounts.GetSession(account_pb2.GetSessionRequest(), metadata=signed_in)
        assert (shown.session.email, shown.session.account_id) == (EMAIL, reply.session.account_id)
        assert 1799 < shown.session.ends.ToSeconds() - shown.session.now.ToSeconds() <= 1800

        stream = browser.watching.Watch(session_pb2.WatchRequest())
        await read(stream, "heartbeat")
        left = browser.accounts.SignOut(account_pb2.SignOutRequest(), metadata=signed_in)
        await left
        gone = [value for key, value in await left.initial_metadata() if key == "set-cookie"]
        assert all("Max-Age=0" in cookie for cookie in gone)
        assert {cookie.partition("=")[0] for cookie in gone} == {"__Host-valv_session", "__Host-valv_assertion"}
        told = await read(stream, "revocation")
        assert told.revocation.session_id == renewed.session_id
        stream.cancel()

        ended = (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
        assert await refusal(lambda: browser.renew(token)) == ended
        asked = account_pb2.GetSessionRequest()
        assert await refusal(lambda: browser.accounts.GetSession(asked, metadata=signed_in)) == ended


@pytest.mark.clause("P7")
async def test_a_passive_renewal_does_not_move_the_end_and_an_active_one_does(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser:
        await member(browser, mailbox)
        token = await browser.sign_in(EMAIL)
        first = await browser.renew(token, passive=True)
        await asyncio.sleep(0.05)
        assert (await browser.renew(token, passive=True)).ends == first.ends
        active = await browser.renew(token)
        assert active.ends.ToNanoseconds() > first.ends.ToNanoseconds()
        await asyncio.sleep(0.05)
        signed_in = browser.with_(active.assertion)
        extended = await browser.accounts.ExtendSession(account_pb2.ExtendSessionRequest(), metadata=signed_in)
        assert extended.session.ends.ToNanoseconds() > active.ends.ToNanoseconds()


@pytest.mark.clause("P8")
async def test_killed_it_forgets_neither_sessions_nor_revocations_nor_mails(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser:
        await member(browser, mailbox)
        kept, ended = await browser.sign_in(EMAIL), await browser.sign_in(EMAIL)
        before = await browser.renew(ended)
        await browser.accounts.SignOut(account_pb2.SignOutRequest(), metadata=browser.with_(before.assertion))
        await browser.sign_up("bo@example.com")
    await stage.kill()
    await stage.start()
    async with edge(stage) as browser:
        assert await refusal(lambda: browser.renew(ended)) == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
        signed_in = browser.with_(before.assertion)
        asked = account_pb2.GetSessionRequest()
        told = await refusal(lambda: browser.accounts.GetSession(asked, metadata=signed_in))
        assert told == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
        stream = browser.watching.Watch(session_pb2.WatchRequest())
        assert (await read(stream, "keys")).keys.jwks
        assert (await read(stream, "revocation")).revocation.session_id == before.session_id
        stream.cancel()
        assert (await browser.renew(kept)).assertion
        await browser.confirm(await mailbox.token("bo@example.com"))


async def test_only_the_edge_signs_people_in(stage: Stage) -> None:
    denied = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    for role in ("shop", "files", "billing", "audit", "auth", "gateway"):
        async with stage.channel(role) as channel:
            other = Edge(channel, channel)
            assert await refusal(lambda other=other: other.sign_in(EMAIL)) == denied  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
            if role != "gateway":
                call = refusal(lambda other=other: other.renew("vst_" + "A" * 43))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
                assert await call == denied


async def test_a_team_asks_who_is_signed_in_and_that_is_no_activity(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser, stage.channel("shop") as channel:
        await member(browser, mailbox)
        token = await browser.sign_in(EMAIL)
        shop: Any = session_pb2_grpc.SessionServiceStub(channel)
        first = await shop.Check(session_pb2.CheckRequest(session_token=token))
        await asyncio.sleep(0.05)
        assert await shop.Check(session_pb2.CheckRequest(session_token=token)) == first
        forged = session_pb2.CheckRequest(session_token="vst_" + "A" * 43)
        assert await refusal(lambda: shop.Check(forged)) == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")


BAD = (
    (account_pb2.SignInRequest(), "EMAIL_NOT_VALID"),
    (account_pb2.SignInRequest(email=EMAIL), "INVALID_ARGUMENT"),
    (account_pb2.SignInRequest(email=EMAIL, password="x", delivery=7), "INVALID_ARGUMENT"),  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
    (account_pb2.SignInRequest(email=EMAIL, password="x"), "BAD_CREDENTIALS"),
    (account_pb2.SignInRequest(email=EMAIL, password="\U0001f600" * 15000), "BAD_CREDENTIALS"),
    (account_pb2.SignUpRequest(email="no address", password=PASSWORD), "EMAIL_NOT_VALID"),
    (account_pb2.SignUpRequest(email=EMAIL, password="short"), "PASSWORD_TOO_SHORT"),
    (account_pb2.SignUpRequest(email=EMAIL, password=PASSWORD, locale="tlh"), "LOCALE_NOT_SUPPORTED"),
    (account_pb2.ConfirmEmailRequest(), "INVALID_ARGUMENT"),
    (account_pb2.ConfirmEmailRequest(token="vmt_" + "A" * 43), "TOKEN_NOT_VALID"),
)


async def test_bad_input_is_refused_by_name(stage: Stage) -> None:
    async with edge(stage) as browser:
        for request, told in BAD:
            method = getattr(browser.accounts, type(request).__name__.removesuffix("Request"))
            code, reason = await refusal(lambda: method(request, metadata=browser.metadata, timeout=20))  # noqa: B023 - awaited before the loop goes on
            assert (reason, code) == (
                told,
                grpc.StatusCode.UNAUTHENTICATED if told == "BAD_CREDENTIALS" else grpc.StatusCode.INVALID_ARGUMENT,
            )


@pytest.mark.clause("P6", "ASVS 11.4.2", "ASVS 7.2.3")
async def test_a_stolen_copy_of_the_database_signs_nobody_in(stage: Stage, mailbox: Mailbox) -> None:
    """By trying: everything the copy holds, in every encoding, as token, as assertion, as password, as mail token."""
    async with edge(stage) as browser:
        await member(browser, mailbox)
        await browser.sign_in(EMAIL)
        await browser.sign_up("bo@example.com")
        await mailbox.token("bo@example.com")
        copy = stage.folder / "stolen.db"
        with sqlite3.connect(stage.folder / "auth.db") as live, sqlite3.connect(copy) as stolen:
            live.backup(stolen)
        values = [value for value in _values(copy) if value]
        assert len(values) > 40
        for value in values:
            for text in _spellings(value):
                for prefix in ("", "vst_"):
                    refused = await refusal(lambda text=prefix + text: browser.renew(text))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
                    assert refused[1] in ("SESSION_ENDED", "INVALID_ARGUMENT")
        for value in values:
            for text in _spellings(value):
                token = account_pb2.ConfirmEmailRequest(token="vmt_" + text)
                call = refusal(lambda token=token: browser.accounts.ConfirmEmail(token, metadata=browser.metadata))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
                assert (await call)[1] in ("TOKEN_NOT_VALID", "INVALID_ARGUMENT")
        with sqlite3.connect(copy) as stolen:
            digest = stolen.execute("SELECT digest FROM passwords").fetchone()[0]
        assert (await refusal(lambda: browser.sign_in(EMAIL, digest)))[1] == "BAD_CREDENTIALS"


def _values(path: Path) -> list[str | bytes]:
    found: list[str | bytes] = []
    with sqlite3.connect(path) as database:
        names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in database.execute(f"SELECT * FROM {name}"):  # noqa: S608 - names from the database itself
                found += [value for value in row if isinstance(value, str | bytes)]
    return found


def _spellings(value: str | bytes) -> set[str]:
    raw = value.encode() if isinstance(value, str) else value
    hashed = hashlib.sha256(raw).digest()
    codes = {base64.urlsafe_b64encode(one).decode().rstrip("=") for one in (raw, hashed)}
    return {text[:4000] for text in (*codes, raw.hex(), raw.decode("utf-8", "ignore")) if text}


@pytest.mark.clause("P6", "ASVS 16.2.5")
async def test_at_debug_no_secret_reaches_a_log_a_span_a_database_or_the_disk(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser:
        await browser.sign_up(EMAIL)
        mail_token = await mailbox.token(EMAIL)
        await browser.confirm(mail_token)
        token = await browser.sign_in(EMAIL)
        await refusal(lambda: browser.sign_in(EMAIL, PASSWORD + " wrong"))
        await refusal(lambda: browser.confirm(mail_token))
        assertion = (await browser.renew(token)).assertion
        await browser.accounts.GetSession(account_pb2.GetSessionRequest(), metadata=browser.with_(assertion))
    await stage.stop()
    keys = {"pepper.toml", "signing.json"}
    secrets = [PASSWORD, mail_token, token, assertion.rpartition(".")[2], *_keys(stage.folder)]
    files = [path for path in stage.folder.rglob("*") if path.is_file() and path.name not in keys]
    assert {"auth.log", "spans.jsonl", "auth.db", "keys.db"} <= {path.name for path in files}
    for path in files:
        data = path.read_bytes()
        for secret in secrets:
            raw = secret.encode()
            for form in (raw, base64.b64encode(raw)[:-4], raw.hex().encode()):
                assert form not in data, path.name


def _keys(folder: Path) -> list[str]:
    signing = json.loads((folder / "signing.json").read_text())["keys"][0]["d"]
    return [(folder / "pepper.toml").read_text().split('"')[-2], signing]


async def test_it_stops_at_once_though_others_follow_its_stream(stage: Stage) -> None:
    async with edge(stage) as browser:
        stream = browser.watching.Watch(session_pb2.WatchRequest())
        await read(stream, "heartbeat")
        begun = time.monotonic()
        assert await stage.stop() == 0
        assert time.monotonic() - begun < 4


async def test_without_the_pepper_of_its_passwords_it_does_not_start(stage: Stage, mailbox: Mailbox) -> None:
    async with edge(stage) as browser:
        await member(browser, mailbox)
    await stage.stop()
    (stage.folder / "pepper.toml").unlink()
    with pytest.raises(AssertionError):
        await stage.start()
    assert "PepperError" in stage.log()


@pytest.mark.clause("P8")
async def test_replicas_share_sessions_and_tell_each_other_who_left(
    tmp_path: Path, mailbox: Mailbox, postgres_url: str, redis_url: str
) -> None:
    shared = f'shared = {{ activity = "redis", counters = "redis", hints = "redis", redis_url = "{redis_url}" }}'
    pki = Pki(tmp_path)
    async with mail_server(mailbox) as port:
        stages: list[Stage] = []
        for number in range(2):
            folder = tmp_path / str(number)
            folder.mkdir()
            if stages:
                for name in ("pepper.toml", "signing.json"):
                    shutil.copy(stages[0].folder / name, folder / name)
            stages.append(Stage(folder, pki, port, postgres_url, shared))
            await stages[-1].start()
        async with edge(stages[0]) as one, edge(stages[1]) as two:
            await member(one, mailbox)
            token = await two.sign_in(EMAIL)
            renewed = await one.renew(token)
            stream = two.watching.Watch(session_pb2.WatchRequest())
            await read(stream, "heartbeat")
            await one.accounts.SignOut(account_pb2.SignOutRequest(), metadata=one.with_(renewed.assertion))
            left = time.monotonic()
            await read(stream, "revocation")
            assert time.monotonic() - left < 0.5
            ended = (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
            asked = account_pb2.GetSessionRequest()
            signed_in = two.with_(renewed.assertion)
            assert await refusal(lambda: two.accounts.GetSession(asked, metadata=signed_in)) == ended
            stream.cancel()
        assert [await stage.stop() for stage in stages] == [0, 0]
