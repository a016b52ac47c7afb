"""A flood of sign-ins at the edge, from a process of its own: what it costs its sender disturbs no measurement."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import sys

import aiohttp

PAUSE_SECONDS = 0.25


async def flood(address: str, ca: str, people: int) -> None:
    """Knock as so many people for ever; each tries as somebody else each time, at whatever pace it is answered."""
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca), limit=people)
    async with aiohttp.ClientSession(address, connector=connector) as client:
        await asyncio.gather(*(_person(client) for _ in range(people)))


async def _person(client: aiohttp.ClientSession) -> None:
    while True:
        stranger = {"email": f"{secrets.token_hex(8)}@example.com", "password": "not the password at all"}
        async with client.post("/v1/session:signIn", json=stranger) as reply:
            await reply.read()
        await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run(flood(sys.argv[1], sys.argv[2], int(sys.argv[3])))
