"""Owns the calling of other services: one channel per role, over mTLS, with the current call's deadline, id and trace.

gRPC neither propagates deadlines nor follows replaced client certificates; both happen here and nowhere else. A channel
admits only the peer whose certificate names ``<role>.<trust domain>``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

import grpc
from google.rpc import error_details_pb2, status_pb2

from services.kit import context, telemetry
from services.kit.faults import DEADLINE_EXCEEDED, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from services.kit.clock import Clock
    from services.kit.tls import TLSMaterial

DEFAULT_SECONDS = 10.0
MARGIN_SECONDS = 0.02
GRACE_SECONDS = 30.0
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),  # a rebuilt channel must not meet the old certificate's connection
)


@dataclass(frozen=True)
class PeersConfig:
    """Where the other services are, ``host:port`` each; absent means this service does not call it."""

    auth: str | None = None
    files: str | None = None
    billing: str | None = None
    audit: str | None = None
    gateway: str | None = None


class Channels:
    """The process's channels. Stubs may be made once and kept: they follow replaced certificates."""

    def __init__(self, tls: TLSMaterial, peers: PeersConfig, clock: Clock) -> None:
        """Take our identity and where the others are; nothing connects yet."""
        self._tls = tls
        self._peers = peers
        self._clock = clock
        self._channels: dict[str, Channel] = {}

    def get(self, role: str) -> Channel:
        """Return the channel to a role.

        Raises:
            LookupError: The configuration does not say where it is.
        """
        address = getattr(self._peers, role, None)
        if address is None:
            message = f"no peer of this role is configured: {role}"
            raise LookupError(message)
        if role not in self._channels:
            self._channels[role] = Channel(self._tls, role, address, self._clock)
        return self._channels[role]

    async def close(self, grace: float | None = None) -> None:
        """Close all channels."""
        await asyncio.gather(*(channel.close(grace) for channel in self._channels.values()))


class Channel(grpc.aio.Channel):
    """A channel that is rebuilt when our certificate was replaced; the old one is closed when its calls are done."""

    def __init__(self, tls: TLSMaterial, role: str, address: str, clock: Clock) -> None:
        """Take our identity, the peer's role, and where it is."""
        self.clock = clock
        self._tls = tls
        self._address = address
        self._options = (*_OPTIONS, ("grpc.ssl_target_name_override", f"{role}.{tls.trust_domain}"))
        self._generation = 0
        self._inner: grpc.aio.Channel | None = None
        self._draining: set[asyncio.Task[None]] = set()

    def current(self) -> grpc.aio.Channel:
        """Return the channel that holds our present certificate."""
        generation = self._tls.generation
        if self._inner is None or generation != self._generation:
            old, self._generation = self._inner, generation
            self._inner = grpc.aio.secure_channel(self._address, self._tls.channel_credentials(), self._options)
            if old is not None:
                task = asyncio.get_running_loop().create_task(old.close(GRACE_SECONDS))
                self._draining.add(task)
                task.add_done_callback(self._draining.discard)
        return self._inner

    def unary_unary(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Return a callable for a method with one answer; used by generated stubs."""
        return _Unary(self, "unary_unary", method, arguments, options)

    def unary_stream(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Return a callable for a method that streams answers; used by generated stubs."""
        return _Stream(self, "unary_stream", method, arguments, options)

    def stream_unary(self, *_arguments: Any, **_options: Any) -> NoReturn:
        """Refuse: no contract streams requests."""
        raise NotImplementedError  # no contract streams requests

    def stream_stream(self, *_arguments: Any, **_options: Any) -> NoReturn:
        """Refuse: no contract streams requests."""
        raise NotImplementedError  # no contract streams requests

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - gRPC's own signature
        """Return the connection's state."""
        return self.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Return when the connection's state is another."""
        await self.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Return when connected."""
        await self.current().channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """Close, giving calls under way this many seconds."""
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        if self._inner is not None:
            await self._inner.close(grace)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close at once."""
        await self.close()


class _Method:
    """One method on a channel, whichever connection the channel has."""

    def __init__(
        self, channel: Channel, shape: str, method: str, arguments: Iterable[Any], options: dict[str, Any]
    ) -> None:
        self._channel = channel
        self._shape = shape
        self._name = method.removeprefix("/")
        self._make = (method, *arguments)
        self._options = options
        self._made: tuple[grpc.aio.Channel | None, Any] = (None, None)

    def _callable(self) -> Any:
        current = self._channel.current()
        if self._made[0] is not current:
            self._made = (current, getattr(current, self._shape)(*self._make, **self._options))
        return self._made[1]

    def _remaining(self, timeout: float | None) -> float | None:
        ends = context.deadline.get()
        if ends is None:
            return timeout
        left = ends - self._channel.clock.monotonic() - MARGIN_SECONDS
        if left <= 0:
            raise Fault(DEADLINE_EXCEEDED)
        return left if timeout is None else min(timeout, left)


class _Unary(_Method):
    def __call__(self, request: Any, *, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        within = self._remaining(DEFAULT_SECONDS if timeout is None else timeout)
        carrier: dict[str, str] = {}
        span = telemetry.client_span(self._name, carrier)
        call = self._callable()(request, timeout=within, metadata=_metadata(metadata, carrier), **options)
        call.add_done_callback(lambda _call: span.end())
        return call


class _Stream(_Method):
    def __call__(self, request: Any, *, timeout: float | None = None, metadata: Any = None, **options: Any) -> Any:
        return self._callable()(request, timeout=self._remaining(timeout), metadata=_metadata(metadata, {}), **options)


def _metadata(
    given: Iterable[tuple[str, str | bytes]] | None, carrier: dict[str, str]
) -> tuple[tuple[str, str | bytes], ...]:
    request_id = context.request_id.get()
    own = (("x-request-id", request_id),) if request_id else ()
    return (*(given or ()), *own, *carrier.items())


def reason_of(error: grpc.aio.AioRpcError | grpc.Call) -> str:
    """Return the stable reason a Valv service gave for a refusal; empty when it gave none (the transport failed)."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            info = error_details_pb2.ErrorInfo()
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    return info.reason
    return ""
