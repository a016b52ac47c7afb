"""The one who operates the stores changes something: it is found before a bad byte leaves."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from services.files import sql
from services.files.cobblestone import HEADER_BYTES, SEALED_BYTES
from services.files.errors import FILE_DAMAGED, FILE_NOT_FOUND
from services.kit.faults import Fault
from tests.unit.files.house import ANNA, BERTIL, House

DATA = secrets.token_bytes(3 * 16384 + 77)
START = 1 + HEADER_BYTES


def blob_of(house: House) -> Path:
    (path,) = house.stored()
    return path


async def refused(house: House, file: str, customer: str = ANNA) -> None:
    with pytest.raises(Fault) as caught:
        await house.read(customer, file)
    assert caught.value.reason is FILE_DAMAGED


def flip(place: int) -> Callable[[bytes], bytes]:
    return lambda blob: blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "suite": flip(0),
    "suite of tomorrow": lambda blob: b"\x02" + blob[1:],
    "salt": flip(1),
    "commitment": flip(30),
    "first byte": flip(START),
    "tag of the first chunk": flip(START + SEALED_BYTES - 1),
    "second chunk": flip(START + SEALED_BYTES),
    "last byte": lambda blob: flip(len(blob) - 1)(blob),
    "emptied": lambda _blob: b"",
    "cut by a byte": lambda blob: blob[:-1],
    "cut by the last chunk": lambda blob: blob[: START + 3 * SEALED_BYTES],
    "cut within": lambda blob: blob[:START] + blob[START + SEALED_BYTES :],
    "extended": lambda blob: blob + b"\x00",
    "extended by a chunk": lambda blob: blob[: START + SEALED_BYTES] + blob[START:],
    "chunks swapped": lambda blob: (
        blob[:START]
        + blob[START + SEALED_BYTES : START + 2 * SEALED_BYTES]
        + blob[START : START + SEALED_BYTES]
        + blob[START + 2 * SEALED_BYTES :]
    ),
    "replaced by noise": lambda blob: b"\x01" + secrets.token_bytes(len(blob) - 1),
}


@pytest.mark.clause("P13", "ASVS 11.3.3")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_changed_blob_is_found(house: House, change: Callable[[bytes], bytes]) -> None:
    file = await house.put(ANNA, DATA)
    path = blob_of(house)
    path.write_bytes(change(path.read_bytes()))
    await refused(house, file)


@pytest.mark.clause("P13")
async def test_no_byte_behind_a_bad_chunk_leaves(house: House) -> None:
    file = await house.put(ANNA, DATA)
    path = blob_of(house)
    path.write_bytes(flip(START + 2 * SEALED_BYTES)(path.read_bytes()))
    assert await house.read(ANNA, file, 0, 32768) == DATA[:32768]
    assert await house.read(ANNA, file, 3 * 16384) == DATA[3 * 16384 :]
    with pytest.raises(Fault):
        await house.read(ANNA, file, 32768, 32769)


@pytest.mark.clause("P13")
async def test_a_missing_blob_is_found(house: House) -> None:
    file = await house.put(ANNA, DATA)
    blob_of(house).unlink()
    await refused(house, file)


@pytest.mark.clause("P13")
@pytest.mark.parametrize("other", [ANNA, BERTIL])
async def test_blobs_that_changed_places_are_found(house: House, other: str) -> None:
    one, two = await house.put(ANNA, DATA), await house.put(other, DATA)
    first, second = house.stored()
    held = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(held)
    await refused(house, one)
    await refused(house, two, other)


@pytest.mark.clause("P13")
@pytest.mark.parametrize("column", ["manifest", "particulars"])
async def test_rows_that_changed_places_are_found(house: House, column: str) -> None:
    one, two = await house.put(ANNA, DATA), await house.put(ANNA, DATA)
    names = [each.name for each in sql.files.columns]
    rows = {row[0]: row[names.index(column)] for row in await house.rows("files")}
    for file, other in ((one, two), (two, one)):
        query = update(sql.files).where(sql.files.c.file_id == file).values({column: rows[other]})
        await house.change(lambda connection, query=query: connection.execute(query))  # type: ignore[misc]  # mypy infers no type for a lambda with defaults, or for an unpacked mapping
    await refused(house, one)
    await refused(house, two)


@pytest.mark.clause("P13")
@pytest.mark.parametrize("change", [{"version": 2}, {"size": 5}, {"manifest": b""}, {"particulars": b"\x01"}])
async def test_a_changed_row_is_found(house: House, change: dict[str, object]) -> None:
    file = await house.put(ANNA, DATA)
    await house.change(lambda connection: connection.execute(update(sql.files).values(change)))
    await refused(house, file)


@pytest.mark.clause("P13")
async def test_giving_a_row_to_another_customer_gives_them_nothing(house: House) -> None:
    file = await house.put(ANNA, DATA)
    await house.put(BERTIL, b"so that there is a key")
    query = update(sql.files).where(sql.files.c.file_id == file).values(customer=BERTIL)
    await house.change(lambda connection: connection.execute(query))
    await refused(house, file, BERTIL)


@pytest.mark.clause("P13")
async def test_a_files_key_does_not_open_another_file(house: House) -> None:
    one, two = await house.put(ANNA, DATA), await house.put(ANNA, DATA)
    keys = {row[0]: row[1] for row in await house.rows("file_keys")}
    async with house.keys_database.write() as connection:
        query = update(sql.file_keys).where(sql.file_keys.c.file_id == one).values(wrapped=keys[two])
        await connection.execute(query)
    await refused(house, one)


@pytest.mark.clause("P13")
async def test_another_customers_file_does_not_exist(house: House) -> None:
    file = await house.put(ANNA, DATA)
    for attempt in (house.read(BERTIL, file), house.remove(BERTIL, file)):
        with pytest.raises(Fault) as caught:
            await attempt
        assert caught.value.reason is FILE_NOT_FOUND
    assert await house.read(ANNA, file) == DATA


@pytest.mark.clause("P13", "P14")
async def test_a_deleted_file_stays_unreadable_when_rows_and_blob_come_back(house: House) -> None:
    file = await house.put(ANNA, DATA)
    path, kept, row = blob_of(house), blob_of(house).read_bytes(), (await house.rows("files"))[0]
    await house.remove(ANNA, file)
    path.write_bytes(kept)
    names = [each.name for each in sql.files.columns]
    await house.change(
        lambda connection: connection.execute(sql.files.insert().values(dict(zip(names, row, strict=True))))
    )
    await refused(house, file)
    assert file.encode() not in (house.folder / "keys.db").read_bytes()
