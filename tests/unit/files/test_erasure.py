"""What is left of a customer's files when they are erased: nothing that can be read, wherever it is killed."""

from __future__ import annotations

import secrets

import pytest

from services.files.erasure import Eraser
from services.files.shredding import Shredder
from services.kit.faults import Fault
from services.kit.keyring import KeyDestroyedError
from tests.unit.files.house import ANNA, BERTIL, House

DATA = secrets.token_bytes(100_000)


def eraser(house: House, shredder: Shredder | None = None) -> Eraser:
    return Eraser(house.stores, shredder or house.shredder, house.outbox, house.clock)


@pytest.mark.clause("P13", "P14")
async def test_nothing_is_left_and_others_lose_nothing(house: House) -> None:
    mine = [await house.put(ANNA, DATA) for _ in range(3)]
    theirs = await house.put(BERTIL, DATA)
    upload = await house.uploads.begin(ANNA, 1000)
    erased = await eraser(house).erase(ANNA)
    assert [row[0] for row in await house.rows("files")] == [theirs]
    assert [row[0] for row in await house.rows("file_keys")] == [theirs]
    for table in ("uploads", "shreds"):
        assert await house.rows(table) == []
    assert await house.usage(ANNA) == (0, 0, 0)
    assert len(house.stored()) == 1
    assert await house.keyring.get(ANNA) is None
    assert await house.read(BERTIL, theirs) == DATA
    for file in (*mine, upload.ref.file):
        with pytest.raises(Fault, match="FILE_NOT_FOUND"):
            await house.read(ANNA, file)
    (event,) = [one for one in await house.events() if one.action == "files.account.erase"]
    assert (event.event_id, event.subject, event.details.count) == (erased.event_id, ANNA, 4)
    assert erased.blocked == ()


async def test_again_changes_nothing(house: House) -> None:
    await house.put(ANNA, DATA)
    first = await eraser(house).erase(ANNA)
    second = await eraser(house).erase(ANNA)
    assert first.event_id != second.event_id
    assert [event.details.count for event in await house.events() if event.action == "files.account.erase"] == [1, 0]


async def test_an_erased_customer_gets_no_new_key(house: House) -> None:
    await eraser(house).erase(ANNA)
    with pytest.raises(KeyDestroyedError):
        await house.keyring.get_or_create(ANNA)


class Broken(Shredder):
    """Destroys nothing: as if the process had died there."""

    async def shred(self, file: str) -> None:
        raise OSError


async def test_killed_before_the_bytes_are_gone_it_is_unreadable_and_ends_later(house: House) -> None:
    await house.put(ANNA, DATA)
    with pytest.raises(OSError):  # noqa: PT011 - its own
        await eraser(house, Broken(house.stores)).erase(ANNA)
    assert await house.keyring.get(ANNA) is None
    assert await house.rows("files") == []
    await eraser(house).erase(ANNA)
    await house.reconciler.tidy()
    assert house.stored() == []
    assert await house.rows("file_keys") == []
