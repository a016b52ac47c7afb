"""A flood of sign-ins at auth's port, from a process of its own: what it costs its sender disturbs no measurement."""

from __future__ import annotations

import asyncio
import secrets
import sys
from pathlib import Path

import grpc

from tests.integration.auth_stage import Edge, refusal
from tests.support.pki import Pki

PAUSE_SECONDS = 0.25


async def knock(browser: Edge) -> str:
    """Try to sign in as somebody else each time: who has failed often in a row costs no hash."""
    email = f"{secrets.token_hex(8)}@example.com"
    return (await refusal(lambda: browser.sign_in(email, "not the password at all")))[1]


async def flood(folder: Path, port: int, people: int) -> None:
    """Knock as so many people for ever."""
    pki = Pki(folder)
    options = (("grpc.ssl_target_name_override", f"auth.{pki.domain}"), ("grpc.enable_http_proxy", 0))
    credentials = pki.material("envoy").channel_credentials()
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        await asyncio.gather(*(_person(Edge(channel, channel)) for _ in range(people)))


async def _person(browser: Edge) -> None:
    while True:
        await knock(browser)
        await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run(flood(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
