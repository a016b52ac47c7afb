"""Owns the gateway's configuration. Loopback only: it refuses to start anywhere else."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """The sandbox gateway.

    Attributes:
        listen: `127.0.0.1:port`.
        certificate: PEM file of a certificate of the development browser CA, for `localhost`.
        key: PEM file of its key.
        database: File of the gateway's own SQLite database.
        secret_key_file: Holds the API key that billing uses.
        publishable_key: The key that card fields use; not a secret.
        pages: Origins of the pages that may hold the card fields.
        faults: Whether tests may order faults.
    """

    listen: str
    certificate: Path
    key: Path
    database: Path
    secret_key_file: Path
    publishable_key: str
    pages: tuple[str, ...]
    faults: bool = False

    def __post_init__(self) -> None:
        """Refuse another address than loopback."""
        host, _, port = self.listen.rpartition(":")
        if not (port.isdecimal() and ipaddress.ip_address(host).is_loopback):
            raise ValueError("listen: the sandbox gateway answers on loopback only")
        if not all(page.startswith("https://") and " " not in page for page in self.pages):
            raise ValueError("pages: origins begin with https://")

    @property
    def address(self) -> tuple[str, int]:
        """Where to listen."""
        host, _, port = self.listen.rpartition(":")
        return host, int(port)
