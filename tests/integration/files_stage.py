"""The files service as a process of its own, with auth's stream beside it, over real mTLS."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import select

from deploy.cli.migrate import migrate_service
from services.kit.clock import SystemClock
from services.kit.db import Database, DatabaseConfig
from services.kit.envelope import create_root_key
from services.kit.ids import Ids
from services.kit.outbox import Outbox
from tests.support.assertions import ISSUER, Signer
from tests.support.pki import Pki
from tests.support.servers import free_ports
from valv.audit.v1 import event_pb2
from valv.auth.v1 import session_pb2, session_pb2_grpc
from valv.files.v1 import file_pb2_grpc

CLOCK = SystemClock()


class Auth(session_pb2_grpc.WatchServiceServicer):
    """Auth's stream: keys, revocations, heartbeats."""

    def __init__(self, jwks: str) -> None:
        self._jwks = jwks
        self._revoked: asyncio.Queue[str] = asyncio.Queue()

    def revoke(self, session: str) -> None:
        """Tell of a sign-out."""
        self._revoked.put_nowait(session)

    async def Watch(self, request: session_pb2.WatchRequest, context: Any) -> AsyncIterator[session_pb2.WatchResponse]:  # noqa: N802 - gRPC's name
        yield session_pb2.WatchResponse(sequence=1, keys=session_pb2.KeySet(jwks=self._jwks))
        while True:
            while not self._revoked.empty():
                ended = session_pb2.Revocation(session_id=self._revoked.get_nowait(), time=Timestamp(seconds=1))
                yield session_pb2.WatchResponse(sequence=1, revocation=ended)
            yield session_pb2.WatchResponse(sequence=1, heartbeat=session_pb2.Heartbeat())
            await asyncio.sleep(0.1)


