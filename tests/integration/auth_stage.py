"""The auth service as a process of its own, over real mTLS, with a real mail server beside it."""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import grpc
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.auth import assertions, pepper
from services.auth.config import Config
from services.kit.clients import reason_of
from services.kit.config import load
from services.kit.envelope import create_root_key
from services.kit.migrate import migrate
from tests.support.pki import Pki
from tests.support.servers import free_ports
from valv.auth.v1 import account_pb2, account_pb2_grpc, email_pb2_grpc, session_pb2, session_pb2_grpc

ROOM = Path(assertions.__file__).parent
PASSWORD = "a lighthouse keeper counts waves"
HOME = "192.0.2.7"


@dataclass
class Mailbox:
    """What a mail server took."""

    mails: list[EmailMessage] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        self.tls.append(session.ssl is not None)
        return "250 taken"

    async def wait(self, count: int) -> list[EmailMessage]:
        """Return the mails once there are so many."""
        async with asyncio.timeout(20):
            while True:
                if len(self.mails) >= count:
                    return self.mails
                await asyncio.sleep(0.05)

    async def token(self, recipient: str, other_than: str = "") -> str:
        """Return the token of the newest mail to somebody, waiting for one that is not this."""
        async with asyncio.timeout(20):
            while True:
                for mail in reversed(self.mails):
                    part = mail.get_body(("plain",))
                    found = re.search(r"#token=([\w-]+)", part.get_content()) if part else None
                    if mail["To"] == recipient and found and found[1] != other_than:
                        return found[1]
                await asyncio.sleep(0.05)


@asynccontextmanager
async def mail_server(
    mailbox: Mailbox, context: ssl.SSLContext | None = None, *, require_starttls: bool = False
) -> AsyncIterator[int]:
    """Serve SMTP on a loopback port."""
    (port,) = free_ports(1)
    controller = Controller(
        mailbox, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=require_starttls
    )
    await asyncio.to_thread(controller.start)
    try:
        yield port
    finally:
        await asyncio.to_thread(controller.stop)


