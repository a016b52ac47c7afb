"""Operators as the command line lets them in: with a personal certificate, recorded, and with nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from google.protobuf.timestamp_pb2 import Timestamp

from deploy.cli import accounts, certs, operator
from services.kit.clock import SystemClock
from tests.integration.auth_stage import Edge, Mailbox, Stage, edge, mail_server, refusal
from tests.support.pki import Pki
from tests.support.servers import free_ports
from valv.audit.v1 import event_pb2
from valv.auth.v1 import operator_pb2, operator_pb2_grpc

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


def events(stage: Stage) -> list[event_pb2.Event]:
    """What auth has recorded so far."""
    with sqlite3.connect(stage.folder / "auth.db") as database:
        rows = database.execute("SELECT event FROM outbox ORDER BY id").fetchall()
    return [event_pb2.Event.FromString(row[0]) for row in rows]


async def issue(stage: Stage, name: str, *more: str) -> int:
    return await asyncio.to_thread(
        operator.main, ["issue", name, "--certs", str(stage.folder), "--auth", f"127.0.0.1:{stage.port}", *more]
    )


async def run(stage: Stage, command: str, account: str, *more: str, certificate: Path | None = None) -> int:
    own = certificate or stage.folder / "operator" / "greta.pem"
    flags = ["--auth", f"127.0.0.1:{stage.port}", "--bundle", str(stage.folder / "workload" / "ca.pem")]
    return await asyncio.to_thread(accounts.main, [command, account, "--certificate", str(own), *flags, *more])


async def member(browser: Edge, mailbox: Mailbox) -> str:
    await browser.sign_up(EMAIL)
    await browser.confirm(await mailbox.token(EMAIL))
    return await browser.sign_in(EMAIL)


@pytest.mark.clause("P5", "PCI DSS 10.2.1.2", "PCI DSS 10.2.1.5")
async def test_a_certificate_is_recorded_under_its_holders_name(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await issue(stage, "greta", "--hours", "2") == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == stage.folder / "operator" / "greta.pem"
    assert [file.stat().st_mode & 0o777 for file in (path, path.with_suffix(".key"))] == [0o600, 0o600]
    certificate = x509.load_pem_x509_certificate(await asyncio.to_thread(path.read_bytes))
    lifetime = certificate.not_valid_after_utc - SystemClock().now()
    assert timedelta(hours=1, minutes=55) < lifetime <= timedelta(hours=2)
    (event,) = [one for one in events(stage) if one.action == "auth.operator.certificate"]
    assert (event.actor.kind, event.actor.id) == (event_pb2.Actor.KIND_OPERATOR, "greta")
    serial = certificate.serial_number
    assert event.object.id == f"serial-{serial.to_bytes((serial.bit_length() + 7) // 8).hex()}"


async def test_a_certificate_that_cannot_be_recorded_is_not_left(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    (nobody,) = free_ports(1)
    assert await issue(stage, "greta", "--auth", f"127.0.0.1:{nobody}") == 1
    assert "no certificate was issued" in capsys.readouterr().err
    assert list((stage.folder / "operator").iterdir()) == []
    for name, *more in (("greta", "--hours", "25"), ("greta", "--hours", "0"), ("Greta",), ("../envoy",)):
        assert await issue(stage, name, *more) != 0
    assert await issue(stage, "greta", "--certs", str(stage.folder / "elsewhere")) == 1
    assert not (stage.folder / "elsewhere").exists(), "no authority is made up"
    assert list((stage.folder / "operator").iterdir()) == []


@pytest.mark.clause("P5", "P8", "ASVS 7.4.2", "ASVS 7.4.5")
async def test_disabling_ends_sessions_and_lets_nobody_in(
    stage: Stage, mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    await issue(stage, "greta")
    async with edge(stage) as browser:
        token = await member(browser, mailbox)
        assert await run(stage, "find", EMAIL) == 0
        shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:])
        assert (shown["address"], shown["disabled"], shown["sessions"]) == (EMAIL, "no", "1 open")
        account = shown["account"]
        assert await run(stage, "disable", account, "--reason", "compromised") == 0
        assert "1 sessions" in capsys.readouterr().out
        assert await refusal(lambda: browser.renew(token)) == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
        wrong = (grpc.StatusCode.UNAUTHENTICATED, "BAD_CREDENTIALS")
        assert await refusal(lambda: browser.sign_in(EMAIL)) == wrong
        assert await refusal(lambda: browser.sign_in("nobody@example.com")) == wrong
        assert await run(stage, "enable", account) == 0
        again = await browser.sign_in(EMAIL)
        assert await run(stage, "end-sessions", account) == 0
        assert await refusal(lambda: browser.renew(again)) == (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED")
    uses = [one for one in events(stage) if one.actor.kind == event_pb2.Actor.KIND_OPERATOR and one.subject]
    assert {(one.actor.id, one.subject) for one in uses} == {("greta", account)}
    assert [one.action.rpartition(".")[2] for one in uses] == ["find", "disable", "enable", "end_sessions"]
    assert (uses[1].details.cause, uses[1].details.count, uses[3].details.count) == ("compromised", 1, 1)


@pytest.mark.clause("P3", "ASVS 8.2.1")
async def test_no_other_certificate_gets_in(stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = SystemClock().now()
    account = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9"
    for role in ("envoy", "gateway", "files", "shop", "auth"):
        stage.pki.issue([role])
        assert await run(stage, "find", account, certificate=tmp_path / "workload" / f"{role}.pem") == 1
        assert "PERMISSION_DENIED" in capsys.readouterr().err
    expired = certs.issue_operator(tmp_path, "late", now - timedelta(hours=2), lifetime=timedelta(hours=1))
    certs.issue(tmp_path / "other", ["auth"], now)
    stranger = certs.issue_operator(tmp_path / "other", "greta", now)
    for certificate in (expired, stranger):
        assert await run(stage, "find", account, certificate=certificate) == 1
        assert "auth does not answer: UNAVAILABLE" in capsys.readouterr().err
    assert await run(stage, "find", account, certificate=tmp_path / "operator" / "nobody.pem") == 1
    assert "cannot read" in capsys.readouterr().err


async def test_an_operator_reaches_nothing_else(stage: Stage) -> None:
    config = stage.pki.operator("greta")
    credentials = grpc.ssl_channel_credentials(
        config.bundle.read_bytes(), config.key.read_bytes(), config.certificate.read_bytes()
    )
    options = (("grpc.ssl_target_name_override", f"auth.{stage.pki.domain}"), ("grpc.enable_http_proxy", 0))
    async with grpc.aio.secure_channel(f"127.0.0.1:{stage.port}", credentials, options) as channel:
        browser = Edge(channel, channel)
        denied = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
        assert await refusal(lambda: browser.sign_in(EMAIL)) == denied
        assert await refusal(lambda: browser.renew("vst_" + "a" * 43)) == denied
        stub: Any = operator_pb2_grpc.OperatorServiceStub(channel)
        invalid = (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
        for request in (
            operator_pb2.AnnounceCertificateRequest(),
            operator_pb2.AnnounceCertificateRequest(serial=b"1" * 21),
            operator_pb2.AnnounceCertificateRequest(serial=b"1", not_after=Timestamp(seconds=1 << 62)),
        ):
            assert await refusal(lambda asked=request: stub.AnnounceCertificate(asked)) == invalid  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
        assert await refusal(lambda: stub.FindAccount(operator_pb2.FindAccountRequest())) == invalid
        wrong = operator_pb2.DisableAccountRequest(account_id="usr_01jd9xk8w0q2m3n4p5r6s7t8v9")
        assert await refusal(lambda: stub.DisableAccount(wrong)) == invalid