class Stage:
    """One installation of the service in a folder; its process can be killed and started again."""

    def __init__(
        self, folder: Path, pki: Pki, signer: Signer, auth: Auth, auth_port: int, extra: str, database: str = ""
    ) -> None:
        self.folder, self.pki, self.signer, self.auth = folder, pki, signer, auth
        self.port, self.data_port = free_ports(2)
        self._auth_port, self._extra = auth_port, extra
        self._database = database or f"sqlite+aiosqlite:///{folder}/files.db"
        self._process: asyncio.subprocess.Process | None = None
        self.config = folder / "files.toml"
        create_root_key(folder / "root.key")
        self.config.write_text(self._toml(), "utf-8")
        self.database = Database(DatabaseConfig(self._database))

    async def start(self) -> None:
        """Migrate, start and wait until it serves."""
        await asyncio.to_thread(migrate_service, "files", self.config)
        with (self.folder / "files.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.files", "--config", str(self.config), stderr=log
            )
        async with asyncio.timeout(60), self.channel("gateway") as channel:
            while not await _serves(channel):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> int:
        """End the process in order."""
        if self._process is None:
            return 0
        self._process.terminate()
        return await self._process.wait()

    @property
    def pid(self) -> int:
        """The process's id."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    def channel(self, role: str) -> grpc.aio.Channel:
        """Return a channel to the service as that role."""
        options = (("grpc.ssl_target_name_override", f"files.{self.pki.domain}"),)
        credentials = self.pki.material(role).channel_credentials()
        return grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options)

    @asynccontextmanager
    async def files(self) -> AsyncIterator[file_pb2_grpc.FileServiceStub]:
        """Give the customer's gRPC face, as the edge sees it."""
        async with self.channel("envoy") as channel:
            yield file_pb2_grpc.FileServiceStub(channel)

    def metadata(self, **claims: object) -> tuple[tuple[str, str], ...]:
        """Return the metadata of a signed-in customer's call."""
        return (("x-valv-assertion", self.signer.sign(self.signer.claims(**claims))),)

    def headers(self, **claims: object) -> dict[str, str]:
        """Return the headers of a signed-in customer's call."""
        return dict(self.metadata(**claims))

    @asynccontextmanager
    async def http(self, role: str = "envoy") -> AsyncIterator[aiohttp.ClientSession]:
        """Give a client of the data plane with a role's certificate."""
        connector = aiohttp.TCPConnector(ssl=self.pki.client_context(role), limit=0)
        async with aiohttp.ClientSession(
            f"https://127.0.0.1:{self.data_port}", connector=connector, auto_decompress=False
        ) as session:
            yield session

    @property
    def options(self) -> Mapping[str, Any]:
        """What every request needs: the name in the server's certificate."""
        return {"server_hostname": f"files.{self.pki.domain}"}

    async def put(self, data: bytes, name: str = "a file", **claims: object) -> str:
        """Upload; returns the id."""
        async with (
            self.http() as http,
            http.post(
                "/v1/files:upload",
                params={"displayName": name},
                data=BytesIO(data),
                headers=self.headers(**claims),
                **self.options,
            ) as reply,
        ):
            assert reply.status == 201, await reply.text()
            return str((await reply.json())["fileId"])

    async def events(self) -> list[event_pb2.Event]:
        """Return what was recorded."""
        table = Outbox(self.database, CLOCK, Ids(CLOCK)).table
        async with self.database.read() as connection:
            rows = await connection.execute(select(table.c.event).order_by(table.c.id))
            return [event_pb2.Event.FromString(data) for data in rows.scalars()]

    async def kept(self, customer: str) -> int:
        """Return how many files a customer has."""
        async with self.database.read() as connection:
            query = "SELECT count(*) FROM files WHERE customer = ?"
            return int((await connection.exec_driver_sql(query, (customer,))).scalar() or 0)

    async def count(self, table: str) -> int:
        """Return how many rows a table has."""
        async with self.database.read() as connection:
            return int((await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")).scalar() or 0)  # noqa: S608 - the table's name is the test's own

    def blobs(self) -> list[Path]:
        """Return all blobs, and what is being written."""
        return [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]

    def _toml(self) -> str:
        tls = self.pki.config("files")
        return f"""
            data_listen = "127.0.0.1:{self.data_port}"
            public_url = "{ISSUER}"
            [service]
            listen = "127.0.0.1:{self.port}"
            profile = "development"
            grace_seconds = 2.0
            [tls]
            trust_domain = "{tls.trust_domain}"
            certificate = "{tls.certificate}"
            key = "{tls.key}"
            bundle = "{tls.bundle}"
            [telemetry]
            level = "DEBUG"
            [peers]
            auth = "127.0.0.1:{self._auth_port}"
            audit = "127.0.0.1:1"
            [database]
            url = "{self._database}"
            [keys_database]
            url = "sqlite+aiosqlite:///{self.folder}/keys.db"
            secure_delete = true
            [root_key]
            file = "{self.folder}/root.key"
            [blobs]
            directory = "{self.folder}/blobs"
            {self._extra}
        """


async def _serves(channel: grpc.aio.Channel) -> bool:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    try:
        reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
    except grpc.aio.AioRpcError:
        return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


@asynccontextmanager
async def staged(folder: Path, extra: str = "", database: str = "") -> AsyncIterator[Stage]:
    """Give a running service, over SQLite unless told where else."""
    async with AsyncExitStack() as stack:
        pki, signer = Pki(folder / "pki"), Signer(CLOCK)
        auth, server = Auth(signer.jwks), grpc.aio.server()
        session_pb2_grpc.add_WatchServiceServicer_to_server(auth, server)
        port = server.add_secure_port("127.0.0.1:0", pki.material("auth").server_credentials())
        await server.start()
        stack.push_async_callback(server.stop, 0)
        stage = Stage(folder, pki, signer, auth, port, extra, database)
        stack.push_async_callback(stage.database.close)
        stack.push_async_callback(stage.kill)
        await stage.start()
        yield stage
