"""Calling another service over real mTLS: what travels with the call, who is let in, and replaced certificates."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from deploy.cli import certs
from services.kit import context, telemetry
from services.kit.clients import Channels, PeersConfig, reason_of
from services.kit.clock import SystemClock
from services.kit.faults import NOT_FOUND, Fault
from services.kit.status import status_of
from services.kit.tls import TLSConfig, TLSMaterial, peer_of, require_tls13
from tests.support.pki import Pki

METHOD = "/valv.test.v1.EchoService/Echo"
Handler = Callable[[bytes, grpc.aio.ServicerContext[bytes, bytes]], Any]


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    made = Pki(tmp_path / "pki")
    made.issue(["auth", "files"])
    return made


@asynccontextmanager
async def served(material: TLSMaterial, handler: Handler, *, stream: bool = False) -> AsyncIterator[str]:
    """Serve one method; yields the address."""
    server = grpc.aio.server()
    make: Any = grpc.unary_stream_rpc_method_handler if stream else grpc.unary_unary_rpc_method_handler
    handlers = {"Echo": make(handler)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("valv.test.v1.EchoService", handlers),))
    port = server.add_secure_port("127.0.0.1:0", material.server_credentials())
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def calling(pki: Pki, address: str, role: str = "files") -> AsyncIterator[tuple[Any, TLSMaterial]]:
    """A callable that calls auth's echo method as a role."""
    material = pki.material(role)
    channels = Channels(material, PeersConfig(auth=address), SystemClock())
    try:
        yield channels.get("auth").unary_unary(METHOD), material
    finally:
        await channels.close()


