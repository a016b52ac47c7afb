"""The audit service as a process of its own, with auth's stream beside it, over real mTLS."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.audit.signing import create_signing_key
from services.kit.clock import SystemClock
from services.kit.db import DatabaseConfig
from services.kit.envelope import create_root_key
from services.kit.ids import Ids
from tests.support.assertions import AUDIENCE, ISSUER, Signer
from tests.support.pki import Pki
from tests.support.servers import free_ports
from tests.unit.audit.world import ORIGIN, databases, migrate_all
from valv.audit.v1 import append_pb2, event_pb2
from valv.auth.v1 import erasure_pb2, erasure_pb2_grpc, session_pb2, session_pb2_grpc

CLOCK = SystemClock()
IDS = Ids(CLOCK)


class Auth(session_pb2_grpc.WatchServiceServicer, erasure_pb2_grpc.ErasureServiceServicer):
    """Auth's stream: keys, then the orders to erase that are put in, and heartbeats."""

    def __init__(self, jwks: str) -> None:
        self._jwks = jwks
        self.orders: list[session_pb2.ErasureOrder] = []
        self.acknowledged: list[erasure_pb2.AcknowledgeRequest] = []

    def order(self, account: str) -> None:
        """Order the log to erase an account."""
        order = session_pb2.ErasureOrder(sequence=len(self.orders) + 1, account_id=account)
        order.phase = session_pb2.ERASURE_PHASE_LOG
        self.orders.append(order)

    async def Acknowledge(  # noqa: N802 - gRPC's name
        self, request: erasure_pb2.AcknowledgeRequest, context: Any
    ) -> erasure_pb2.AcknowledgeResponse:
        self.acknowledged.append(request)
        return erasure_pb2.AcknowledgeResponse()

    async def Watch(self, request: session_pb2.WatchRequest, context: Any) -> AsyncIterator[session_pb2.WatchResponse]:  # noqa: N802 - gRPC's name
        yield session_pb2.WatchResponse(sequence=1, keys=session_pb2.KeySet(jwks=self._jwks))
        sent = 0
        while True:
            for order in self.orders[sent:]:
                yield session_pb2.WatchResponse(sequence=1, erasure=order)
            sent = len(self.orders)
            yield session_pb2.WatchResponse(sequence=1, heartbeat=session_pb2.Heartbeat())
            await asyncio.sleep(0.1)


@dataclass
class Producer:
    """A service's outbox as the log sees it."""

    stub: Any  # the stub's types know only the blocking kind
    epoch: str = field(default_factory=lambda: IDS.new("epo"))
    sent: int = 0

    async def append(self, *events: event_pb2.Event) -> int:
        """Append the next records."""
        data = [event.SerializeToString() for event in events]
        request = append_pb2.AppendRequest(epoch=self.epoch, first_number=self.sent + 1, events=data)
        reply = await self.stub.Append(request, timeout=10)
        self.sent += len(events)
        return int(reply.highest_number)


class Stage:
    """One installation of the service in a folder; its process can be killed and started again."""

    def __init__(
        self, folder: Path, pki: Pki, signer: Signer, auth: Auth, address: str, stores: dict[str, DatabaseConfig]
    ) -> None:
        self.folder, self.pki, self.signer, self.auth = folder, pki, signer, auth
        (self.port,) = free_ports(1)
        self._auth, self._stores = address, stores
        self._process: asyncio.subprocess.Process | None = None
        self.config = folder / "audit.toml"
        self.tiles = f'directory = "{folder / "log"}"'
        self.extra = ""

    async def start(self) -> None:
        """Start and wait until it serves."""
        self.config.write_text(self._toml(), "utf-8")
        with (self.folder / "audit.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.audit", "--config", str(self.config), stderr=log
            )
        async with asyncio.timeout(60), self.channel("gateway") as channel:
            while not await _serves(channel):
                assert self._process.returncode is None, (self.folder / "audit.log").read_text("utf-8")
                await asyncio.sleep(0.1)

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """Kill it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        if self._process is None or self._process.returncode is not None:
            return -1
        self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), 30)

    @asynccontextmanager
    async def channel(self, role: str) -> AsyncIterator[grpc.aio.Channel]:
        """Open a channel as that role."""
        options = (("grpc.ssl_target_name_override", f"audit.{self.pki.domain}"), ("grpc.enable_http_proxy", 0))
        credentials = self.pki.material(role).channel_credentials()
        async with grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options) as channel:
            yield channel

    def customer(self, subject: str) -> tuple[tuple[str, str], ...]:
        """Return the metadata that the edge adds for a signed-in customer."""
        token = self.signer.sign(self.signer.claims(sub=subject, sid=IDS.new("ses")))
        return (("x-valv-assertion", token), ("x-valv-client-address", "192.0.2.7"), ("user-agent", "curl/8"))

    def _toml(self) -> str:
        tls = self.pki.config("audit")
        main, keys, heads = (self._stores[name].url for name in self._stores)
        secure = "secure_delete = true" if keys.startswith("sqlite") else ""
        return f"""
public_url = "{ISSUER}"
audience = "{AUDIENCE}"
[service]
listen = "127.0.0.1:{self.port}"
profile = "development"
[tls]
trust_domain = "{tls.trust_domain}"
certificate = "{tls.certificate}"
key = "{tls.key}"
bundle = "{tls.bundle}"
[telemetry]
level = "DEBUG"
[peers]
auth = "{self._auth}"
[database]
url = "{main}"
[keys_database]
url = "{keys}"
{secure}
[checkpoint_database]
url = "{heads}"
[root_key]
file = "{self.folder / "root.key"}"
[log]
origin = "{ORIGIN}"
signing_key_file = "{self.folder / "signing.pem"}"
[tiles]
{self.tiles}
{self.extra}
"""


@asynccontextmanager
async def stage(folder: Path, stores: dict[str, DatabaseConfig] | None = None) -> AsyncIterator[Stage]:
    """Prepare an installation; its process is not started yet."""
    stores = stores or databases(folder)
    await asyncio.to_thread(migrate_all, stores)
    create_root_key(folder / "root.key")
    create_signing_key(folder / "signing.pem")
    pki = Pki(folder / "pki")
    pki.issue(["auth", "files", "billing", "audit", "gateway", "envoy", "shop"])
    signer = Signer(CLOCK)
    async with AsyncExitStack() as stack:
        auth, server = Auth(signer.jwks), grpc.aio.server()
        session_pb2_grpc.add_WatchServiceServicer_to_server(auth, server)
        erasure_pb2_grpc.add_ErasureServiceServicer_to_server(auth, server)
        port = server.add_secure_port("127.0.0.1:0", pki.material("auth").server_credentials())
        await server.start()
        stack.push_async_callback(server.stop, 0)
        made = Stage(folder, pki, signer, auth, f"127.0.0.1:{port}", stores)
        stack.push_async_callback(made.stop)
        yield made


def event(subject: str, action: str = "files.file.download") -> event_pb2.Event:
    """Return an event about the subject, by the subject, as a producer serializes it."""
    made = event_pb2.Event(event_id=IDS.new("evt"), action=action, subject=subject, request_id=IDS.new("req"))
    made.outcome = event_pb2.OUTCOME_SUCCESS
    made.actor.kind, made.actor.id = event_pb2.Actor.KIND_CUSTOMER, subject
    made.origin.address, made.origin.device = "192.0.2.7", "firefox/linux"
    made.time.FromDatetime(CLOCK.now())
    return made


async def _serves(channel: grpc.aio.Channel) -> bool:
    try:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
    except grpc.aio.AioRpcError:
        return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)
