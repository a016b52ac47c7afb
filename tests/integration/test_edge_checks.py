"""What the gateway measures of the edge by shaking hands with it, and by asking Envoy where it listens."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.gateway import headers
from services.gateway.checks import listeners
from services.gateway.edge import Edge
from services.kit.checks import UnknownError
from services.kit.listening import strays
from services.kit.practices import PRACTICES
from tests.support.pki import Pki
from tests.support.servers import free_ports

STRONG, WEAK = "ECDHE+AES256", "ECDHE+AES128:ECDHE+AES256"


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    made = Pki(tmp_path)
    made.issue([])
    return made


@asynccontextmanager
async def edge(pki: Pki, ciphers: str, name: str = "localhost", says: bytes = b"") -> AsyncIterator[Edge]:
    """Serve TLS as the edge would, and answer a request with `says`; yield what looks at it."""
    browser = pki.folder / "browser"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)
    context.load_cert_chain(browser / "edge.pem", browser / "edge.key")
    server = await asyncio.start_server(_answering(says), "127.0.0.1", 0, ssl=context)
    async with server:
        yield Edge(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", name, browser / "ca.pem")


def _answering(says: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # a handshake alone is not answered
            request = await reader.readuntil(b"\r\n\r\n")
            assert request.startswith(b"HEAD / HTTP/1.1\r\nHost: ")
            writer.write(says)
        writer.close()

    return answer


def _page(*fields: str, status: str = "200 OK") -> bytes:
    return "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", "content-length: 0", *fields, "")).encode()


@pytest.mark.clause("P12", "PCI DSS 4.2.1")
@pytest.mark.parametrize("ciphers, bits", [(STRONG, 256), (WEAK, 128)])
async def test_the_weakest_handshake_that_is_agreed_to_counts(pki: Pki, ciphers: str, bits: int) -> None:
    async with edge(pki, ciphers) as found:
        assert await found.bits() == bits


@pytest.mark.clause("P12", "PCI DSS 4.2.1")
async def test_another_name_or_another_authority_is_no_bit_at_all(pki: Pki, tmp_path: Path) -> None:
    async with edge(pki, STRONG, "vault.example") as found:
        assert await found.bits() == 0
    Pki(tmp_path / "other").issue([])
    async with edge(pki, STRONG) as found:
        assert await Edge(found.address, "localhost", tmp_path / "other" / "browser" / "ca.pem").bits() == 0


async def test_an_edge_that_is_away_is_not_measured(pki: Pki) -> None:
    (port,) = free_ports(1)
    away = Edge(f"127.0.0.1:{port}", "localhost", pki.folder / "browser" / "ca.pem")
    for measure in (away.bits, away.certificate_ends, away.insists_days, away.answers_in_clear):
        with pytest.raises(OSError, match=r"refused|Connect"):
            await measure()


@pytest.mark.clause("P12")
async def test_the_certificate_that_is_shown_is_the_one_whose_days_count(pki: Pki) -> None:
    async with edge(pki, STRONG) as found:
        assert 28 <= (await found.certificate_ends() - datetime.now(UTC)).days <= 30


@pytest.mark.clause("P12", "ASVS 3.4.1")
@pytest.mark.parametrize(
    "fields, days",
    [
        ([f"strict-transport-security: {headers.HSTS}"], PRACTICES["gateway.edge_hsts"].threshold),
        (['Strict-Transport-Security: includesubdomains ; Max-Age="86400"'], 1),
        ([], 0),
        (["strict-transport-security: max-age=63072000"], 0),
        (["strict-transport-security: max-age=0; includeSubDomains"], 0),
        (["strict-transport-security: max-age=x; includeSubDomains"], 0),
        (["strict-transport-security: max-age=63072000; max-age=0; includeSubDomains"], 0),
        (["x-strict-transport-security: max-age=63072000; includeSubDomains"], 0),
    ],
)
async def test_an_edge_insists_on_https_for_as_long_as_it_says(pki: Pki, fields: list[str], days: int) -> None:
    async with edge(pki, STRONG, says=_page(*fields)) as found:
        assert await found.insists_days() == days


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\n", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 x\r\n\r\n"])
async def test_an_edge_that_does_not_answer_is_not_known_to_insist(pki: Pki, says: bytes) -> None:
    async with edge(pki, STRONG, says=says) as found:
        with pytest.raises(UnknownError):
            await found.insists_days()


@pytest.mark.clause("P12", "ASVS 3.4.1")
async def test_what_an_impostor_says_is_not_believed(pki: Pki) -> None:
    says = _page(f"strict-transport-security: {headers.HSTS}")
    async with edge(pki, STRONG, "vault.example", says) as found:
        with pytest.raises(ssl.SSLCertVerificationError):
            await found.insists_days()


@pytest.mark.clause("P12", "PCI DSS 4.2.1")
@pytest.mark.parametrize(
    "says, serving",
    [
        (_page(), 1),
        (_page(status="404 Not Found"), 1),
        (_page("location: http://vault.example/", status="301 Moved Permanently"), 1),
        (_page("location: https://vault.example/", status="301 Moved Permanently"), 0),
        (_page("location: https://vault.example/"), 1),
        (_page(status="400 Bad Request"), 0),
        (_page(status="426 Upgrade Required"), 0),
        (b"", 0),
    ],
)
async def test_a_page_in_clear_is_found_at_the_edges_port_and_at_that_of_http(
    pki: Pki, says: bytes, serving: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await asyncio.start_server(_answering(says), "127.0.0.1", 0)
    async with server, edge(pki, STRONG, says=_page()) as secure:
        plain = server.sockets[0].getsockname()[1]
        assert await Edge(f"127.0.0.1:{plain}", "localhost", None).answers_in_clear() == serving
        assert await secure.answers_in_clear() == 0  # TLS alone there
        monkeypatch.setattr("services.gateway.edge._HTTPS", int(secure.address.partition(":")[2]))
        monkeypatch.setattr("services.gateway.edge._HTTP", plain)
        assert await secure.answers_in_clear() == serving


@pytest.mark.clause("P12")
async def test_a_closed_port_for_http_is_a_refusal(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    async with edge(pki, STRONG) as found:
        monkeypatch.setattr("services.gateway.edge._HTTPS", int(found.address.partition(":")[2]))
        monkeypatch.setattr("services.gateway.edge._HTTP", free_ports(1)[0])
        assert await found.answers_in_clear() == 0


@asynccontextmanager
async def envoy(folder: Path, body: bytes, status: bytes = b"200 OK") -> AsyncIterator[Path]:
    """Answer as Envoy's admin socket does."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert request.startswith(b"GET /listeners?format=json HTTP/1.1\r\n")
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        writer.write(b"HTTP/1.1 " + status + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
        await writer.drain()
        writer.close()

    path = folder / "admin.sock"
    async with await asyncio.start_unix_server(answer, path):
        yield path


def _said(*places: tuple[str, int]) -> bytes:
    sockets = [{"address": address, "port_value": port} for address, port in places]
    return json.dumps({"listener_statuses": [{"local_address": {"socket_address": one}} for one in sockets]}).encode()


@pytest.mark.clause("P3")
@pytest.mark.parametrize(
    "places, stray", [([("192.0.2.1", 443)], 0), ([("192.0.2.1", 443), ("127.0.0.1", 9901)], 1), ([], 0)]
)  # fmt: skip
async def test_a_listener_of_envoy_that_nobody_declared_is_found(
    tmp_path: Path, places: list[tuple[str, int]], stray: int
) -> None:
    async with envoy(tmp_path, _said(*places)) as admin:
        found = await listeners(admin)
    assert found == [(ipaddress.ip_address(address), port) for address, port in places]
    assert strays(found, ["192.0.2.1:443"]) == stray


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"listener_statuses": [{}]}'])
async def test_an_envoy_that_does_not_say_is_unknown(tmp_path: Path, body: bytes) -> None:
    async with envoy(tmp_path, body) as admin:
        with pytest.raises(UnknownError):
            await listeners(admin)


async def test_an_envoy_that_is_away_is_unknown_too(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await listeners(tmp_path / "admin.sock")
