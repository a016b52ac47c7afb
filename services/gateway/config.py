"""Owns the shape of the gateway's configuration. Secrets are file paths only."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from services.kit.checks import ChecksConfig
from services.kit.clients import PeersConfig
from services.kit.config import ServiceConfig
from services.kit.telemetry import TelemetryConfig
from services.kit.tls import TLSConfig


@dataclass(frozen=True)
class PublicConfig:
    """The public listener.

    ``listen`` is ``address:port``. ``names`` are the authorities (host, with the port unless it is 443) that are
    served; the first is the canonical one, and ``https://<first>`` is the issuer of assertions. The certificate
    (chain) and its key are PEM files that may be replaced at any time.
    """

    listen: str
    names: tuple[str, ...]
    certificate: Path
    key: Path
    probe: str | None = None
    """Where the gateway itself reaches the edge, to check it: ``host:port``; the first name, if it is not given."""
    ca_bundle: Path | None = None
    """The CAs that vouch for the public certificate, if they are not the system's."""

    def __post_init__(self) -> None:
        """Refuse an edge without a name.

        Raises:
            ValueError: No name is given.
        """
        if not self.names:
            raise ValueError("the public listener needs a name")

    @property
    def issuer(self) -> str:
        """Issuer of assertions, and the canonical origin."""
        return f"https://{self.names[0]}"

    @property
    def host(self) -> str:
        """The canonical host name."""
        return self.names[0].partition(":")[0]

    @property
    def local(self) -> bool:
        """Whether this is an edge for the machine it runs on: browsers must not be told to insist on HTTPS for it."""
        return self.host == "localhost"

    @property
    def origins(self) -> tuple[str, ...]:
        """Origins whose pages may call the API."""
        return tuple(f"https://{name}" for name in self.names)


@dataclass(frozen=True)
class UpstreamsConfig:
    """Where Envoy finds the services, ``host:port`` each; host names are looked up by the gateway."""

    auth: str
    files: str
    files_data: str
    billing: str
    audit: str


@dataclass(frozen=True)
class EnvoyConfig:
    """Envoy's own side: what its bootstrap says. Paths are as Envoy sees them."""

    certificate: Path
    key: Path
    bundle: Path
    admin: Path
    access_log: Path
    control_plane: str
    trust_domain: str
    max_connections: int = 10_000
    max_heap_bytes: int = 1 << 30
    credential_calls: int = 32
    """How many calls of the credential class may be under way at once: no more than auth has places to hash in."""
    trusted_hops: int = 0
    admin_here: Path | None = None
    """The admin socket as the gateway sees it; absent, the gateway cannot ask Envoy where it listens."""


@dataclass(frozen=True)
class RateConfig:
    """A limit per client address (IPv6: per /64): ``burst`` at once, then ``requests`` in ``seconds``."""

    requests: int
    seconds: int
    burst: int

    def __post_init__(self) -> None:
        """Refuse what Envoy would.

        Raises:
            ValueError: A number is not positive, or the rate is above 20 a second.
        """
        if min(self.requests, self.seconds, self.burst) < 1 or self.seconds / self.requests < 0.05:  # noqa: PLR2004 - Envoy's shortest interval
            raise ValueError("a rate is positive and at most 20 a second; allow more by its burst")


@dataclass(frozen=True)
class RatesConfig:
    """The limit of each rate class of the contracts that the edge routes."""

    public: RateConfig = field(default_factory=lambda: RateConfig(600, 60, 600))
    credential: RateConfig = field(default_factory=lambda: RateConfig(20, 60, 20))
    customer: RateConfig = field(default_factory=lambda: RateConfig(1200, 60, 600))
    transfer: RateConfig = field(default_factory=lambda: RateConfig(600, 60, 300))


@dataclass(frozen=True)
class WebConfig:
    """The built web client's folder, and the origin of the payment gateway's card fields (None: no card page)."""

    assets: Path
    card_origin: str | None = None


@dataclass(frozen=True)
class Config:
    """Everything the gateway is told."""

    service: ServiceConfig
    tls: TLSConfig
    telemetry: TelemetryConfig
    peers: PeersConfig
    public: PublicConfig
    upstreams: UpstreamsConfig
    envoy: EnvoyConfig
    web: WebConfig
    rates: RatesConfig = field(default_factory=RatesConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)
