"""Owns the plain-HTTP listener for byte routes: mounted from the contracts, through the same chain as gRPC, over mTLS.

Only methods declared with TRANSPORT_HTTP are mounted, at their ``google.api.http`` bindings. Bodies are not read here.
A running transfer is cut within a second of its session's end. Must never answer without a call through the chain, but
for a path or verb that no contract names.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, Code, Fault
from services.kit.policy import methods_of
from services.kit.server import StartError, make_call
from services.kit.status import http_status, json_body, retry_seconds
from services.kit.tls import Peer, peer_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from google.protobuf.descriptor import ServiceDescriptor
    from google.protobuf.message import Message

    from services.kit.assertion import AssertionVerifier
    from services.kit.call import Call
    from services.kit.chain import Chain
    from services.kit.ids import Ids
    from services.kit.policy import Binding, Method
    from services.kit.tls import TLSMaterial

    Handle = Callable[[Message, Call, web.Request], Coroutine[Any, Any, web.StreamResponse]]

LIVE_SECONDS = 0.5
_KEEPALIVE_SECONDS = 3600.0
_READ_BYTES = 1 << 20


class HttpSurface:
    """One HTTPS listener."""

    def __init__(
        self,
        chain: Chain,
        tls: TLSMaterial,
        ids: Ids,
        verifier: AssertionVerifier | None,
        handlers: Mapping[ServiceDescriptor, object],
        listen: str,
    ) -> None:
        """Mount the handlers' methods.

        Raises:
            StartError: A method has no handler, or a binding that plain HTTP cannot serve.
        """
        self._chain, self._tls, self._ids, self._verifier = chain, tls, ids, verifier
        self._listen = listen
        self._idle = asyncio.Event()
        self._idle.set()
        self._running = 0
        self.listens = (listen,)
        self.methods = frozenset(
            method.full_name for service in handlers for method in methods_of(service) if method.policy.plain_http
        )
        application = web.Application(middlewares=[_unknown])
        application.on_response_prepare.append(_begun)
        for service, servicer in handlers.items():
            for method in methods_of(service):
                if method.policy.plain_http:
                    self._mount(application, method, servicer)
        self._runner = web.AppRunner(
            application,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            read_bufsize=_READ_BYTES,
            shutdown_timeout=0.5,
        )
        self.port = 0

    async def start(self) -> None:
        """Listen on ``host:port``; ``port`` then says which."""
        host, _, port = self._listen.rpartition(":")
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, int(port), ssl_context=self._tls.ssl_context())
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self, grace: float) -> None:
        """Refuse new connections, let the running calls end within ``grace`` seconds, then cut them."""
        for site in list(self._runner.sites):
            await site.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace)
        await self._runner.cleanup()

    def _mount(self, application: web.Application, method: Method, servicer: object) -> None:
        handle: Handle | None = getattr(servicer, method.name, None)
        if handle is None:
            message = f"{method.full_name} has no handler"
            raise StartError(message)
        for binding in method.bindings:
            application.router.add_route(binding.verb, binding.path, self._route(method, binding, handle))

    def _route(
        self, method: Method, binding: Binding, handle: Handle
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(http: web.Request) -> web.StreamResponse:
            self._running += 1
            self._idle.clear()
            try:
                return await self._serve(method, binding, handle, http)
            finally:
                self._running -= 1
                if not self._running:
                    self._idle.set()

        return serve

    async def _serve(self, method: Method, binding: Binding, handle: Handle, http: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in http.headers.items()}
        call = make_call(method, self._peer(http), headers, self._ids)
        message, wrong = _message(method, binding, http)
        try:
            async with self._chain.around(call, message, seconds=None):
                if wrong is not None:
                    raise wrong
                response = await self._watched(call, handle(message, call, http))
        except Fault as fault:
            return _refusal(fault, call, http)
        if not response.prepared:
            response.headers.extend(call.reply_metadata)
        return response

    async def _watched(self, call: Call, work: Coroutine[Any, Any, web.StreamResponse]) -> web.StreamResponse:
        """Run a handler for as long as its session lives."""
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=LIVE_SECONDS))[0]:
                if call.assertion is not None and self._verifier is not None:
                    self._verifier.live(call.assertion)
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _peer(self, http: web.Request) -> Peer:
        connection = http.get_extra_info("ssl_object")
        certificate = (connection.getpeercert() if connection is not None else None) or {}
        try:
            return peer_of((name for _, name in certificate.get("subjectAltName", ())), self._tls.trust_domain)
        except Fault:
            return Peer("")


def _message(method: Method, binding: Binding, http: web.Request) -> tuple[Message, Fault | None]:
    """Return the request message of path and query, and what is wrong with it: text fields, each said once."""
    message = method.input()
    fields = {field.name: field for field in method.input.DESCRIPTOR.fields if field.name != binding.body}
    fields |= {field.json_name: field for field in fields.values()}
    for name, value in (*http.match_info.items(), *http.query.items()):
        field = fields.pop(name, None)
        if field is None or field.type != field.TYPE_STRING or getattr(message, field.name):
            return message, Fault(INVALID_ARGUMENT, field="query")
        try:
            setattr(message, field.name, value)
        except (ValueError, UnicodeEncodeError):
            return message, Fault(INVALID_ARGUMENT, field=field.name)
    return message, None


def _refusal(fault: Fault, call: Call, http: web.Request) -> web.StreamResponse:
    """Return the answer to a refused call; one whose answer has begun can only be cut."""
    if http.get("begun") and http.transport is not None:
        http.transport.abort()
    headers = {hdrs.CACHE_CONTROL: "no-store", **dict(call.reply_metadata)}
    if fault.retry_after is not None:
        headers[hdrs.RETRY_AFTER] = str(retry_seconds(fault))
    status = http_status(fault.reason.code)
    if fault.reason.code is Code.OUT_OF_RANGE:
        status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    body = json_body(fault, call.request_id)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def _begun(http: web.Request, _response: web.StreamResponse) -> None:
    http["begun"] = True


@web.middleware
async def _unknown(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer what no contract names in the form of every other error."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        body = json_body(Fault(NOT_FOUND), request.headers.get("x-request-id", ""))
        return web.Response(status=error.status, body=body, content_type="application/json")
