"""One suite for every blob store: a blob is whole or absent, and read back byte for byte."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.files.blobs import BlobError, BlobMissingError, BlobStore
from services.files.blobs_directory import DirectoryBlobs
from services.files.blobs_s3 import S3Blobs, S3Config, connect
from tests.support.servers import S3Endpoint

PART = 8 << 20


def _directory(request: pytest.FixtureRequest) -> BlobStore:
    folder: Path = request.getfixturevalue("tmp_path")
    return DirectoryBlobs(folder / "blobs")


def _s3(request: pytest.FixtureRequest) -> BlobStore:
    endpoint: S3Endpoint = request.getfixturevalue("s3_endpoint")
    secret: Path = request.getfixturevalue("tmp_path") / "credentials"
    secret.write_text(
        f"[default]\naws_access_key_id = {endpoint.access_key}\naws_secret_access_key = {endpoint.secret_key}\n"
    )
    config = S3Config(endpoint.bucket, endpoint.region, endpoint.url, secret)
    client = connect(config, 4)
    request.addfinalizer(client.close)
    return S3Blobs(client, config.bucket, config.prefix)


MAKERS: dict[str, Callable[[pytest.FixtureRequest], BlobStore]] = {"directory": _directory, "s3": _s3}


@pytest.fixture(params=MAKERS)
def blobs(request: pytest.FixtureRequest) -> BlobStore:
    return MAKERS[request.param](request)


def name() -> str:
    return secrets.token_hex(16)


def put(blobs: BlobStore, data: bytes, *, piece: int = 1 << 20) -> str:
    blob = name()
    writer = blobs.create(blob, len(data))
    for start in range(0, len(data), piece):
        writer.write(data[start : start + piece])
    writer.commit()
    return blob


def listed(blobs: BlobStore) -> set[str]:
    return {info.name for number in range(256) for info in blobs.list(f"{number:02x}")}


@pytest.mark.parametrize("length", [0, 1, 65536, 65537, 3_000_000])
def test_a_blob_is_read_back(blobs: BlobStore, length: int) -> None:
    data = secrets.token_bytes(length)
    reader = blobs.open(put(blobs, data))
    assert reader.length == length
    assert reader.read_at(0, length + 10) == data
    reader.close()


@pytest.mark.parametrize("length", [PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 12345])
def test_a_large_blob_is_read_back(blobs: BlobStore, length: int) -> None:
    data = secrets.token_bytes(length)
    reader = blobs.open(put(blobs, data, piece=1_049_600))
    assert reader.length == length
    digest = hashlib.sha256()
    for offset in range(0, length, 1 << 20):
        digest.update(reader.read_at(offset, 1 << 20))
    reader.close()
    assert digest.digest() == hashlib.sha256(data).digest()


def test_any_place_can_be_read_in_any_order(blobs: BlobStore) -> None:
    data = secrets.token_bytes(300_000)
    reader = blobs.open(put(blobs, data))
    for offset, length in ((299_990, 100), (0, 1), (70_000, 100_000), (170_000, 10), (65_530, 12), (300_000, 5)):
        assert reader.read_at(offset, length) == data[offset : offset + length]
    reader.close()


def test_what_is_not_committed_does_not_exist(blobs: BlobStore) -> None:
    blob = name()
    writer = blobs.create(blob, 2 * PART)
    writer.write(secrets.token_bytes(PART + 1))
    with pytest.raises(BlobMissingError):
        blobs.open(blob)
    assert listed(blobs) == set()
    writer.discard()
    writer.discard()
    with pytest.raises(BlobMissingError):
        blobs.open(blob)


def test_discarding_after_a_commit_changes_nothing(blobs: BlobStore) -> None:
    blob = name()
    writer = blobs.create(blob, 3)
    writer.write(b"abc")
    writer.commit()
    writer.discard()
    reader = blobs.open(blob)
    assert reader.read_at(0, 3) == b"abc"
    reader.close()


def test_deleting_is_final_and_may_be_repeated(blobs: BlobStore) -> None:
    blob = put(blobs, b"abc")
    blobs.delete(blob)
    blobs.delete(blob)
    blobs.delete(name())
    with pytest.raises(BlobMissingError):
        blobs.open(blob)
    assert listed(blobs) == set()


def test_deleting_ends_what_a_dead_writer_left(blobs: BlobStore) -> None:
    blob = name()
    writer = blobs.create(blob, 3 * PART)
    writer.write(secrets.token_bytes(PART + 1))
    blobs.delete(blob)
    assert blobs.sweep(datetime.now(UTC) + timedelta(hours=1)) == 0
    with pytest.raises(BlobError):
        writer.commit()


def test_blobs_are_listed_by_the_beginning_of_their_names(blobs: BlobStore) -> None:
    names = {put(blobs, b"x") for _ in range(12)}
    assert listed(blobs) == names
    for prefix in {one[:2] for one in names}:
        found = list(blobs.list(prefix))
        assert {info.name for info in found} == {one for one in names if one.startswith(prefix)}
        assert all(abs(info.modified - datetime.now(UTC)) < timedelta(minutes=5) for info in found)


def test_abandoned_writing_is_swept_away_and_running_writing_is_not(blobs: BlobStore) -> None:
    writer = blobs.create(name(), 3 * PART)
    writer.write(secrets.token_bytes(PART + 1))
    assert blobs.sweep(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert blobs.sweep(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert blobs.sweep(datetime.now(UTC) + timedelta(hours=1)) == 0
    with pytest.raises(BlobError):
        writer.commit()


@pytest.mark.parametrize("bad", ["", "../../etc/passwd", "A" * 32, "0" * 31, "0" * 33, "0" * 31 + "/"])
def test_only_names_of_blobs_are_taken(blobs: BlobStore, bad: str) -> None:
    with pytest.raises(ValueError, match="name"):
        blobs.open(bad)
    with pytest.raises(ValueError, match="name"):
        blobs.create(bad, 1)
    with pytest.raises(ValueError, match="name"):
        blobs.delete(bad)


@pytest.mark.clause("P13")
def test_nobody_else_on_the_machine_can_read_a_directory(tmp_path: Path) -> None:
    blobs = DirectoryBlobs(tmp_path / "blobs")
    put(blobs, b"abc")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "blobs").rglob("*") if path.is_file()}
    folders = {path.stat().st_mode & 0o777 for path in (tmp_path / "blobs").rglob("*") if path.is_dir()}
    assert modes == {0o600}
    assert folders == {0o700}


def test_a_full_or_vanished_store_is_an_error_of_the_store(tmp_path: Path) -> None:
    blobs = DirectoryBlobs(tmp_path / "blobs")
    (tmp_path / "blobs" / "tmp").rmdir()
    with pytest.raises(BlobError):
        blobs.create(name(), 1)
