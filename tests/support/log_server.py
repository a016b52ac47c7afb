"""The log's public face as an HTTP prefix, from the service's own handlers: what Envoy serves, without Envoy.

Owns nothing but the port.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from aiohttp import web
from google.api.httpbody_pb2 import HttpBody

from services.audit.handlers import LogHandlers
from services.kit.faults import Fault
from services.kit.status import http_status
from valv.audit.v1 import log_pb2


@asynccontextmanager
async def serve_log(handlers: LogHandlers) -> AsyncIterator[str]:
    """Serve under a prefix on loopback; gives the prefix."""

    async def answer(method: Any, request: Any) -> web.Response:
        call = SimpleNamespace(reply_metadata=[])
        try:
            body: HttpBody = await method(request, call)
        except Fault as fault:
            return web.Response(status=http_status(fault.reason.code))
        return web.Response(body=body.data, headers={"Content-Type": body.content_type, **dict(call.reply_metadata)})

    async def checkpoint(_request: web.Request) -> web.Response:
        return await answer(handlers.get_checkpoint, log_pb2.GetCheckpointRequest())

    async def tile(request: web.Request) -> web.Response:
        return await answer(handlers.get_tile, log_pb2.GetTileRequest(path=request.match_info["path"]))

    application = web.Application()
    application.router.add_get("/log/checkpoint", checkpoint)
    application.router.add_get("/log/tile/{path:.*}", tile)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/log"
    finally:
        await runner.cleanup()
