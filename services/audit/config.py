"""The audit service's configuration.

Owns its shape and what may not be combined. Holds paths of secrets, never secrets.
"""

from dataclasses import dataclass, field
from pathlib import Path

from services.audit.place import PlaceConfig
from services.audit.retention.policy import RetentionConfig
from services.audit.siem.config import SiemConfig
from services.audit.witness.config import WitnessesConfig
from services.kit.checks import ChecksConfig
from services.kit.clients import PeersConfig
from services.kit.config import Profile, ServiceConfig
from services.kit.db import DatabaseConfig
from services.kit.envelope import RootKeyConfig
from services.kit.telemetry import TelemetryConfig
from services.kit.tls import TLSConfig


@dataclass(frozen=True)
class LogConfig:
    """The log's identity."""

    origin: str
    """Its name for ever: the scheme-less address it is served at, such as "example.com/log"."""
    signing_key_file: Path
    """Ed25519 private key, PEM (PKCS #8), readable by its owner only."""
    accept_lost: int = 0
    """After a restore: how many entries an operator accepts to be left without a record. The log says the number."""


@dataclass(frozen=True)
class Config:
    """The audit service's configuration."""

    service: ServiceConfig
    tls: TLSConfig
    database: DatabaseConfig
    keys_database: DatabaseConfig
    checkpoint_database: DatabaseConfig
    """Apart from `database`, and never restored from a backup."""
    root_key: RootKeyConfig
    log: LogConfig
    tiles: PlaceConfig
    public_url: str
    """The issuer of assertions, such as "https://localhost:8443"."""
    audience: str = "valv"
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    peers: PeersConfig = field(default_factory=PeersConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)
    siem: SiemConfig | None = None
    """Where the log is exported to; nowhere by default."""
    witnesses: WitnessesConfig = field(default_factory=WitnessesConfig)

    def __post_init__(self) -> None:
        """Refuse what would undo a promise."""
        if len({self.database.url, self.keys_database.url, self.checkpoint_database.url}) != 3:  # noqa: PLR2004 - the number is the rule itself
            raise ValueError("database, keys_database and checkpoint_database are three databases")
        if not self.keys_database.secure_delete and self.keys_database.url.startswith("sqlite"):
            raise ValueError("keys_database.secure_delete must be true")
        if self.siem is not None and self.siem.in_clear and self.service.profile is not Profile.DEVELOPMENT:
            raise ValueError("siem.url is https")
