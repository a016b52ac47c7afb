"""Names and bytes of tiles."""

from __future__ import annotations

import pytest

from services.audit.tiles import (
    ENTRIES,
    Tile,
    TileError,
    join_entries,
    parse_path,
    split_entries,
    split_hashes,
    tile_at,
)

PATHS = {
    "0/000": Tile(0, 0),
    "0/x001/x234/067": Tile(0, 1_234_067),
    "1/001.p/17": Tile(1, 1, 17),
    "63/000.p/1": Tile(63, 0, 1),
    "entries/x273/112.p/255": Tile(ENTRIES, 273_112, 255),
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_names_a_tile_and_back(path: str) -> None:
    assert parse_path(path) == PATHS[path]
    assert PATHS[path].path == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        "0/0",
        "0/0000",
        "00/000",
        "64/000",
        "-1/000",
        "0/x000/000",
        "0/001/234",
        "0/x001/x234",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/257",
        "0/000.p/999",
        "0/000.p/01",
        "0/000.p",
        "0/000.p/",
        "0/000/",
        "/0/000",
        "0/000\n",
        "0/../000",
        "entries/000.q/1",
        "Entries/000",
        "0/\u0660\u0660\u0660",
        "0/000.p/1/../2",
    ],
)
def test_no_other_spelling_names_a_tile(path: str) -> None:
    with pytest.raises(TileError):
        parse_path(path)


def test_a_tile_says_which_tree_has_it() -> None:
    assert Tile(0, 0, 5).leaves == 5
    assert Tile(1, 1, 17).leaves == 273 * 256
    assert Tile(ENTRIES, 1).leaves == 512
    assert tile_at(1, 1, 70_000) == Tile(1, 1, 17)
    with pytest.raises(TileError):
        tile_at(1, 2, 70_000)


def test_bundles_are_length_prefixed() -> None:
    assert join_entries([b"ab", b""]) == b"\x00\x02ab\x00\x00"
    assert split_entries(b"\x00\x02ab\x00\x00") == [b"ab", b""]
    for cut in (b"\x00", b"\x00\x02a"):
        with pytest.raises(TileError):
            split_entries(cut)


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(257 * 32)])
def test_a_hash_tile_has_1_to_256_hashes(data: bytes) -> None:
    with pytest.raises(TileError):
        split_hashes(data)
