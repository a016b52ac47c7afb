"""Owns the shop's configuration. Loopback only: it refuses to start anywhere else."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from services.kit.clients import PeersConfig
from services.kit.telemetry import TelemetryConfig
from services.kit.tls import TLSConfig


@dataclass(frozen=True)
class Config:
    """The shop.

    Attributes:
        listen: `127.0.0.1:port`.
        origin: Where browsers find it, such as `https://localhost:8444`.
        certificate: PEM file of a certificate of the development browser CA, for `localhost`.
        key: PEM file of its key.
        valv: Where customers sign in and keep their cards, such as `https://localhost:8443`.
        tls: Its identity between services.
        peers: Where auth and billing are.
        database: File of its own SQLite database.
    """

    listen: str
    origin: str
    certificate: Path
    key: Path
    valv: str
    tls: TLSConfig
    peers: PeersConfig
    database: Path
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def __post_init__(self) -> None:
        """Refuse another address than loopback."""
        host, _, port = self.listen.rpartition(":")
        if not (port.isdecimal() and ipaddress.ip_address(host).is_loopback):
            raise ValueError("listen: the sandbox shop answers on loopback only")

    @property
    def address(self) -> tuple[str, int]:
        """Where to listen."""
        host, _, port = self.listen.rpartition(":")
        return host, int(port)
