"""Billing sends nothing to a gateway over less than TLS 1.3 with 256 bits, nor to one it cannot verify."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.billing import egress
from services.billing.egress import Egress, WeakConnection
from services.billing.gateway import GatewayUnknown
from services.billing.stripe_gateway import StripeGateway
from services.kit.clock import SystemClock
from services.kit.secret import Secret
from services.kit.telemetry import Log
from tests.support import sandbox
from tests.support.billing_house import end, start, write_configs
from tests.support.live import free_ports

CONF = """openssl_conf = weak
[weak]
ssl_conf = ssl
[ssl]
system_default = server
[server]
Ciphersuites = TLS_AES_128_GCM_SHA256
"""
OFFERED = """
from services.billing import egress
suites = egress.client_context(None).get_ciphers()
print(sorted({suite["strength_bits"] for suite in suites if suite["protocol"] == "TLSv1.3"}))
"""


@asynccontextmanager
async def weak_gateway(folder: Path) -> AsyncIterator[str]:
    """A sandbox gateway that knows one 128-bit suite only."""
    (port,) = free_ports(1)
    await asyncio.to_thread(sandbox.sandbox_config, folder, port)
    write_configs(folder, 1, port)
    conf = folder / "weak.cnf"
    conf.write_text(CONF)
    process = await start(folder, "deploy.sandbox.psp", "psp", OPENSSL_CONF=str(conf))
    for _ in range(600):
        if await _listens(port):
            break
        await asyncio.sleep(0.1)
    yield f"https://127.0.0.1:{port}"
    await end(process, signal.SIGTERM)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.mark.clause("P12", "PCI DSS 4.2.1")
async def test_a_128_bit_connection_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async with weak_gateway(tmp_path) as address:
        authority = sandbox.authority(tmp_path)
        found = await egress.handshake(address, authority)
        assert (found.version, found.bits) == ("TLSv1.3", 128)
        with pytest.raises(WeakConnection):
            found.require_strong()
        client = Egress(SystemClock(), egress.client_context(authority), 10)
        gateway = StripeGateway(address, Secret(sandbox.SECRET), client, Log("test"))
        with pytest.raises(GatewayUnknown) as unknown:
            await gateway.create_customer("usr_01jd9xk8w0q2m3n4p5r6s7t8v9")
        assert isinstance(unknown.value.__cause__.__cause__, WeakConnection)  # type: ignore[union-attr]  # that it is there is what the line asserts
        await gateway.close()


@pytest.mark.clause("P12")
async def test_the_sandbox_gateway_negotiates_256_bits(tmp_path: Path) -> None:
    async with sandbox.running(tmp_path) as psp:
        found = await egress.handshake(psp.address, sandbox.authority(tmp_path))
    assert (found.version, found.suite, found.bits) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256)
    found.require_strong()


@pytest.mark.clause("P12", "PCI DSS 4.2.1")
async def test_a_gateway_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    async with sandbox.running(tmp_path) as psp:
        stranger = StripeGateway(
            psp.address,
            Secret(sandbox.SECRET),
            Egress(SystemClock(), egress.client_context(None), 10),
            Log("test"),
        )
        with pytest.raises(GatewayUnknown):
            await stranger.create_customer("usr_01jd9xk8w0q2m3n4p5r6s7t8v9")
        await stranger.close()


@pytest.mark.clause("P12")
def test_billings_process_offers_256_bit_suites_only() -> None:
    conf = Path(egress.__file__).with_name("openssl.cnf")
    environment = {**os.environ, "OPENSSL_CONF": str(conf)}
    made = subprocess.run([sys.executable, "-c", OFFERED], env=environment, check=True, capture_output=True, text=True)
    assert made.stdout.strip() == "[256]"
