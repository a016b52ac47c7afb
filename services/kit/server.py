"""Owns the gRPC server: handlers registered from the contracts, mTLS, health, drain. Never opens an insecure port."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.kit.call import Call
from services.kit.faults import Fault
from services.kit.ids import is_id
from services.kit.origin import origin_of
from services.kit.policy import Method, methods_of
from services.kit.status import retry_seconds, status_of
from services.kit.tls import Peer, peer_of, require_tls13

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from google.protobuf.descriptor import ServiceDescriptor
    from google.protobuf.message import Message

    from services.kit.chain import Chain
    from services.kit.ids import Ids
    from services.kit.tls import TLSMaterial

Handlers = Mapping["ServiceDescriptor", object]
_REQUEST_ID = re.compile(r"[0-9a-f-]{32,36}")
_OPTIONS = (
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.max_send_message_length", 4 << 20),
    ("grpc.max_connection_age_ms", 3_600_000),
    ("grpc.max_connection_age_grace_ms", 600_000),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


HEALTH = frozenset(f"/{health.SERVICE_NAME}/{name}" for name in ("Check", "List", "Watch"))


class Foreign(Protocol):
    """Registers gRPC services whose contracts are not ours (Envoy's); they check their peers by ``peer``."""

    @property
    def methods(self) -> frozenset[str]:
        """Full names of the methods it means to register."""
        ...

    def __call__(self, server: Registered) -> None:
        """Add the services to the server."""
        ...


class Registered:
    """A server as those see it who register handlers; it remembers the names of their methods."""

    def __init__(self, server: grpc.aio.Server) -> None:
        """Take the server."""
        self._server = server
        self.names: set[str] = set()

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Register handlers."""
        for handler in handlers:
            self.names |= set(getattr(handler, "_method_handlers", (f"/{type(handler).__name__}",)))
        self._server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(
        self, service: str, handlers: dict[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Register the handlers of a service."""
        self.names |= {f"/{service}/{name}" for name in handlers}
        self._server.add_registered_method_handlers(service, handlers)


class StartError(Exception):
    """The handlers do not fit the contracts."""


def caller_of(context: grpc.aio.ServicerContext[Any, Any], trust_domain: str) -> Peer:
    """Return who calls, by certificate.

    Raises:
        Fault: PERMISSION_DENIED: no such identity, or not over TLS 1.3.
    """
    require_tls13(context.auth_context())
    return peer_of(context.peer_identities(), trust_domain)


class Server:
    """One gRPC server. It refuses to be made when a method lacks its policy or its handler."""

    def __init__(self, chain: Chain, tls: TLSMaterial, ids: Ids, *, max_calls: int) -> None:
        """Take the chain every call goes through."""
        self._chain, self._tls, self._ids = chain, tls, ids
        self._server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=max_calls)
        self._registered = Registered(self._server)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._registered)

    @property
    def served(self) -> frozenset[str]:
        """Full names of the methods that are served, whoever registered them."""
        return frozenset(self._registered.names)

    def add(self, handlers: Handlers, foreign: Sequence[Foreign] = ()) -> None:
        """Register handlers for whole services.

        Raises:
            StartError: A method has no handler, or one that takes another message.
        """
        for service, servicer in handlers.items():
            table = {
                method.full_name.rpartition("/")[2]: self._handler(method, _bound(servicer, method))
                for method in methods_of(service)
                if not method.policy.plain_http
            }
            self._registered.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, table),))
        for register in foreign:
            register(self._registered)

    async def start(self, listen: str) -> int:
        """Listen on ``host:port``; returns the port."""
        port = self._server.add_secure_port(listen, self._tls.server_credentials())
        await self.serving(yes=False)
        await self._server.start()
        return port

    async def serving(self, *, yes: bool) -> None:
        """Say whether this process serves."""
        status = health_pb2.HealthCheckResponse.SERVING if yes else health_pb2.HealthCheckResponse.NOT_SERVING
        await self._health.set("", status)

    async def stop(self, grace: float) -> None:
        """Refuse new calls, let the running ones end within ``grace`` seconds, then cancel them."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)

    def _handler(self, method: Method, handle: Callable[[Message, Call], Any]) -> grpc.RpcMethodHandler[Any, Any]:
        async def unary(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            call, fault = self._call(method, context), None
            try:
                async with self._chain.around(call, request, **_seconds(context, method)):
                    reply: Message = await handle(request, call)
            except Fault as raised:
                fault = raised
            if fault is not None:
                await _abort(context, fault, call)
            if call.reply_metadata:
                await context.send_initial_metadata(tuple(call.reply_metadata))
            return reply

        async def stream(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Message]:
            call, fault = self._call(method, context), None
            try:
                async with self._chain.around(call, request, seconds=None):
                    if call.scope is not None:
                        await call.recorded()
                    async for reply in handle(request, call):
                        yield reply
            except Fault as raised:
                fault = raised
            if fault is not None:
                await _abort(context, fault, call)

        make = grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
        behaviour: Any = stream if method.server_streaming else unary
        return make(behaviour, method.input.FromString, method.output.SerializeToString)

    def _call(self, method: Method, context: grpc.aio.ServicerContext[Any, Any]) -> Call:
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        try:
            peer = caller_of(context, self._tls.trust_domain)
        except Fault:
            peer = Peer("")
        return make_call(method, peer, metadata, self._ids)


def make_call(method: Method, peer: Peer, metadata: Mapping[str, str], ids: Ids) -> Call:
    """Return the call of a request that arrived with these headers (lower-case names)."""
    request_id = metadata.get("x-request-id", "")
    if not (_REQUEST_ID.fullmatch(request_id) or is_id(request_id)):
        request_id = ids.new("req")
    origin = origin_of(metadata.get("x-valv-client-address", ""), metadata.get("user-agent", ""))
    return Call(method=method, peer=peer, request_id=request_id, trace_id="", origin=origin, metadata=metadata)


def _seconds(context: grpc.aio.ServicerContext[Any, Any], method: Method) -> dict[str, float]:
    remaining = cast("float | None", context.time_remaining())  # None when the client set no deadline
    return {} if remaining is None else {"seconds": min(remaining, method.policy.within or 60.0)}


async def _abort(context: grpc.aio.ServicerContext[Any, Any], fault: Fault, call: Call) -> None:
    status = status_of(fault, call.request_id)
    trailing = [("grpc-status-details-bin", status.SerializeToString())]
    metadata = [*call.reply_metadata, ("cache-control", "no-store")]
    if fault.retry_after is not None:
        metadata.append(("retry-after", str(retry_seconds(fault))))
    await context.send_initial_metadata(tuple(metadata))
    code = next(code for code in grpc.StatusCode if code.value[0] == int(fault.reason.code))
    await context.abort(code, fault.reason.message, tuple(trailing))


def _bound(servicer: object, method: Method) -> Callable[[Message, Call], Any]:
    handle: Callable[[Message, Call], Any] | None = getattr(servicer, method.name, None)
    if handle is None:
        message = f"{method.full_name} has no handler"
        raise StartError(message)
    taken = next(iter(getattr(handle, "__annotations__", {}).values()), "")
    taken = taken if isinstance(taken, str) else taken.__name__
    if taken.rpartition(".")[2] != method.input.DESCRIPTOR.name:
        message = f"{method.full_name} takes another message"
        raise StartError(message)
    return handle
