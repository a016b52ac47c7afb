"""Owns blobs in a bucket that speaks S3. Must never hold more of a blob in memory than one part of a multipart upload.

boto3 signs, retries and checks. Blobs are written under their final name in one request, or as a multipart upload when
they are larger than one part; neither shows before it is complete. Credentials come from boto3's own chain or from a
credentials file, never from the configuration.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session
from boto3.session import Session
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from services.files.blobs import BlobError, BlobInfo, BlobMissingError, check_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

    from services.files.cobblestone import Octets

_MIN_PART = 8 << 20
_MAX_PARTS = 10_000
_AHEAD = 64 << 20
_FIRST = 64 << 10
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_EMPTY = {"416", "InvalidRange"}


@dataclass(frozen=True)
class S3Config:
    """A bucket: ``endpoint`` only for what is not AWS; ``credentials_file`` in the AWS shared format."""

    bucket: str
    region: str
    endpoint: str | None = None
    credentials_file: Path | None = None
    prefix: str = "blobs/"


def connect(config: S3Config, connections: int) -> S3Client:
    """Make a client for at most that many requests at once."""
    session = botocore.session.Session()
    if config.credentials_file is not None:
        session.set_config_variable("credentials_file", str(config.credentials_file))
    return Session(botocore_session=session).client(
        "s3",
        region_name=config.region,
        endpoint_url=config.endpoint,
        config=ClientConfig(
            max_pool_connections=connections,
            connect_timeout=5,
            read_timeout=30,
            retries={"total_max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path" if config.endpoint else "auto"},
        ),
    )


class S3Blobs:
    """A ``BlobStore`` in a bucket."""

    def __init__(self, client: S3Client, bucket: str, prefix: str) -> None:
        """Take the client and where the blobs are."""
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def create(self, name: str, length: int) -> _Writer:
        """Begin a blob; parts are sized so that ``length`` bytes fit in the number of parts S3 allows."""
        return _Writer(self._client, self._bucket, self._key(name), max(_MIN_PART, length // (_MAX_PARTS - 1) + 1))

    def open(self, name: str) -> _Reader:
        """Open a blob."""
        return _Reader(self._client, self._bucket, self._key(name))

    def delete(self, name: str) -> None:
        """Remove a blob and what a dead writer left of it."""
        with _translated():
            self._abort(self._key(name))
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def list(self, prefix: str) -> Iterator[BlobInfo]:
        """Yield the blobs whose names begin so."""
        with _translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield BlobInfo(entry["Key"].removeprefix(self._prefix), entry["LastModified"])

    def sweep(self, before: datetime) -> int:
        """Abort multipart uploads begun before then."""
        with _translated():
            return self._abort(self._prefix, before)

    def _abort(self, prefix: str, before: datetime | None = None) -> int:
        count = 0
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            for entry in page.get("Uploads", ()):
                if before is None or entry["Initiated"] < before:
                    self._client.abort_multipart_upload(
                        Bucket=self._bucket, Key=entry["Key"], UploadId=entry["UploadId"]
                    )
                    count += 1
        return count

    def _key(self, name: str) -> str:
        return self._prefix + check_name(name)


class _Writer:
    def __init__(self, client: S3Client, bucket: str, key: str, part_bytes: int) -> None:
        self._client, self._bucket, self._key, self._part_bytes = client, bucket, key, part_bytes
        self._held = bytearray()
        self._upload: str | None = None
        self._parts: list[CompletedPartTypeDef] = []

    def write(self, data: Octets) -> None:
        self._held += data
        while len(self._held) > self._part_bytes:
            self._send(bytes(memoryview(self._held)[: self._part_bytes]))
            del self._held[: self._part_bytes]

    def commit(self) -> None:
        with _translated():
            if self._upload is None:
                self._client.put_object(Bucket=self._bucket, Key=self._key, Body=bytes(self._held))
                return
            self._send(bytes(self._held))
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
            )
            self._upload = None

    def discard(self) -> None:
        self._held.clear()
        upload, self._upload = self._upload, None
        if upload is not None:
            with _translated():
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=upload)

    def _send(self, data: bytes) -> None:
        with _translated():
            if self._upload is None:
                self._upload = self._client.create_multipart_upload(Bucket=self._bucket, Key=self._key)["UploadId"]
            number = len(self._parts) + 1
            reply = self._client.upload_part(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload, PartNumber=number, Body=data
            )
            self._parts.append({"ETag": reply["ETag"], "PartNumber": number})


class _Reader:
    """Reads on from where it was through one response; any other offset is a new request. The first bytes are kept."""

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._body: StreamingBody | None = None
        self._at = self._end = self.length = 0
        self._first = b""
        with _translated():
            try:
                self.length = self._seek(0, _FIRST)
                self._first = self._take(_FIRST)
                self._at = self._end
            except ClientError as error:
                if _code(error) not in _EMPTY:
                    raise

    def read_at(self, offset: int, length: int) -> bytes:
        stop = min(offset + length, self.length)
        if stop <= len(self._first):
            return self._first[offset:stop]
        parts = []
        while offset < stop:
            with _translated():
                if self._body is None or self._at != offset or self._at == self._end:
                    self._seek(offset, max(stop, min(offset + _AHEAD, self.length)))
                data = self._take(min(stop, self._end) - offset)
            if not data:
                raise BlobError
            parts.append(data)
            offset += len(data)
            self._at = offset
        return b"".join(parts)

    def _take(self, count: int) -> bytes:
        return b"" if self._body is None else self._body.read(count)

    def close(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def _seek(self, offset: int, end: int) -> int:
        self.close()
        reply = self._client.get_object(Bucket=self._bucket, Key=self._key, Range=f"bytes={offset}-{end - 1}")
        self._body, self._at, self._end = reply["Body"], offset, offset + reply["ContentLength"]
        return int(reply["ContentRange"].rpartition("/")[2])


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) in _ABSENT:
            raise BlobMissingError from error
        raise BlobError from error
    except (BotoCoreError, OSError) as error:
        raise BlobError from error
