"""Real certificates for tests, issued by the code that issues the development ones."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from deploy.cli import certs
from services.kit.clock import SystemClock
from services.kit.tls import TLSConfig, TLSMaterial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from services.kit.clock import Clock


class Pki:
    """Two CAs and certificates in a folder."""

    domain = certs.DOMAIN

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.folder = folder
        self.clock = clock or SystemClock()

    def config(self, role: str) -> TLSConfig:
        """Return the TLS configuration of a workload, issuing its certificate when there is none."""
        self.issue([role])
        folder = self.folder / "workload"
        return TLSConfig(self.domain, folder / f"{role}.pem", folder / f"{role}.key", folder / "ca.pem")

    def operator(self, name: str) -> TLSConfig:
        """Return the TLS configuration of an operator, with a new certificate."""
        path = certs.issue_operator(self.folder, name, self.clock.now())
        return TLSConfig(self.domain, path, path.with_suffix(".key"), self.folder / "workload" / "ca.pem")

    def material(self, role: str) -> TLSMaterial:
        """Return the TLS material of a workload."""
        return TLSMaterial(self.config(role), self.clock)

    def issue(self, roles: Sequence[str]) -> None:
        """Issue what is missing."""
        certs.issue(self.folder, roles, self.clock.now())

    def reissue(self, role: str) -> None:
        """Replace a workload's certificate by a new one."""
        (self.folder / "workload" / f"{role}.pem").unlink()
        self.issue([role])

    def client_context(self, role: str) -> ssl.SSLContext:
        """Return a client context for plain TLS with a workload's certificate."""
        config = self.config(role)
        context = ssl.create_default_context(cafile=str(config.bundle))
        context.load_cert_chain(config.certificate, config.key)
        return context
