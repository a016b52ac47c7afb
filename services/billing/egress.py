"""Owns billing's one way out: HTTPS to the payment gateway, TLS 1.3 with a 256-bit suite, verified, or not at all.

Must never follow a redirect, use a proxy from the environment, or send a request over a weaker connection.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import stripe

from services.kit import context
from services.kit.clock import Clock

LEAST_BITS = 256
_CONNECT_SECONDS = 3.0
_MARGIN_SECONDS = 0.5


class WeakConnection(Exception):  # noqa: N818 - a refusal
    """The gateway did not negotiate TLS 1.3 with a 256-bit suite; nothing was sent."""


@dataclass(frozen=True)
class Handshake:
    """What a handshake negotiated."""

    version: str
    suite: str
    bits: int

    def require_strong(self) -> None:
        """Refuse anything but TLS 1.3 with 256 bits.

        Raises:
            WeakConnection: It was something else.
        """
        if self.version != "TLSv1.3" or self.bits < LEAST_BITS:
            raise WeakConnection


def client_context(ca_bundle: Path | None) -> ssl.SSLContext:
    """Return a context that verifies the gateway against a bundle, or the system's, and speaks TLS 1.3."""
    tls = ssl.create_default_context(cafile=None if ca_bundle is None else str(ca_bundle))
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    return tls


def _negotiated(connection: ssl.SSLObject) -> Handshake:
    suite, version, bits = connection.cipher() or ("", "", 0)
    return Handshake(connection.version() or version, suite, bits)


async def handshake(address: str, ca_bundle: Path | None) -> Handshake:
    """Shake hands with the gateway and hang up.

    Raises:
        OSError: It could not be reached or is not who it should be.
        TimeoutError: It did not answer.
    """
    parts = urlsplit(address)
    async with asyncio.timeout(_CONNECT_SECONDS * 2):
        _, writer = await asyncio.open_connection(
            parts.hostname, parts.port or 443, ssl=client_context(ca_bundle), server_hostname=parts.hostname
        )
        found = _negotiated(writer.get_extra_info("ssl_object"))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return found


class Egress(stripe.HTTPClient):
    """The HTTP client that the official SDK uses here."""

    name = "httpx"

    def __init__(self, clock: Clock, tls: ssl.SSLContext, timeout_seconds: float) -> None:
        """Take the clock, the TLS context and how long one request may take."""
        super().__init__()
        self._clock = clock
        self._seconds = timeout_seconds
        self._client = httpx.AsyncClient(
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16, keepalive_expiry=30),
        )

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request within its time.

        Raises:
            stripe.APIConnectionError: There was no answer; what became of the request is not known.
        """
        try:
            async with asyncio.timeout(self._remaining()):
                response = await self._client.request(
                    method, url, headers=headers, content=post_data, extensions={"trace": _require_strong}
                )
        except (httpx.HTTPError, WeakConnection, TimeoutError) as error:
            raise stripe.APIConnectionError(type(error).__name__) from error  # type: ignore[no-untyped-call]  # Stripe's SDK does not type its errors
        return response.content, response.status_code, response.headers

    async def close_async(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _remaining(self) -> float:
        """Leave the call time to say that the outcome is not known."""
        ends = context.deadline.get()
        if ends is None:
            return self._seconds
        return min(self._seconds, max(0.0, ends - self._clock.monotonic() - _MARGIN_SECONDS))


async def _require_strong(event: str, info: dict[str, Any]) -> None:
    if event == "connection.start_tls.complete":
        stream = info["return_value"]
        try:
            _negotiated(stream.get_extra_info("ssl_object")).require_strong()
        except WeakConnection:
            await stream.aclose()
            raise
