"""What a crash or a store's operator left is found, and what is in use is left alone."""

from __future__ import annotations

import secrets

import pytest
from sqlalchemy import delete

from services.files import sql
from tests.unit.files.house import ANNA, House


async def test_blobs_of_nobody_go_after_their_grace(house: House) -> None:
    file = await house.put(ANNA, b"abc")
    writer = house.blobs.create(secrets.token_hex(16), 3)
    writer.write(b"abc")
    writer.commit()
    assert await house.reconciler.scan() == (0, 0)
    house.clock.advance(8 * 86400)
    assert await house.reconciler.scan() == (1, 0)
    assert await house.read(ANNA, file) == b"abc"
    assert await house.reconciler.scan() == (0, 0)


async def test_a_file_without_its_blob_raises_an_alarm(house: House) -> None:
    await house.put(ANNA, b"abc")
    house.stored()[0].unlink()
    assert await house.reconciler.scan() == (0, 1)


async def test_a_running_upload_is_left_alone_and_an_idle_one_is_not(house: House) -> None:
    await house.uploads.begin(ANNA, 500)
    house.clock.advance(239)
    assert await house.reconciler.tidy() == 0
    assert await house.usage(ANNA) == (0, 500, 1)
    house.clock.advance(2)
    assert await house.reconciler.tidy() == 1
    assert await house.usage(ANNA) == (0, 0, 0)


async def test_what_was_deleted_is_destroyed_even_if_nobody_did_it_then(house: House) -> None:
    file = await house.put(ANNA, b"abc")
    await house.remove(ANNA, file, shred=False)
    assert house.stored()
    assert await house.rows("file_keys")
    await house.reconciler.tidy()
    assert house.stored() == []
    assert await house.rows("file_keys") == await house.rows("shreds") == await house.rows("blobs") == []


@pytest.mark.clause("P13")
async def test_the_check_finds_ciphertext_kept(house: House) -> None:
    assert await house.check.check() == 0
    for length in (0, 1, 16384, 100_000):
        await house.put(ANNA, secrets.token_bytes(length))
    assert await house.check.check() == 0


@pytest.mark.clause("P13")
@pytest.mark.parametrize("how", ["plaintext", "missing", "no key"])
async def test_the_check_finds_what_is_broken(house: House, how: str) -> None:
    await house.put(ANNA, b"x" * 1000)
    path = house.stored()[0]
    if how == "plaintext":
        path.write_bytes(b"x" * path.stat().st_size)
    elif how == "missing":
        path.unlink()
    else:
        async with house.keys_database.write() as connection:
            await connection.execute(delete(sql.file_keys))
    assert await house.check.check() == 1


@pytest.mark.clause("P13")
async def test_a_key_that_outlives_its_file_is_found_after_a_day(house: House) -> None:
    kept = await house.put(ANNA, b"abc")
    gone = await house.put(ANNA, b"def")
    async with house.database.write() as connection:
        await connection.execute(delete(sql.files).where(sql.files.c.file_id == gone))
    assert await house.orphans.check() == 0
    house.clock.advance(86401)
    assert await house.orphans.check() == 1
    await house.remove(ANNA, kept)
    assert await house.orphans.check() == 1
