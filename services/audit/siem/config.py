"""The configuration of the export to a SIEM.

Owns its shape and what is refused. Holds the path of the token, never the token.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

MOST = 1000
_LEAST_ROTATE = 4096


@dataclass(frozen=True)
class SiemConfig:
    """Where the log is exported to: a collector, a directory, or both, each with its own place in the log."""

    url: str = ""
    """HTTPS address that takes NDJSON by POST; plain HTTP to this machine in development."""
    ca_file: Path | None = None
    """PEM of the CAs that the collector's certificate may come from; the system's by default."""
    token_file: Path | None = None
    """Bearer token of the collector."""
    timeout_seconds: float = 30.0
    """The longest that one request may take, its answer included."""
    batch: int = 500
    """Most events of one request; also of one write to the directory."""
    directory: Path | None = None
    rotate_bytes: int = 64 << 20
    """A file of the directory that has grown to this size is followed by a new one."""

    def __post_init__(self) -> None:
        """Refuse what would send the log nowhere, or in clear."""
        if not self.url and self.directory is None:
            raise ValueError("a url, a directory, or both")
        if not self.url and (self.ca_file or self.token_file):
            raise ValueError("ca_file and token_file go with a url")
        if self.url:
            self._check_url()
        if not 1 <= self.batch <= MOST:
            raise ValueError("batch is 1 to 1000 events")
        if self.timeout_seconds <= 0 or self.rotate_bytes < _LEAST_ROTATE:
            raise ValueError("timeout_seconds is above 0, and rotate_bytes at least 4096")

    @property
    def in_clear(self) -> bool:
        """Whether events would travel in clear: only to this machine, and only in development."""
        return self.url.startswith("http:")

    def _check_url(self) -> None:
        parts = urlsplit(self.url)
        if not parts.hostname or parts.username or parts.password or parts.fragment:
            raise ValueError("url has a host, and neither a user nor a fragment")
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname)):
            raise ValueError("url is https")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
