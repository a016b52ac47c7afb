"""The sandbox payment gateway in this process, the adapter to it, and a browser's part in adding a card."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.cli import certs
from deploy.sandbox.psp import app
from deploy.sandbox.psp.config import Config
from services.billing.egress import Egress, client_context
from services.billing.stripe_gateway import StripeGateway
from services.kit.clock import SystemClock
from services.kit.secret import Secret
from services.kit.telemetry import Log

SECRET = "sk_test_throwaway"
PUBLISHABLE = "pk_test_throwaway"
PAGE = "https://localhost:8443"
GOOD = "4242424242424242"


@dataclass
class Sandbox:
    """A running sandbox gateway."""

    config: Config
    port: int
    authority: Path
    browser: httpx.AsyncClient

    @property
    def address(self) -> str:
        """Its origin."""
        return f"https://127.0.0.1:{self.port}"

    def adapter(self, timeout_seconds: float = 5.0, key: str = SECRET) -> StripeGateway:
        """Return billing's adapter to it."""
        egress = Egress(SystemClock(), client_context(self.authority), timeout_seconds)
        return StripeGateway(self.address, Secret(key), egress, Log("test"))

    async def fault(self, pattern: str, kind: str, *, count: int = 1, seconds: float = 0.0) -> None:
        """Order a fault for the next requests whose `METHOD /path` matches."""
        order = {"pattern": pattern, "kind": kind, "count": count, "seconds": seconds}
        (await self.browser.post("/sandbox/faults", json=order)).raise_for_status()

    async def no_faults(self) -> None:
        """Forget the ordered faults that have not happened."""
        (await self.browser.delete("/sandbox/faults")).raise_for_status()

    async def type_card(self, client_secret: str, number: str = GOOD, **fields: str) -> httpx.Response:
        """Confirm a set-up as the card fields do."""
        setup = client_secret.split("_secret_", maxsplit=1)[0]
        card = {"number": number, "exp_month": "12", "exp_year": "34", "cvc": "123", **fields}
        body = {f"payment_method_data[card][{name}]": value for name, value in card.items()}
        body |= {"client_secret": client_secret, "payment_method_data[type]": "card"}
        headers = {"Authorization": f"Bearer {PUBLISHABLE}"}
        return await self.browser.post(f"/v1/setup_intents/{setup}/confirm", data=body, headers=headers)

    async def ask(self, path: str, **query: Any) -> Any:
        """Ask the gateway with the secret key."""
        headers = {"Authorization": f"Bearer {SECRET}"}
        reply = await self.browser.get(path, params=query, headers=headers)
        reply.raise_for_status()
        return reply.json()

    async def captures(self) -> list[Any]:
        """Return the payments that took money."""
        listed = await self.ask("/v1/payment_intents", limit=100)
        return [row for row in listed["data"] if row["status"] == "succeeded"]


def sandbox_config(folder: Path, port: int = 0) -> Config:
    """Return a configuration with certificates and keys of its own."""
    certs.issue(folder / "certs", ["billing", "shop"], SystemClock().now(), fronts=("psp",))
    secret = folder / "psp-secret"
    secret.write_text(SECRET)
    stem = folder / "certs" / "browser"
    database = folder / "psp" / "psp.db"
    return Config(
        f"127.0.0.1:{port}", stem / "psp.pem", stem / "psp.key", database, secret, PUBLISHABLE, (PAGE,), faults=True
    )


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Sandbox]:
    """Run a sandbox gateway for the block."""
    config = await asyncio.to_thread(sandbox_config, folder)
    gateway = await app.start(config, SystemClock())
    async with client(folder, gateway.port) as browser:
        yield Sandbox(config, gateway.port, authority(folder), browser)
    await gateway.close()


def authority(folder: Path) -> Path:
    """Return the CA that vouches for it."""
    return folder / "certs" / "browser" / "ca.pem"


def client(folder: Path, port: int) -> httpx.AsyncClient:
    """Return a browser's HTTP client."""
    context = ssl.create_default_context(cafile=str(authority(folder)))
    return httpx.AsyncClient(base_url=f"https://127.0.0.1:{port}", verify=context, trust_env=False, timeout=30)
