"""Billing and the sandbox gateway as real processes, called over mTLS as the shop; neither auth nor audit is there."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx

import services.billing
from deploy.cli.layout import REPOSITORY
from services.billing import store
from services.billing.cards import Card
from services.kit.clients import Channels, PeersConfig
from services.kit.clock import SystemClock
from services.kit.db import Database, DatabaseConfig
from services.kit.ids import Ids
from services.kit.migrate import migrate
from tests.support import sandbox
from tests.support.live import free_ports
from tests.support.pki import Pki
from tests.support.sandbox import Sandbox
from valv.billing.v1 import charge_pb2, charge_pb2_grpc

TIMEOUT_SECONDS = 2.0
ACCOUNT = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9"
MIGRATIONS = Path(services.billing.__file__).parent / "migrations"


@dataclass
class House:
    """A running billing; ``kill`` and ``start`` are as in life."""

    folder: Path
    port: int
    psp: Sandbox
    charges: Any
    process: Process | None = None

    @property
    def database(self) -> DatabaseConfig:
        """Billing's database."""
        return DatabaseConfig(f"sqlite+aiosqlite:///{self.folder}/billing.db")

    async def start(self) -> None:
        """Start billing and wait until it answers."""
        self.process = await start(self.folder, "services.billing", "billing")
        async with asyncio.timeout(90):
            while not await self._answers():
                assert self.process.returncode is None, "billing ended: see billing.log"
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """SIGKILL billing."""
        await end(self.process, signal.SIGKILL)

    async def add_card(self, number: str = sandbox.GOOD, account: str = ACCOUNT) -> Card:
        """Add a card at the gateway and to billing's store, as CardService would."""
        gateway, ids = self.psp.adapter(timeout_seconds=15), Ids(SystemClock())
        customer = await gateway.create_customer(account)
        setup = await gateway.create_setup(customer, ids.new("stp"))
        (await self.psp.type_card(setup.client_secret, number)).raise_for_status()
        found = (await gateway.read_setup(setup.setup)).card
        await gateway.close()
        assert found is not None
        card = Card(
            ids.new("crd"), account, customer, found.method, found.brand, found.last4, 12, 2034, datetime.now(UTC)
        )
        database = Database(self.database)
        async with database.write() as connection:
            await store.add_card(connection, card)
        await database.close()
        return card

    async def charge(self, key: str, amount: int = 1000, account: str = ACCOUNT, **more: Any) -> charge_pb2.Charge:
        """Charge as the shop."""
        request = charge_pb2.CreateChargeRequest(
            idempotency_key=key,
            account_id=account,
            amount=charge_pb2.Money(currency="sek", minor=amount),
            **{"reference": "order-1", **more},
        )
        reply = await self.charges.CreateCharge(request, timeout=30)
        return charge_pb2.Charge.FromString(reply.charge.SerializeToString())

    async def refund(self, key: str, charge: str, amount: int = 0) -> charge_pb2.Refund:
        """Refund as the shop."""
        request = charge_pb2.CreateRefundRequest(idempotency_key=key, charge_id=charge, amount_minor=amount)
        reply = await self.charges.CreateRefund(request, timeout=60)
        return charge_pb2.Refund.FromString(reply.refund.SerializeToString())

    async def read(self, charge: str) -> charge_pb2.Charge:
        """Read a charge as the shop."""
        reply = await self.charges.GetCharge(charge_pb2.GetChargeRequest(charge_id=charge), timeout=30)
        return charge_pb2.Charge.FromString(reply.charge.SerializeToString())

    async def settled(self, key: str, **more: Any) -> charge_pb2.Charge:
        """Ask for the same charge until its outcome is known."""
        async with asyncio.timeout(90):
            while True:
                try:
                    charge = await self.charge(key, **more)
                except grpc.aio.AioRpcError as error:
                    if error.code() not in {grpc.StatusCode.ABORTED, grpc.StatusCode.UNAVAILABLE}:
                        raise
                else:
                    if charge.state in {charge_pb2.Charge.STATE_SUCCEEDED, charge_pb2.Charge.STATE_DECLINED}:
                        return charge
                await asyncio.sleep(0.2)

    async def _answers(self) -> bool:
        try:
            await self.charges.GetCharge(charge_pb2.GetChargeRequest(charge_id="chg_0"), timeout=5)
        except grpc.aio.AioRpcError as error:
            return bool(error.code() is grpc.StatusCode.INVALID_ARGUMENT)
        return False


