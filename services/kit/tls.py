"""Owns the process's certificate and the reading of peers' names. Must never admit a peer by anything but its URI SAN.

Certificates are files that may be replaced at any time: servers pick them up at the next handshake, clients by
``generation`` (see ``clients.py``). Both sides speak TLS 1.3; gRPC cannot be told so, hence ``require_tls13``.
"""

from __future__ import annotations

import re
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.kit.faults import PERMISSION_DENIED, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from services.kit.clock import Clock

POLL_SECONDS = 1.0
_PATH = re.compile(r"(?P<role>[a-z][a-z0-9-]{0,62})(?:/(?P<name>[a-z][a-z0-9-]{0,62}))?")


@dataclass(frozen=True)
class TLSConfig:
    """The process's identity: its trust domain, PEM files of its certificate and key, and of the CAs it trusts."""

    trust_domain: str
    certificate: Path
    key: Path
    bundle: Path


@dataclass(frozen=True)
class Peer:
    """Who is at the other end: a role, and for operators a name."""

    role: str
    name: str | None = None


@dataclass(frozen=True)
class _Pair:
    """One consistent reading of the files."""

    certificate: bytes
    key: bytes
    bundle: bytes
    expires: datetime


class TLSMaterial:
    """The certificate, key and bundle, read again within a second of being replaced. Safe to use from any thread."""

    def __init__(self, config: TLSConfig, clock: Clock) -> None:
        """Read the files.

        Raises:
            OSError: A file cannot be read.
            ValueError: The key does not belong to the certificate, or a file is not PEM.
        """
        self.trust_domain = config.trust_domain
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._stamp = self._stat()
        self._pair = self._read()
        self._context = self._server_context(self._pair)
        self._generation = 1
        self._polled = clock.monotonic()

    @property
    def generation(self) -> int:
        """A number that grows each time other files were found."""
        self._poll()
        return self._generation

    @property
    def expires(self) -> datetime:
        """When the certificate ends, UTC."""
        self._poll()
        return self._pair.expires

    def server_credentials(self) -> grpc.ServerCredentials:
        """Return gRPC credentials that demand a client certificate and look for new files at each handshake.

        gRPC frees what an answer replaces, even while another handshake uses it (grpc/grpc#36693): only files that
        are new may be answered.
        """
        known, lock = self._pair, threading.Lock()

        def replaced() -> grpc.ServerCertificateConfiguration | None:
            nonlocal known
            self._poll()
            with lock:
                pair = self._pair
                if pair == known:
                    return None
                known = pair
            return _configuration(pair)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(known),
            replaced,  # type: ignore[arg-type]  # the published types forget that None means no change
            require_client_authentication=True,
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return gRPC client credentials of the present files; they do not follow later ones."""
        self._poll()
        pair = self._pair
        return grpc.ssl_channel_credentials(pair.bundle, pair.key, pair.certificate)

    def ssl_context(self) -> ssl.SSLContext:
        """Return a server context: TLS 1.3 only, client certificate required, new files at the next handshake."""
        self._poll()
        return self._context

    def _renew_context(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        self._poll()
        connection.context = self._context

    def _server_context(self, pair: _Pair) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.sni_callback = self._renew_context
        context.num_tickets = 0  # a resumed session would keep the CAs of the first handshake
        context.load_cert_chain(self._config.certificate, self._config.key)
        context.load_verify_locations(cadata=pair.bundle.decode("ascii"))
        return context

    def _poll(self) -> None:
        with self._lock:
            now = self._clock.monotonic()
            if now - self._polled < POLL_SECONDS:
                return
            self._polled = now
            try:
                stamp = self._stat()
                if stamp == self._stamp:
                    return
                pair = self._read()
                context = self._server_context(pair)
            except (OSError, ValueError):
                return  # half replaced: the pair we have still holds, the next poll looks again
            self._stamp = stamp
            if pair != self._pair:
                self._pair, self._context = pair, context
                self._generation += 1

    def _stat(self) -> tuple[tuple[int, int, int], ...]:
        found = (path.stat() for path in (self._config.certificate, self._config.key, self._config.bundle))
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in found)

    def _read(self) -> _Pair:
        certificate, key = self._config.certificate.read_bytes(), self._config.key.read_bytes()
        bundle = self._config.bundle.read_bytes()
        leaf = x509.load_pem_x509_certificate(certificate)
        x509.load_pem_x509_certificates(bundle)
        if serialization.load_pem_private_key(key, password=None).public_key() != leaf.public_key():
            message = "the key does not belong to the certificate"
            raise ValueError(message)
        return _Pair(certificate, key, bundle, leaf.not_valid_after_utc)


def _configuration(pair: _Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.certificate)], pair.bundle)


def peer_of(sans: Iterable[bytes | str] | None, trust_domain: str) -> Peer:
    """Return whom a verified certificate's subject alternative names belong to.

    Raises:
        Fault: PERMISSION_DENIED, unless exactly one name is a URI and it is one of the trust domain's.
    """
    names = [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in sans or ()]
    uris = [name for name in names if ":" in name]  # a DNS name has no colon
    prefix = f"spiffe://{trust_domain}/"
    found = _PATH.fullmatch(uris[0][len(prefix) :]) if len(uris) == 1 and uris[0].startswith(prefix) else None
    if found is None or (found["role"] == "operator") != (found["name"] is not None):
        raise Fault(PERMISSION_DENIED)
    return Peer(found["role"], found["name"])


def require_tls13(auth_context: Mapping[str, Iterable[bytes]]) -> None:
    """Refuse a gRPC peer (``context.auth_context()``) that did not negotiate TLS 1.3.

    Raises:
        Fault: PERMISSION_DENIED.
    """
    if list(auth_context.get("ssl_tls_version", ())) != [b"TLSv1.3"]:
        raise Fault(PERMISSION_DENIED)
