"""How fast files are encrypted and decrypted, beside a plain copy of the same bytes to and from the same disk."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from services.files.particulars import Particulars
from services.files.store import Quota, Store
from services.files.uploads import UploadLimits, Uploads
from tests.unit.files.house import ANNA, House

MEGABYTES = 256
_PIECE = 256 << 10


def run() -> dict[str, float]:
    """Measure; rates in megabytes (10^6 bytes) a second."""
    with tempfile.TemporaryDirectory(prefix="valv-bench-") as folder:
        return asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> dict[str, float]:
    size, piece = MEGABYTES << 20, secrets.token_bytes(_PIECE)
    copied, recopied = await asyncio.to_thread(copy, folder / "plain", size, piece)
    house = await House(folder).open()
    house.store = Store(Quota(bytes=10 * size, files=10))
    house.assemble()
    uploads = Uploads(
        house.stores, house.shredder, house.clock, house.ids, secrets.token_bytes, UploadLimits(size, 240)
    )

    begun = time.perf_counter()
    upload = await uploads.begin(ANNA, size)
    received = await uploads.receive(upload, Particulars("bench", "text/plain"), _body(size, piece))
    async with house.database.write() as connection:
        await uploads.publish(connection, received)
    stored = size / (time.perf_counter() - begun) / 1e6

    async with house.database.read() as connection:
        file, key = await house.library.get(connection, ANNA, upload.ref.file)
    begun, total = time.perf_counter(), 0
    async for batch in house.library.content(file, key).read(0, size):
        total += len(batch)
    read = total / (time.perf_counter() - begun) / 1e6
    await house.close()
    return {
        "copy_in_mb_per_second": copied,
        "encrypt_mb_per_second": stored,
        "encrypt_ratio_to_copy": stored / copied,
        "copy_out_mb_per_second": recopied,
        "decrypt_mb_per_second": read,
        "decrypt_ratio_to_copy": read / recopied,
    }


async def _body(size: int, piece: bytes) -> AsyncIterator[bytes]:
    for _ in range(size // len(piece)):
        yield piece


def copy(path: Path, size: int, piece: bytes) -> tuple[float, float]:
    """Write a file durably and read it back, in the batches that files uses."""
    batch = piece * ((1 << 20) // len(piece))
    begun = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(size // len(batch)):
            file.write(batch)
        os.fsync(file.fileno())
    written = size / (time.perf_counter() - begun) / 1e6
    begun = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
    return written, size / (time.perf_counter() - begun) / 1e6
