"""The growing tree and its tiles."""

from __future__ import annotations

import pytest

from services.audit.tiles import ENTRIES, Tile
from services.audit.tree import Edge, MissingTileError, TreeReader, load_edge
from tests.unit.audit.memory import Memory


def _entries(start: int, end: int) -> list[bytes]:
    return [index.to_bytes(33) for index in range(start, end)]


async def test_the_tiles_of_70000_leaves_are_those_of_the_specification() -> None:
    files = Edge().grow(_entries(0, 70_000)).files
    level_0 = [tile for tile in files if tile.level == 0]
    assert len([tile for tile in level_0 if tile.full]) == 273
    assert [tile.width for tile in level_0 if not tile.full] == [112]
    assert sorted((tile.index, tile.width) for tile in files if tile.level == 1) == [(0, 256), (1, 17)]
    assert [tile for tile in files if tile.level == 2] == [Tile(2, 0, 1)]
    assert len([tile for tile in files if tile.level == ENTRIES]) == 274


def test_256_leaves_are_one_full_tile_and_one_of_width_one() -> None:
    files = Edge().grow(_entries(0, 256)).files
    assert set(files) == {Tile(ENTRIES, 0), Tile(0, 0), Tile(1, 0, 1)}


def test_growing_at_once_or_in_steps_makes_the_same_tree() -> None:
    at_once, edge = Edge().grow(_entries(0, 1500)).edge, Edge()
    for start, end in ((0, 1), (1, 255), (255, 257), (257, 1024), (1024, 1500)):
        edge = edge.grow(_entries(start, end)).edge
    assert edge == at_once


@pytest.mark.parametrize("size", [1, 255, 256, 257, 513, 65_536, 65_537])
async def test_an_edge_is_read_back_from_tiles(size: int) -> None:
    memory = Memory()
    growth = Edge().grow(_entries(0, size))
    memory.put(growth.files)
    tail = size - size % 256
    assert (await load_edge(memory, size, _entries(tail, size))).root() == growth.edge.root()


async def test_a_pruned_partial_tile_is_read_from_the_full_one() -> None:
    memory, small = Memory(), Edge().grow(_entries(0, 100)).edge
    memory.put(small.grow(_entries(100, 300)).files)
    assert await TreeReader(memory, 100).root() == small.root()


async def test_a_lost_tile_is_missed() -> None:
    memory = Memory()
    memory.put(Edge().grow(_entries(0, 300)).files)
    del memory.files[Tile(0, 0)]
    with pytest.raises(MissingTileError):
        await TreeReader(memory, 300).inclusion(0)
