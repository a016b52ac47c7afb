"""The configuration of witnesses.

Owns its shape and what may not be combined.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from services.audit.witness.cosignature import CosignatureError, parse_vkey

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class WitnessConfig:
    """One witness."""

    name: str
    """What log lines and entries call it."""
    vkey: str
    """Its verifier key (c2sp.org/signed-note), of type 0x04."""
    url: str
    """Its submission prefix; HTTPS, or plain HTTP on loopback."""
    monitor_url: str | None = None
    """Its monitoring prefix, where it serves the latest checkpoint that it cosigned."""
    ca_file: Path | None = None
    """The authorities that its certificate must come from; the system's when absent."""
    timeout: float = 1.0
    """Seconds within which it must have answered."""

    def __post_init__(self) -> None:
        """Refuse what cannot be asked safely."""
        if not _NAME.fullmatch(self.name):
            raise ValueError("name: lower-case letters, digits and hyphens")
        try:
            parse_vkey(self.vkey)
        except CosignatureError as error:
            raise ValueError(f"vkey: {error}") from None
        for url in filter(None, (self.url, self.monitor_url)):
            parts = urlsplit(url)
            plain = parts.scheme == "http" and parts.hostname in LOOPBACK
            if (parts.scheme != "https" and not plain) or not parts.hostname or parts.query or parts.username:
                raise ValueError("url: https://host/prefix, or http:// on loopback")


@dataclass(frozen=True)
class WitnessesConfig:
    """The witnesses, and what is done without them."""

    witness: tuple[WitnessConfig, ...] = ()
    require: int = 0
    """How many must have cosigned a checkpoint before it is served."""
    interval: float = 1.0
    """Seconds between two checkpoints that are sent to them."""

    def __post_init__(self) -> None:
        """Refuse what could never be met."""
        if not 0 <= self.require <= len(self.witness):
            raise ValueError("require: at most as many as there are witnesses")
        if len({each.name for each in self.witness}) != len(self.witness):
            raise ValueError("witness: two of one name")
        if len({parse_vkey(each.vkey).key_id for each in self.witness}) != len(self.witness):
            raise ValueError("witness: two of one key")
