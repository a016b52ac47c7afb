"""Owns the shape of auth's configuration. Secrets come by file path only; nothing can be made weaker than promised."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from services.auth import throttle_rules
from services.auth.erasures.erasure import ErasureConfig
from services.auth.links.providers import LinksConfig
from services.auth.passwords import Parameters
from services.auth.sessions import Limits
from services.auth.smtp import SmtpConfig
from services.kit.checks import ChecksConfig
from services.kit.clients import PeersConfig
from services.kit.config import Profile, ServiceConfig, load
from services.kit.db import DatabaseConfig
from services.kit.envelope import RootKeyConfig
from services.kit.telemetry import TelemetryConfig
from services.kit.tls import TLSConfig

MIN_GRACE_SECONDS = 86400
"""In production: time enough to read the mail."""


class Shared(StrEnum):
    """Where activity and counters are kept."""

    SQL = "sql"
    REDIS = "redis"


class Hints(StrEnum):
    """How replicas tell each other to look. The rows are read each 100 ms in any case."""

    LOCAL = "local"
    POSTGRESQL = "postgresql"
    REDIS = "redis"


@dataclass(frozen=True)
class PasswordsConfig:
    """How passwords are hashed."""

    pepper_file: Path
    parameters: Parameters = field(default_factory=Parameters)
    workers: int = 2
    """Hashes at once; each takes ``parameters.memory_kib``."""
    queue: int = 32
    """Calls that may wait for a hash; more are refused at once."""
    breached_directory: Path | None = None
    """Breached passwords as range files of Have I Been Pwned."""
    breached_file: Path | None = None
    """The same as one sorted file."""

    def __post_init__(self) -> None:
        if self.workers < 1 or self.queue < 0:
            raise ValueError("at least one worker, no negative queue")
        if self.breached_directory is not None and self.breached_file is not None:
            raise ValueError("breached_directory or breached_file, not both")


@dataclass(frozen=True)
class SessionsConfig:
    """How long sessions live and who signs for them."""

    signing_key_file: Path
    audience: str = "valv"
    idle_seconds: int = 1800
    absolute_seconds: int = 43200

    def __post_init__(self) -> None:
        self.limits()

    def limits(self) -> Limits:
        """Return the limits; refuses longer ones than promised."""
        return Limits(timedelta(seconds=self.idle_seconds), timedelta(seconds=self.absolute_seconds))


@dataclass(frozen=True)
class SharedConfig:
    """What replicas share beside the database."""

    activity: Shared = Shared.SQL
    counters: Shared = Shared.SQL
    hints: Hints = Hints.LOCAL
    redis_url: str | None = None
    """``rediss://`` beyond this machine."""
    redis_password_file: Path | None = None

    def __post_init__(self) -> None:
        wants = Shared.REDIS in (self.activity, self.counters) or self.hints is Hints.REDIS
        if wants and self.redis_url is None:
            raise ValueError("shared.redis_url is missing")


@dataclass(frozen=True)
class Config:
    """Auth's configuration."""

    service: ServiceConfig
    tls: TLSConfig
    database: DatabaseConfig
    keys_database: DatabaseConfig
    root_key: RootKeyConfig
    """A file: auth carries no client of any cloud."""
    passwords: PasswordsConfig
    sessions: SessionsConfig
    mail: SmtpConfig
    public_url: str
    """What links in mails begin with, and the issuer of assertions, such as ``https://localhost:8443``."""
    product: str = "Valv"
    """The name customers know the service by."""
    peers: PeersConfig = field(default_factory=PeersConfig)
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    throttle_file: Path = throttle_rules.DEFAULT
    """How often somebody may try; see the file that is the default."""
    shared: SharedConfig = field(default_factory=SharedConfig)
    erasure: ErasureConfig = field(default_factory=ErasureConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)
    links: LinksConfig = field(default_factory=LinksConfig)

    def __post_init__(self) -> None:
        self.mail.require_safe(self.service.profile)
        if self.service.profile is Profile.PRODUCTION and self.erasure.grace_seconds < MIN_GRACE_SECONDS:
            raise ValueError("erasure.grace_seconds must be at least a day")
        if not self.public_url.startswith("https://") or self.public_url.endswith("/"):
            raise ValueError("public_url is an https origin without a path")
        if self.root_key.file is None or self.root_key != RootKeyConfig(self.root_key.file):
            raise ValueError("root_key is a file")
        if not self.keys_database.secure_delete and self.keys_database.url.startswith("sqlite"):
            raise ValueError("keys_database.secure_delete must be true")
        if self.shared.hints is Hints.POSTGRESQL and not self.database.url.startswith("postgresql"):
            raise ValueError("shared.hints = postgresql needs database on PostgreSQL")
        self.rules()

    def rules(self) -> throttle_rules.Rules:
        """Read the throttle file. Raises ConfigError."""
        return load(throttle_rules.Rules, self.throttle_file)
