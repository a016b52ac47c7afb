"""Where the log keeps what is not in a database: the configuration of a directory or a bucket."""

from dataclasses import dataclass
from pathlib import Path

from services.audit.tile_s3 import S3Config


@dataclass(frozen=True)
class PlaceConfig:
    """A directory or a bucket, one of them."""

    directory: Path | None = None
    s3: S3Config | None = None

    def __post_init__(self) -> None:
        """Refuse none and both."""
        if (self.directory is None) == (self.s3 is None):
            raise ValueError("a directory or s3, one of them")
