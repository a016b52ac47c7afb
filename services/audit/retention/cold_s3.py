"""Cold bundles in a bucket that speaks S3.

Owns the calls to boto3, made in a few threads of its own so that a slow store cannot starve the process.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from services.audit.retention.cold import ColdError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
_THREADS = 4
_ABSENT = {"404", "NoSuchKey", "NotFound"}


class ColdS3:
    """A `ColdStore` in a bucket: `<prefix>cold/<bundle>`."""

    def __init__(self, client: "S3Client", bucket: str, prefix: str) -> None:
        """Take the client and where the bundles are."""
        self._client, self._bucket, self._prefix = client, bucket, f"{prefix}cold/"
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="cold")

    async def put(self, bundle: int, data: bytes) -> None:
        """Make an object durable, in the place of an older one; raise ColdError."""
        name = self._name(bundle)
        await self._run(lambda: self._client.put_object(Bucket=self._bucket, Key=name, Body=data))

    async def get(self, bundle: int) -> bytes | None:
        """Return an object, or None; raise ColdError."""
        name = self._name(bundle)
        return await self._run(lambda: self._read(name))

    async def delete(self, bundle: int) -> None:
        """Delete an object, if there is one; raise ColdError."""
        name = self._name(bundle)
        await self._run(lambda: self._client.delete_object(Bucket=self._bucket, Key=name))

    async def close(self) -> None:
        """End the threads."""
        await asyncio.to_thread(self._threads.shutdown)
        self._client.close()

    def _name(self, bundle: int) -> str:
        return f"{self._prefix}{bundle}"

    def _read(self, name: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _ABSENT:
                return None
            raise

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except (BotoCoreError, ClientError) as error:
            raise ColdError from error