async def peer(_request: bytes, called: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    """Answer with the caller's role and certificate serial."""
    found = called.auth_context()
    require_tls13(found)
    certificate = x509.load_pem_x509_certificate(next(iter(found["x509_pem_cert"])))
    return f"{peer_of(called.peer_identities(), 'valv.localhost').role} {certificate.serial_number}".encode()


@pytest.mark.clause("P3")
async def test_both_ends_know_each_other_over_tls_13(pki: Pki) -> None:
    async with served(pki.material("auth"), peer) as address, calling(pki, address) as (echo, _):
        assert (await echo(b"")).startswith(b"files ")


@pytest.mark.clause("P3")
async def test_a_channel_admits_only_the_role_it_was_made_for(pki: Pki) -> None:
    async with served(pki.material("files"), peer) as address, calling(pki, address) as (echo, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await echo(b"", timeout=2)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.clause("P3")
@pytest.mark.parametrize("authority", ["browser", "workload"])
async def test_name_constraints_bind_grpc_too(pki: Pki, authority: str) -> None:
    """A certificate with the right name beside a wrong one is refused by BoringSSL, whichever CA signed it."""
    pair = certs._read(pki.folder / authority / "ca")
    assert pair is not None
    names = (x509.DNSName("auth.valv.localhost"), x509.DNSName("localhost"))
    forged = pki.folder / "workload" / "auth"
    certs._sign_leaf(forged, pair, certs._Leaf("Valv", names, (certs._SERVER,)), pki.clock.now(), certs.LIFETIME)
    material = TLSMaterial(pki_config(pki), pki.clock)
    if authority == "browser":  # even for a client that trusts it
        bundle = pki.folder / "workload" / "ca.pem"
        bundle.write_bytes(bundle.read_bytes() + (pki.folder / "browser" / "ca.pem").read_bytes())
    async with served(material, peer) as address:
        caller = TLSMaterial(pki_config(pki, "files"), pki.clock)
        channels = Channels(caller, PeersConfig(auth=address), SystemClock())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channels.get("auth").unary_unary(METHOD)(b"", timeout=2)
        await channels.close()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "CERTIFICATE_VERIFY_FAILED" in str(caught.value.details())


def pki_config(pki: Pki, role: str = "auth") -> TLSConfig:
    """The configuration of a role, without issuing anything."""
    folder = pki.folder / "workload"
    return TLSConfig(pki.domain, folder / f"{role}.pem", folder / f"{role}.key", folder / "ca.pem")


async def test_a_call_without_a_client_certificate_fails_at_the_handshake(pki: Pki) -> None:
    async with served(pki.material("auth"), peer) as address:
        bundle = (pki.folder / "workload" / "ca.pem").read_bytes()
        credentials = grpc.ssl_channel_credentials(bundle)
        options = [("grpc.ssl_target_name_override", "auth.valv.localhost")]
        async with grpc.aio.secure_channel(address, credentials, options) as channel:
            echo: Any = channel.unary_unary(METHOD)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await echo(b"", timeout=2)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_deadline_the_request_id_and_the_trace_travel(pki: Pki) -> None:
    seen: dict[str, Any] = {}

    async def handler(_request: bytes, called: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        seen.update(dict(called.invocation_metadata() or ()), remaining=called.time_remaining())
        return b""

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with served(pki.material("auth"), handler) as address, calling(pki, address) as (echo, _):
        await echo(b"")
        assert 9 < seen["remaining"] < 10.1
        assert "x-request-id" not in seen
        context.request_id.set("req_1")
        context.deadline.set(SystemClock().monotonic() + 2)
        with telemetry.server_span("test", {"traceparent": trace}):
            await echo(b"")
        assert 1.5 < seen["remaining"] < 2.05
        assert seen["x-request-id"] == "req_1"
        assert seen["traceparent"].split("-")[1] == trace.split("-")[1]
        await echo(b"", timeout=1)
        assert seen["remaining"] < 1.1  # gRPC rounds up on the way
        context.deadline.set(SystemClock().monotonic() + 0.01)
        with pytest.raises(Fault, match="DEADLINE_EXCEEDED"):
            await echo(b"")


async def test_a_replaced_certificate_is_used_without_losing_a_call(pki: Pki) -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(request: bytes, called: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        if request == b"wait":
            started.set()
            await release.wait()
        return await peer(request, called)

    async with served(pki.material("auth"), handler) as address, calling(pki, address) as (echo, material):
        before = await echo(b"")
        running = asyncio.ensure_future(echo(b"wait"))
        await started.wait()
        pki.reissue("files")
        await asyncio.sleep(1.1)
        after = await echo(b"")
        release.set()
        assert await running == before
        assert after != before
        assert material.generation == 2


async def test_a_server_serves_a_replaced_certificate_to_new_connections(pki: Pki) -> None:
    material = pki.material("auth")

    async def serial(address: str) -> int:
        reader, writer = await asyncio.open_connection(
            address[:9], int(address[10:]), ssl=context_for(pki), server_hostname="auth.valv.localhost"
        )
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        del reader
        return x509.load_der_x509_certificate(found).serial_number

    async with served(material, peer) as address:
        before = await serial(address)
        pki.reissue("auth")
        await asyncio.sleep(1.1)
        assert await serial(address) != before


def context_for(pki: Pki) -> ssl.SSLContext:
    made = pki.client_context("files")
    made.set_alpn_protocols(["h2"])
    return made


async def test_a_refusal_tells_its_reason(pki: Pki) -> None:
    async def handler(_request: bytes, called: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        details = status_of(Fault(NOT_FOUND), "req_1").SerializeToString()
        await called.abort(grpc.StatusCode.NOT_FOUND, "no", (("grpc-status-details-bin", details),))

    async with served(pki.material("auth"), handler) as address, calling(pki, address) as (echo, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await echo(b"")
        assert reason_of(caught.value) == "NOT_FOUND"
    async with calling(pki, address) as (echo, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await echo(b"", timeout=1)
        assert not reason_of(caught.value)


def test_a_peer_that_is_not_configured_cannot_be_called(pki: Pki) -> None:
    with pytest.raises(LookupError, match="billing"):
        Channels(pki.material("auth"), PeersConfig(), SystemClock()).get("billing")
