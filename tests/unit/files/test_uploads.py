"""From the first byte to publication: all of a file or nothing of it, and never more than the quota."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from services.files.blobs import BlobError
from services.files.blobs_directory import DirectoryBlobs
from services.files.cobblestone import Octets
from services.files.errors import FILE_TOO_LARGE, QUOTA_EXCEEDED, UPLOAD_INCOMPLETE
from services.files.particulars import Particulars
from services.files.store import Quota, Store
from services.files.uploads import UploadLimits, Uploads
from services.kit.faults import Fault
from tests.unit.files.house import ANNA, BERTIL, House, pieces

ABOUT = Particulars("a file", "text/plain")


async def nothing_left(house: House) -> None:
    assert house.stored() == []
    for table in ("files", "uploads", "blobs", "shreds", "file_keys"):
        assert await house.rows(table) == []
    assert await house.usage(ANNA) == (0, 0, 0)


@pytest.mark.parametrize("length", [0, 1, 16384, 16385, 1 << 20, (1 << 20) + 1, 3_333_333])
async def test_a_file_is_read_back(house: House, length: int) -> None:
    data = secrets.token_bytes(length)
    file = await house.put(ANNA, data, "räksmörgås 🦐.txt")
    assert await house.read(ANNA, file) == data
    found = await house.file(ANNA, file)
    assert (found.particulars.display_name, found.stored.size) == ("räksmörgås 🦐.txt", length)
    assert await house.usage(ANNA) == (length, 0, 1)
    assert await house.rows("uploads") == []


@pytest.mark.parametrize("announced, sent", [(10, 9), (10, 11), (0, 1), (1, 0), (5_000_000, 4_999_999)])
async def test_another_length_than_announced_keeps_nothing(house: House, announced: int, sent: int) -> None:
    with pytest.raises(Fault) as caught:
        await house.put(ANNA, secrets.token_bytes(sent), announced=announced)
    assert caught.value.reason is UPLOAD_INCOMPLETE
    await nothing_left(house)


async def test_a_body_that_falls_silent_keeps_nothing(house: House) -> None:
    limits = UploadLimits(100, 0.2)
    house.uploads = Uploads(house.stores, house.shredder, house.clock, house.ids, secrets.token_bytes, limits)

    async def silent() -> AsyncIterator[bytes]:
        yield b"abc"
        await asyncio.sleep(60)

    upload = await house.uploads.begin(ANNA, 10)
    with pytest.raises(Fault) as caught:
        await house.uploads.receive(upload, ABOUT, silent())
    assert caught.value.reason is UPLOAD_INCOMPLETE
    await house.uploads.abandon(upload)
    await nothing_left(house)


async def test_a_client_that_goes_keeps_nothing(house: House) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield secrets.token_bytes(100_000)
        begun.set()
        await asyncio.sleep(60)

    upload = await house.uploads.begin(ANNA, 4_000_000)
    task = asyncio.create_task(house.uploads.receive(upload, ABOUT, endless()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.stored() == []
    await house.uploads.abandon(upload)
    await nothing_left(house)


async def test_a_file_larger_than_one_may_be_is_refused_before_a_byte(house: House) -> None:
    with pytest.raises(Fault) as caught:
        await house.uploads.begin(ANNA, 8_000_001)
    assert caught.value.reason is FILE_TOO_LARGE
    assert await house.rows("uploads") == []


@pytest.mark.clause("ASVS 5.2.4")
async def test_the_quota_is_exact_when_a_hundred_race_for_its_bytes(house: House) -> None:
    house.store = Store(Quota(bytes=10_000, files=1000))
    house.assemble()

    refused = set()

    async def one() -> bool:
        try:
            await house.put(ANNA, secrets.token_bytes(300))
        except Fault as fault:
            refused.add(fault.reason)
            return False
        return True

    done = await asyncio.gather(*(one() for _ in range(100)))
    assert sum(done) == 33
    assert refused == {QUOTA_EXCEEDED}
    assert await house.usage(ANNA) == (9900, 0, 33)
    assert await house.put(ANNA, bytes(100))
    with pytest.raises(Fault):
        await house.put(ANNA, b"x")
    assert await house.put(ANNA, b"")
    assert await house.put(BERTIL, bytes(10_000))


@pytest.mark.clause("ASVS 5.2.4")
async def test_the_number_of_files_is_exact_when_a_hundred_race_for_it(house: House) -> None:
    house.store = Store(Quota(bytes=10_000, files=17))
    house.assemble()
    outcomes = await asyncio.gather(*(house.put(ANNA, b"") for _ in range(100)), return_exceptions=True)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 17
    assert await house.usage(ANNA) == (0, 0, 17)


async def test_room_comes_back_when_an_upload_fails_or_a_file_goes(house: House) -> None:
    house.store = Store(Quota(bytes=1000, files=1))
    house.assemble()
    with suppress(Fault):
        await house.put(ANNA, bytes(10), announced=1000)
    file = await house.put(ANNA, bytes(1000))
    with pytest.raises(Fault):
        await house.put(ANNA, b"")
    assert await house.remove(ANNA, file) == 1000
    await nothing_left(house)
    assert await house.put(ANNA, bytes(1000))


async def test_an_upload_that_was_given_up_meanwhile_cannot_be_published(house: House) -> None:
    upload = await house.uploads.begin(ANNA, 3)
    received = await house.uploads.receive(upload, ABOUT, pieces(b"abc"))
    house.clock.advance(241)
    assert await house.reconciler.tidy() == 1
    with pytest.raises(Fault) as caught:
        async with house.database.write() as connection:
            await house.uploads.publish(connection, received)
    assert caught.value.reason is UPLOAD_INCOMPLETE
    await nothing_left(house)


async def test_a_long_upload_keeps_itself_alive(house: House) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(30):
            house.clock.advance(61)
            yield b"x"
            await house.reconciler.tidy()

    upload = await house.uploads.begin(ANNA, 30)
    received = await house.uploads.receive(upload, ABOUT, slow())
    async with house.database.write() as connection:
        await house.uploads.publish(connection, received)
    assert await house.read(ANNA, upload.ref.file) == b"x" * 30


class FullDisk(DirectoryBlobs):
    """Has no room for more than a batch."""

    def create(self, name: str, length: int) -> _FullWriter:  # type: ignore[override]  # the writer that is full is another class
        return _FullWriter(super().create(name, length))


class _FullWriter:
    def __init__(self, inner: object) -> None:
        self._inner, self._room = inner, 2_000_000

    def write(self, data: Octets) -> None:
        self._room -= len(data)
        if self._room < 0:
            raise BlobError(28, "no space left on device")
        self._inner.write(data)  # type: ignore[attr-defined]  # the concrete object has it

    def commit(self) -> None:
        self._inner.commit()  # type: ignore[attr-defined]  # the concrete object has it

    def discard(self) -> None:
        self._inner.discard()  # type: ignore[attr-defined]  # the concrete object has it


async def test_a_full_disk_keeps_nothing(house: House) -> None:
    house.blobs = FullDisk(house.folder / "blobs")
    house.assemble()
    with pytest.raises(BlobError):
        await house.put(ANNA, bytes(5_000_000))
    await nothing_left(house)
    assert await house.put(ANNA, bytes(1_000_000))


@pytest.mark.clause("P13", "ASVS 11.3.3")
async def test_neither_content_nor_name_is_ever_on_disk_in_plain(house: House) -> None:
    marker = b"MARKER-" + secrets.token_hex(16).encode()
    name = "NAME-" + secrets.token_hex(16)
    found: list[str] = []

    def look() -> None:
        for path in house.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                found.extend(str(path) for needle in (marker, name.encode()) if needle in data)

    async def watched() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield marker * 2000
            await asyncio.to_thread(look)

    upload = await house.uploads.begin(ANNA, len(marker) * 120_000)
    received = await house.uploads.receive(upload, Particulars(name, "text/plain"), watched())
    async with house.database.write() as connection:
        await house.uploads.publish(connection, received)
    assert await house.read(ANNA, upload.ref.file, 0, len(marker)) == marker
    for length in (0, 1, 5):
        await house.put(ANNA, marker * length, name)
    look()
    await house.remove(ANNA, upload.ref.file)
    look()
    assert found == []
