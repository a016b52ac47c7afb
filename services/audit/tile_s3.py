"""Tiles in a bucket that speaks S3.

Owns the calls to boto3, made in a few threads of its own so that a slow store cannot starve the process. A tile's name
never gets other bytes: it is compared before it is written, and only the sequencer that holds the lease writes. What
two sequencers derive from the same entries is equal, so a race between them cannot change a byte.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import boto3
import botocore.session
from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError

from services.audit.store import ConflictError
from services.audit.tiles import Tile, parse_path

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
_THREADS = 8
_ABSENT = {"404", "NoSuchKey", "NotFound"}


@dataclass(frozen=True)
class S3Config:
    """A bucket: `endpoint` only for what is not AWS; `credentials_file` in the AWS shared format."""

    bucket: str
    region: str
    endpoint: str | None = None
    credentials_file: Path | None = None
    prefix: str = "log/"


def connect(config: S3Config) -> "S3Client":
    """Make a client for the bucket."""
    session = botocore.session.Session()
    if config.credentials_file is not None:
        session.set_config_variable("credentials_file", str(config.credentials_file))
    return boto3.session.Session(botocore_session=session).client(
        "s3",
        region_name=config.region,
        endpoint_url=config.endpoint,
        config=ClientConfig(
            max_pool_connections=_THREADS,
            connect_timeout=5,
            read_timeout=10,
            retries={"total_max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path" if config.endpoint else "auto"},
        ),
    )


class S3Tiles:
    """A `TileStore` in a bucket: `<prefix>checkpoint` and `<prefix>tile/...`."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str) -> None:
        """Take the client and where the log is."""
        self._client, self._bucket, self._prefix = client, bucket, prefix
        self._checkpoint = f"{prefix}checkpoint"
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="tiles")

    async def get(self, tile: Tile) -> bytes | None:
        """Return a tile's bytes, or None."""
        return await self._run(lambda: self._read(self._key(tile)))

    async def put(self, files: dict[Tile, bytes]) -> None:
        """Make tiles durable; raise ConflictError if one exists with other bytes."""
        await asyncio.gather(*(self._run(self._writer(self._key(tile), data)) for tile, data in files.items()))

    async def publish(self, note: bytes) -> None:
        """Replace the published checkpoint."""
        await self._run(lambda: self._write(self._checkpoint, note, "text/plain; charset=utf-8"))

    async def published(self) -> bytes | None:
        """Return the published checkpoint, or None."""
        return await self._run(lambda: self._read(self._checkpoint))

    async def prune(self, tile: Tile) -> None:
        """Forget the partial tiles that the full `tile` has replaced."""
        await self._run(lambda: self._delete(self._key(tile) + ".p/", lambda _name: True))

    async def discard(self, size: int) -> None:
        """Remove what a tree of `size` leaves does not have: it was never signed."""
        prefix = f"{self._prefix}tile/"
        await self._run(lambda: self._delete(prefix, lambda name: parse_path(name).leaves > size))

    async def close(self) -> None:
        """End the threads."""
        await asyncio.to_thread(self._threads.shutdown)
        self._client.close()

    def _key(self, tile: Tile) -> str:
        return f"{self._prefix}tile/{tile.path}"

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _writer(self, key: str, data: bytes) -> Callable[[], None]:
        def write() -> None:
            held = self._read(key)
            if held is None:
                self._write(key, data, "application/octet-stream")
            elif held != data:
                raise ConflictError(key)

        return write

    def _write(self, key: str, data: bytes, media_type: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=media_type)

    def _delete(self, prefix: str, wanted: Callable[[str], bool]) -> None:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for found in page.get("Contents", []):
                if wanted(found["Key"].removeprefix(prefix)):
                    self._client.delete_object(Bucket=self._bucket, Key=found["Key"])

    def _read(self, key: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise
