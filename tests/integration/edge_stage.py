"""A stage for the edge: the real gateway process and the real Envoy, before small real services over mTLS."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from string import Template
from typing import Any

import httpx
from aiohttp import web

from deploy.cli import certs
from services.gateway.bootstrap import bootstrap
from services.gateway.config import Config
from services.kit.assertion import AssertionVerifier
from services.kit.chain import Chain
from services.kit.clock import SystemClock
from services.kit.config import load
from services.kit.ids import Ids
from services.kit.server import Server
from services.kit.telemetry import Log
from services.kit.tls import TLSMaterial
from services.kit.watch import RevocationState
from tests.integration.edge_services import Audit, Auth, Files, Signer
from tests.support.pki import Pki
from valv.audit.v1 import append_pb2, log_pb2, practices_pb2
from valv.auth.v1 import account_pb2, session_pb2
from valv.files.v1 import file_pb2

ENVOY = next(iter(sorted(Path(__file__).parents[2].glob(".envoy/lib/python3*/site-packages/envoy/_bin/envoy"))), None)

CONFIG = Template("""[service]
listen = "127.0.0.1:$gateway"
profile = "development"
[tls]
trust_domain = "$domain"
certificate = "$workload/gateway.pem"
key = "$workload/gateway.key"
bundle = "$workload/ca.pem"
[telemetry]
level = "DEBUG"
spans_file = "$folder/spans.jsonl"
[peers]
auth = "127.0.0.1:$auth"
audit = "127.0.0.1:$audit"
[public]
listen = "127.0.0.1:$public"
names = ["$host"]
certificate = "$browser/edge.pem"
key = "$browser/edge.key"
[upstreams]
auth = "127.0.0.1:$auth"
files = "127.0.0.1:$files"
files_data = "127.0.0.1:$files_data"
billing = "127.0.0.1:$billing"
audit = "127.0.0.1:$audit"
[envoy]
certificate = "$workload/envoy.pem"
key = "$workload/envoy.key"
bundle = "$workload/ca.pem"
admin = "$folder/admin.sock"
access_log = "$folder/access.log"
control_plane = "127.0.0.1:$gateway"
trust_domain = "$domain"
[web]
assets = "$dist"
card_origin = "https://cards.example"
$rates""")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stage:
    """Everything on free ports of 127.0.0.1; stops what it started, and nothing else."""

    def __init__(self, folder: Path) -> None:
        names = ("public", "gateway", "auth", "audit", "files", "files_data", "billing")
        self.folder, self.ports = folder, {name: free_port() for name in names}
        self.pki = Pki(folder / "certs")
        self.pki.issue(["auth", "audit", "files", "gateway", "envoy", "billing"])
        self.clock = SystemClock()
        self.ids = Ids(self.clock)
        self.host = f"localhost:{self.ports['public']}"
        self.origin = f"https://{self.host}"
        self.auth, self.audit, self.files = Auth(self.origin, self.ids), Audit(), Files()
        self.rates = "[rates.credential]\nrequests = 60\nseconds = 60\nburst = 30\n"
        self._servers: dict[str, Server] = {}
        self._states: list[RevocationState] = []
        self._processes: list[asyncio.subprocess.Process] = []
        self._runner: web.AppRunner | None = None
        self._beat: asyncio.Task[None] | None = None

    @property
    def browser_ca(self) -> Path:
        return self.folder / "certs" / "browser" / "ca.pem"

    async def start(self) -> None:
        """Start the services, the gateway and Envoy, and wait until the edge answers."""
        await self.start_services()
        await self.start_gateway()
        await self.start_envoy()

    def signer(self, kid: str) -> Signer:
        """Return one whose key auth does not publish."""
        return Signer(kid)

    async def start_services(self) -> None:
        self._beat = asyncio.create_task(self._heartbeats())
        await self.start_service("auth")
        await self.start_service("audit")
        await self.start_service("files")
        application = web.Application(client_max_size=1 << 30)
        application.router.add_route("*", "/{path:.*}", self.files.content)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        context = self.pki.material("files").ssl_context()
        await web.TCPSite(self._runner, "127.0.0.1", self.ports["files_data"], ssl_context=context).start()

    async def start_service(self, role: str) -> None:
        state = RevocationState(self.clock)
        state.replace_keys(self.auth.signer.jwks)
        self._states.append(state)
        verifier = AssertionVerifier(state, self.clock, self.origin, "valv")
        state.heard()
        tls = TLSMaterial(self.pki.config(role), self.clock)
        chain = Chain(self.clock, Log(role), None, None, verifier, 128)
        server = Server(chain, tls, self.ids, max_calls=128)
        modules: dict[str, tuple[object, tuple[Any, ...]]] = {
            "auth": (self.auth, (account_pb2, session_pb2)),
            "audit": (self.audit, (append_pb2, log_pb2, practices_pb2)),
            "files": (self.files, (file_pb2,)),
        }
        servicer, contracts = modules[role]
        services = [one for module in contracts for one in module.DESCRIPTOR.services_by_name.values()]
        server.add({one: servicer for one in services if one.name != "ContentService"})
        await server.start(f"127.0.0.1:{self.ports[role]}")
        self._servers[role] = server

    async def stop_service(self, role: str) -> None:
        await self._servers.pop(role).stop(0)

    async def _heartbeats(self) -> None:
        while True:
            for state in self._states:
                state.replace_keys(self.auth.signer.jwks)
                state.heard()
            await asyncio.sleep(0.2)

    def write_config(self) -> Path:
        workload, browser = self.folder / "certs" / "workload", self.folder / "certs" / "browser"
        ports, path = self.ports, self.folder / "gateway.toml"
        dist = self.folder / "dist"
        (dist / "assets").mkdir(parents=True, exist_ok=True)
        (dist / "index.html").write_text("<!doctype html><title>Valv</title>" + "<!-- -->" * 2000)
        (dist / "assets" / "index-abc.js").write_text("export {};\n" * 500)
        values = {"folder": str(self.folder), "domain": certs.DOMAIN, "host": self.host, "rates": self.rates}
        values |= {name: str(port) for name, port in ports.items()}
        path.write_text(CONFIG.substitute(values, workload=str(workload), browser=str(browser), dist=str(dist)))
        return path

    async def start_gateway(self) -> asyncio.subprocess.Process:
        with (self.folder / "gateway.log").open("ab") as log:
            command = (sys.executable, "-m", "services.gateway", "--config", str(self.write_config()))
            process = await asyncio.create_subprocess_exec(*command, stderr=log)
        self._processes.append(process)
        return process

    async def start_envoy(self, *, wait: bool = True) -> asyncio.subprocess.Process:
        assert ENVOY is not None, "no Envoy: make sets it up"
        out = self.folder / "envoy.json"
        out.write_text(json.dumps(bootstrap(load(Config, self.folder / "gateway.toml").envoy)))
        flags = ("--disable-hot-restart", "--concurrency", "1", "-l", os.environ.get("EDGE_ENVOY_LOG", "warning"))
        with (self.folder / "envoy.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(str(ENVOY), "-c", str(out), *flags, stderr=log)
        self._processes.append(process)
        if wait:
            await self.serving()
        return process

    async def serving(self, seconds: float = 60.0) -> None:
        async with self.client() as client, asyncio.timeout(seconds):
            while True:
                try:
                    if (await client.get("/log/checkpoint")).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        context = ssl.create_default_context(cafile=str(self.browser_ca))
        async with httpx.AsyncClient(base_url=self.origin, verify=context, timeout=10, **options) as client:
            yield client

    def gateway_log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "gateway.log").read_text().splitlines()]

    async def end(self, process: asyncio.subprocess.Process) -> int:
        if process.returncode is None:
            process.terminate()
        return await process.wait()

    async def stop(self) -> None:
        """Stop what this stage started."""
        for process in reversed(self._processes):
            await self.end(process)
        if self._beat is not None:
            self._beat.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        for role in list(self._servers):
            await self.stop_service(role)