@asynccontextmanager
async def running(folder: Path, *, level: str = "DEBUG", check_seconds: int = 1) -> AsyncIterator[House]:
    """Run both for the block."""
    billing_port, psp_port = free_ports(2)
    config = await asyncio.to_thread(sandbox.sandbox_config, folder, psp_port)
    write_configs(folder, billing_port, psp_port, level, check_seconds)
    gateway = await start(folder, "deploy.sandbox.psp", "psp")
    pki = Pki(folder / "certs")
    channels = Channels(pki.material("shop"), PeersConfig(billing=f"127.0.0.1:{billing_port}"), SystemClock())
    async with sandbox.client(folder, psp_port) as browser:
        psp = Sandbox(config, psp_port, sandbox.authority(folder), browser)
        stub = charge_pb2_grpc.ChargeServiceStub(channels.get("billing"))
        house = House(folder, billing_port, psp, stub)
        await asyncio.to_thread(migrate, MIGRATIONS, house.database)
        await _healthy(browser)
        await house.start()
        try:
            yield house
        finally:
            await channels.close()
            await end(house.process, signal.SIGTERM)
            await end(gateway, signal.SIGTERM)


async def _healthy(browser: httpx.AsyncClient) -> None:
    async with asyncio.timeout(90):
        while True:
            try:
                if (await browser.get("/healthz")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)


async def start(folder: Path, module: str, name: str, **environment: str) -> Process:
    """Start a program of the house; what it says goes to its log file."""
    log = os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        arguments = (sys.executable, "-m", module, "--config", str(folder / f"{name}.toml"))
        env = {**os.environ, **environment}
        return await asyncio.create_subprocess_exec(*arguments, stdout=log, stderr=log, cwd=REPOSITORY, env=env)
    finally:
        os.close(log)


async def end(process: Process | None, how: signal.Signals) -> None:
    """End a program."""
    if process is not None and process.returncode is None:
        process.send_signal(how)
        await process.wait()


def write_configs(folder: Path, billing_port: int, psp_port: int, level: str = "DEBUG", check_seconds: int = 1) -> None:
    """Write the configurations of billing and the gateway."""
    certs = folder / "certs"
    (folder / "psp.toml").write_text(
        f"""
listen = "127.0.0.1:{psp_port}"
certificate = "{certs}/browser/psp.pem"
key = "{certs}/browser/psp.key"
database = "{folder}/psp/psp.db"
secret_key_file = "{folder}/psp-secret"
publishable_key = "{sandbox.PUBLISHABLE}"
pages = ["{sandbox.PAGE}"]
faults = true
"""
    )
    (folder / "billing.toml").write_text(
        f"""
public_url = "{sandbox.PAGE}"
[service]
listen = "127.0.0.1:{billing_port}"
profile = "development"
[telemetry]
level = "{level}"
spans_file = "{folder}/spans.jsonl"
[tls]
trust_domain = "valv.localhost"
certificate = "{certs}/workload/billing.pem"
key = "{certs}/workload/billing.key"
bundle = "{certs}/workload/ca.pem"
[peers]
auth = "127.0.0.1:1"
audit = "127.0.0.1:1"
[database]
url = "sqlite+aiosqlite:///{folder}/billing.db"
[gateway]
address = "https://127.0.0.1:{psp_port}"
secret_key_file = "{folder}/psp-secret"
publishable_key = "{sandbox.PUBLISHABLE}"
script_url = "https://127.0.0.1:{psp_port}/v1/elements.js"
sandbox = true
ca_bundle = "{certs}/browser/ca.pem"
timeout_seconds = {TIMEOUT_SECONDS}
[checks]
at_least_every_seconds = {check_seconds}
log_file = "{folder}/billing.log"
"""
    )
