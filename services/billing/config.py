"""Owns billing's configuration."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from services.billing.erasure import StatutoryConfig
from services.kit.checks import ChecksConfig
from services.kit.clients import PeersConfig
from services.kit.config import Profile, ServiceConfig
from services.kit.db import DatabaseConfig
from services.kit.telemetry import TelemetryConfig
from services.kit.tls import TLSConfig


@dataclass(frozen=True)
class GatewayConfig:
    """The payment gateway.

    Attributes:
        address: Origin of its API.
        secret_key_file: Holds our API key.
        publishable_key: The key that its card fields use; not a secret.
        script_url: Address of its card-field script.
        sandbox: It is the development sandbox. The production profile refuses it.
        ca_bundle: PEM file of the CAs that may vouch for it; absent, the system's.
        timeout_seconds: How long one request may take.
        attestation_date: Day of its latest PCI DSS attestation of compliance, `YYYY-MM-DD`; empty if there is none.
    """

    address: str
    secret_key_file: Path
    publishable_key: str
    script_url: str
    sandbox: bool = False
    ca_bundle: Path | None = None
    timeout_seconds: float = 8.0
    attestation_date: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not be safe."""
        for name, url in (("address", self.address), ("script_url", self.script_url)):
            if urlsplit(url).scheme != "https":
                raise ValueError(f"{name} begins with https://")
        if self.attestation_date:
            date.fromisoformat(self.attestation_date)
        if not 0 < self.timeout_seconds <= 15:  # noqa: PLR2004 - a call ends after 60 s, and makes up to four requests
            raise ValueError("timeout_seconds is more than 0 and at most 15")

    @property
    def attested(self) -> date | None:
        """Day of the gateway's latest attestation."""
        return date.fromisoformat(self.attestation_date) if self.attestation_date else None


@dataclass(frozen=True)
class Config:
    """Billing's configuration. `public_url` is the issuer of assertions, such as `https://localhost:8443`."""

    service: ServiceConfig
    tls: TLSConfig
    peers: PeersConfig
    database: DatabaseConfig
    gateway: GatewayConfig
    public_url: str
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    statutory: StatutoryConfig = field(default_factory=StatutoryConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)

    def __post_init__(self) -> None:
        """Refuse the sandbox in production."""
        if self.service.profile is Profile.PRODUCTION and self.gateway.sandbox:
            raise ValueError("the production profile refuses the sandbox gateway")
