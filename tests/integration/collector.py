"""A collector as operators have them: HTTPS, a bearer token, and every way of not taking what it is sent."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from deploy.cli import certs
from services.kit.clock import SystemClock


class Collector:
    """What it took, and how it behaves: "take", "fail", "redirect", "hold", "die", "drip" or "flood"."""

    def __init__(self, folder: Path) -> None:
        certs.issue(folder, [], SystemClock().now(), fronts=("collector",))
        self.ca_file = folder / "browser" / "ca.pem"
        self._stem = folder / "browser" / "collector"
        self.mood = "take"
        self.taken: list[bytes] = []
        self.seen: list[tuple[str, str, str]] = []
        self.held = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        """Where it takes events."""
        return f"https://localhost:{self.port}/events"

    @property
    def records(self) -> list[dict[str, Any]]:
        """What it took, line by line."""
        return [json.loads(line) for body in self.taken for line in body.splitlines()]

    @property
    def indexes(self) -> list[int]:
        """The indexes it took, in order."""
        said = [record["unmapped"]["valv"] for record in self.records]
        return [each["log"]["index"] for each in said if each["record"] != "checkpoint"]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Behave as the mood is."""
        self.seen.append((request.path, request.headers.get("authorization", ""), request.headers["content-type"]))
        if self.mood == "die":
            await request.content.readany()
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        body = await request.read()
        if self.mood == "fail":
            return web.Response(status=500, text="out of order")
        if self.mood == "redirect":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        self.taken.append(body)
        if self.mood == "hold":  # taken, and never said so
            self.held.set()
            await asyncio.sleep(60)
        if self.mood in {"drip", "flood"}:
            return await self._pour(request)
        return web.Response(status=202)

    async def _pour(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1200):
            await response.write(b"x" * (1 if self.mood == "drip" else 4096))
            await asyncio.sleep(0.05 if self.mood == "drip" else 0)
        return response

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Collector]:
        """Listen on this machine."""
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{tail:.*}", self.answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(self._stem.with_suffix(".pem"), self._stem.with_suffix(".key"))
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()
