"""Owns the configuration of the files service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from services.files.blobs_s3 import S3Config
from services.files.reconcile import ReconcileConfig
from services.kit.checks import ChecksConfig
from services.kit.clients import PeersConfig
from services.kit.config import ServiceConfig
from services.kit.db import DatabaseConfig
from services.kit.envelope import RootKeyConfig
from services.kit.telemetry import TelemetryConfig
from services.kit.tls import TLSConfig


@dataclass(frozen=True)
class BlobsConfig:
    """Where encrypted bytes are kept: in a directory, or in a bucket."""

    directory: Path | None = None
    s3: S3Config | None = None

    def __post_init__(self) -> None:
        if (self.directory is None) == (self.s3 is None):
            raise ValueError("blobs needs a directory or s3, one of them")


@dataclass(frozen=True)
class LimitsConfig:
    """What one customer may store, how large one file may be, and how many threads encrypt and decrypt."""

    quota_bytes: int = 10 << 30
    quota_files: int = 10_000
    max_file_bytes: int = 10 << 30
    threads: int = 8


@dataclass(frozen=True)
class Config:
    """The files service's configuration."""

    service: ServiceConfig
    tls: TLSConfig
    peers: PeersConfig
    database: DatabaseConfig
    keys_database: DatabaseConfig
    root_key: RootKeyConfig
    blobs: BlobsConfig
    data_listen: str
    """Where the data plane listens, ``host:port``: plain HTTP over mTLS, for the edge alone."""
    public_url: str
    """The issuer of assertions, such as ``https://localhost:8443``."""
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    reconcile: ReconcileConfig = field(default_factory=ReconcileConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)

    def __post_init__(self) -> None:
        if not self.keys_database.secure_delete and self.keys_database.url.startswith("sqlite"):
            raise ValueError("keys_database.secure_delete must be true")
