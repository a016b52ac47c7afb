"""Keys of files: apart for each use, bound to their file, gone when destroyed."""

from __future__ import annotations

import pytest

from services.files.cobblestone import DamagedError
from services.files.keys import FileKey, FileKeys, FileRef
from services.files.keystore import KeyStore
from services.kit.envelope import RootKeyError
from services.kit.faults import UNAVAILABLE, Fault
from tests.unit.files.house import ANNA, BERTIL, House

REF = FileRef(ANNA, "fil_01jd9xk8w0q2m3n4p5r6s7t8v9", 1)


def test_the_contexts_stay_what_they_are() -> None:
    """Frozen: what is stored today must be readable for ever (docs/adr/0006-file-format.md)."""
    key = FileKey(REF, bytes(range(32)))
    expected = b"".join(
        len(part).to_bytes(4, "big") + part for part in (b"valv/file/v1", ANNA.encode(), REF.file.encode(), b"1", b"0")
    )
    assert key.segment_context(0) == expected
    assert key.content().hex() == "28bd9981e67a85028f475dd86467d8aee67d17d3a769a75741b9b201a1ae4be6"


def test_what_is_sealed_for_one_use_or_version_opens_for_no_other() -> None:
    key = FileKey(REF, bytes(32))
    sealed = key.seal("manifest", b"x")
    assert key.unseal("manifest", sealed) == b"x"
    for other, use in (
        (key, "particulars"),
        (FileKey(FileRef(ANNA, REF.file, 2), bytes(32)), "manifest"),
        (FileKey(FileRef(BERTIL, REF.file, 1), bytes(32)), "manifest"),
        (FileKey(REF, bytes(31) + b"\x01"), "manifest"),
    ):
        with pytest.raises(DamagedError):
            other.unseal(use, sealed)


async def test_a_key_is_stored_only_wrapped_and_leaves_no_trace(house: House) -> None:
    key = await house.keys.create(REF)
    stored = (house.folder / "keys.db").read_bytes()
    assert REF.file.encode() in stored
    assert key._key not in stored
    (wrapped,) = (row[1] for row in await house.rows("file_keys"))
    assert isinstance(wrapped, bytes)
    await house.keys.destroy(REF.file)
    assert wrapped not in (house.folder / "keys.db").read_bytes()
    with pytest.raises(DamagedError):
        await house.keys.open(REF)


async def test_a_destroyed_customer_key_makes_all_files_unreadable(house: House) -> None:
    await house.keys.create(REF)
    await house.keyring.destroy(ANNA)
    assert await house.keys.open_all([REF]) == {}


async def test_a_root_that_is_away_is_said_to_be_away(house: House) -> None:
    class Away:
        async def get(self, owner: str) -> bytes | None:
            raise RootKeyError

        async def get_or_create(self, owner: str) -> bytes:
            raise RootKeyError

        async def destroy(self, owner: str) -> bool:
            raise RootKeyError

    keys = FileKeys(KeyStore(house.keys_database), Away(), bytes)
    for work in (keys.create(REF), keys.open(REF)):
        with pytest.raises(Fault) as caught:
            await work
        assert caught.value.reason is UNAVAILABLE
