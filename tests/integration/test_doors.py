"""A door that answers a stranger is counted; one that refuses is not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.gateway.doors import Doors
from services.kit.tls import TLSMaterial
from tests.support.clock import FakeClock
from tests.support.pki import Pki

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read(1)
        writer.write(b"hello")
        await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


@asynccontextmanager
async def _listener(context: ssl.SSLContext | None) -> AsyncIterator[str]:
    server = await asyncio.start_server(_greet, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@pytest.mark.clause("P3", "PCI DSS 1.3.1")
async def test_mutual_tls_stays_closed(pki: Pki) -> None:
    config = pki.config("files")
    async with _listener(TLSMaterial(config, FakeClock()).ssl_context()) as address:
        assert await Doors([address], config.bundle).answered() == 0


async def test_tls_that_asks_for_no_certificate_is_open(pki: Pki) -> None:
    config = pki.config("files")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(config.certificate, config.key)
    async with _listener(context) as address:
        assert await Doors([address], config.bundle).answered() == 1


async def test_plain_text_is_open(pki: Pki) -> None:
    async with _listener(None) as address:
        assert await Doors([address], pki.config("files").bundle).answered() == 1


async def test_a_door_that_cannot_be_reached_is_not_called_closed(pki: Pki) -> None:
    async with _listener(None) as address:
        pass
    with pytest.raises(OSError, match=r"refused|Connect"):
        await Doors([address], pki.config("files").bundle).answered()
