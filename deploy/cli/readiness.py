"""Owns the asking: does that process serve? By the protocol it serves with, as an identity of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.cli.certs import DOMAIN
from deploy.cli.layout import Layout

_SECONDS = 1.0

Probe = Callable[[], Awaitable[bool]]


def grpc_health(layout: Layout, role: str, port: int) -> Probe:
    """Ask a service's gRPC health over mTLS. One channel asks until it serves: a new one each time would cost much."""
    folder = layout.certificates / "workload"
    kept: list[grpc.aio.Channel] = []

    async def serves() -> bool:
        if not kept:
            kept.append(_channel(folder, role, port))
        try:
            reply = await health_pb2_grpc.HealthStub(kept[0]).Check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        if reply.status != health_pb2.HealthCheckResponse.SERVING:
            return False
        await kept.pop().close()
        return True

    return serves


def _channel(folder: Path, role: str, port: int) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(
        (folder / "ca.pem").read_bytes(), (folder / "runner.key").read_bytes(), (folder / "runner.pem").read_bytes()
    )
    options = (
        ("grpc.ssl_target_name_override", f"{role}.{DOMAIN}"),
        ("grpc.enable_http_proxy", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 100),
    )
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options)


def https(layout: Layout, port: int, path: str = "/") -> Probe:
    """Ask over HTTPS, trusting the browser CA only; any answer below 500 will do."""
    context = ssl.create_default_context(cafile=str(layout.certificates / "browser" / "ca.pem"))

    async def serves() -> bool:
        return await _answers(
            asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost"), path
        )

    return serves


def http(port: int, path: str = "/") -> Probe:
    """Ask over plain HTTP on loopback."""

    async def serves() -> bool:
        return await _answers(asyncio.open_connection("127.0.0.1", port), path, f"127.0.0.1:{port}")

    return serves


def envoy(layout: Layout, socket: Path) -> Probe:
    """Ask Envoy's admin socket, then its public listener."""
    listener = https(layout, layout.ports.edge, "/log/checkpoint")

    async def serves() -> bool:
        return await _answers(asyncio.open_unix_connection(str(socket)), "/ready") and await listener()

    return serves


async def _answers(
    opening: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]], path: str, host: str = "localhost"
) -> bool:
    try:
        reader, writer = await asyncio.wait_for(opening, _SECONDS)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            line = await asyncio.wait_for(reader.readline(), _SECONDS)
        finally:
            writer.close()
    except (OSError, TimeoutError):
        return False
    words = line.split()
    return len(words) > 1 and words[1].isdigit() and int(words[1]) < 500  # noqa: PLR2004 - server errors
