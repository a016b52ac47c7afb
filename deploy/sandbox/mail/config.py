"""Owns the mail sandbox's configuration. Loopback only: it refuses to start anywhere else."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Config:
    """Where mail is taken (SMTP), where it is shown (HTTP), and the folder it is kept in."""

    smtp: str
    page: str
    folder: Path

    def __post_init__(self) -> None:
        """Refuse another address than loopback.

        Raises:
            ValueError: An address is not loopback.
        """
        for name in (self.smtp, self.page):
            if not ipaddress.ip_address(address(name)[0]).is_loopback:
                raise ValueError("the mail sandbox answers on loopback only")


def address(listen: str) -> tuple[str, int]:
    """Split ``host:port``."""
    host, _, port = listen.rpartition(":")
    return host, int(port)