class Stage:
    """One installation in a folder; its process can be killed and started again."""

    def __init__(
        self,
        folder: Path,
        pki: Pki,
        mail_port: int,
        database: str = "",
        extra: str = "",
        level: str = "DEBUG",
        module: str = "services.auth",
    ) -> None:
        self.folder, self.pki, self.module = folder, pki, module
        self.port, nobody = free_ports(2)
        self.database = database or f"sqlite+aiosqlite:///{folder}/auth.db"
        self.path = folder / "auth.toml"
        self.process: asyncio.subprocess.Process | None = None
        tls = pki.config("auth")
        self.path.write_text(f'''
            public_url = "https://localhost:8443"
            service = {{ listen = "127.0.0.1:{self.port}", profile = "development", grace_seconds = 5.0 }}
            telemetry = {{ level = "{level}", spans_file = "{folder}/spans.jsonl" }}
            peers = {{ audit = "127.0.0.1:{nobody}" }}
            database = {{ url = "{self.database}" }}
            keys_database = {{ url = "sqlite+aiosqlite:///{folder}/keys.db", secure_delete = true }}
            root_key = {{ file = "root.key" }}
            passwords = {{ pepper_file = "pepper.toml" }}
            sessions = {{ signing_key_file = "signing.json" }}
            mail = {{ host = "127.0.0.1", port = {mail_port}, sender = "valv@valv.example", security = "none" }}
            {extra}
            [tls]
            trust_domain = "{tls.trust_domain}"
            certificate = "{tls.certificate}"
            key = "{tls.key}"
            bundle = "{tls.bundle}"
        ''')

    def prepare(self) -> None:
        """Make the keys and the databases."""
        pepper.create(self.folder / "pepper.toml")
        assertions.create(self.folder / "signing.json")
        create_root_key(self.folder / "root.key")
        config = load(Config, self.path)
        migrate(ROOM / "migrations", config.database)
        migrate(ROOM / "migrations_keys", config.keys_database)

    async def start(self) -> None:
        """Start and wait until it serves."""
        await asyncio.to_thread(self.prepare)
        with (self.folder / "auth.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.module, "--config", str(self.path), stderr=log
            )
        async with asyncio.timeout(60), self.channel("gateway") as channel:
            while not await _serves(channel):
                assert self.process.returncode is None, self.log()
                await asyncio.sleep(0.1)

    def log(self) -> str:
        """Return what it has logged."""
        return (self.folder / "auth.log").read_text("utf-8")

    async def kill(self) -> None:
        """Kill it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        if self.process is None or self.process.returncode is not None:
            return -1
        self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), 30)

    @asynccontextmanager
    async def channel(self, role: str) -> AsyncIterator[grpc.aio.Channel]:
        """Open a channel as that role."""
        options = (("grpc.ssl_target_name_override", f"auth.{self.pki.domain}"), ("grpc.enable_http_proxy", 0))
        credentials = self.pki.material(role).channel_credentials()
        async with grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options) as channel:
            yield channel


def highest_mib(stage: Stage) -> int:
    """Return the most memory that the process has held."""
    assert stage.process is not None
    status = Path(f"/proc/{stage.process.pid}/status").read_text("ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) >> 10


class Edge:
    """What Envoy and the gateway do with auth, for one browser."""

    def __init__(self, envoy: grpc.aio.Channel, gateway: grpc.aio.Channel, home: str = HOME) -> None:
        self.accounts: Any = account_pb2_grpc.AccountServiceStub(envoy)  # the stub's types know only the blocking kind
        self.emails: Any = email_pb2_grpc.EmailServiceStub(envoy)
        self.sessions: Any = session_pb2_grpc.SessionServiceStub(gateway)
        self.watching: Any = session_pb2_grpc.WatchServiceStub(gateway)
        self.metadata = (("x-valv-client-address", home), ("user-agent", "Mozilla/5.0 Firefox/140.0 Linux"))

    async def sign_up(self, email: str, password: str = PASSWORD) -> None:
        """Sign up."""
        request = account_pb2.SignUpRequest(email=email, password=password)
        await self.accounts.SignUp(request, metadata=self.metadata, timeout=20)

    async def confirm(self, token: str) -> None:
        """Confirm."""
        await self.accounts.ConfirmEmail(
            account_pb2.ConfirmEmailRequest(token=token), metadata=self.metadata, timeout=20
        )

    async def sign_in(self, email: str, password: str = PASSWORD) -> str:
        """Sign in as an API client; returns the token."""
        request = account_pb2.SignInRequest(email=email, password=password, delivery=account_pb2.TOKEN_DELIVERY_BODY)
        reply = await self.accounts.SignIn(request, metadata=self.metadata, timeout=20)
        return str(reply.session_token)

    async def renew(self, token: str, *, passive: bool = False) -> session_pb2.RenewResponse:
        """Renew."""
        request = session_pb2.RenewRequest(session_token=token, passive=passive)
        return await self.sessions.Renew(request, timeout=20)  # type: ignore[no-any-return]  # the stub is untyped

    def with_(self, assertion: str) -> tuple[tuple[str, str], ...]:
        """Return the metadata of a signed-in call."""
        return (*self.metadata, ("x-valv-assertion", assertion))


@asynccontextmanager
async def edge(stage: Stage) -> AsyncIterator[Edge]:
    """The edge's two identities."""
    async with stage.channel("envoy") as envoy, stage.channel("gateway") as gateway:
        yield Edge(envoy, gateway)


async def refusal(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    """Return how a call was refused."""
    try:
        await call()
    except grpc.aio.AioRpcError as error:
        return error.code(), reason_of(error)
    raise AssertionError("it was not refused")


async def _serves(channel: grpc.aio.Channel) -> bool:
    try:
        health: Any = health_pb2_grpc.HealthStub(channel)
        reply = await health.Check(health_pb2.HealthCheckRequest(), timeout=2)
    except grpc.aio.AioRpcError:
        return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
