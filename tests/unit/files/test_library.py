"""What an owner can do with published files."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.files.manifest import Manifest, Segment
from services.files.segments import SegmentWriter
from tests.unit.files.house import ANNA, BERTIL, House

BATCH = 1 << 20


@pytest.mark.parametrize(
    "start, stop",
    [
        (0, 1),
        (16383, 16385),
        (0, BATCH),
        (BATCH - 1, BATCH + 1),
        (BATCH, 2 * BATCH),
        (5, 2 * BATCH + 7),
        (2 * BATCH, 2 * BATCH + 16384),
        (2 * BATCH + 16383, 2 * BATCH + 16384),
    ],
)
async def test_any_part_is_read(house: House, start: int, stop: int) -> None:
    data = secrets.token_bytes(2 * BATCH + 16384)
    file = await house.put(ANNA, data)
    assert await house.read(ANNA, file, start, stop) == data[start:stop]


async def test_pages_go_from_new_to_old_and_hold_only_ones_own(house: House) -> None:
    files = []
    for number in range(7):
        house.clock.advance(1)
        files.append(await house.put(ANNA, b"", f"file {number}"))
        await house.put(BERTIL, b"")
    seen, before = [], ""
    while True:
        async with house.database.read() as connection:
            page = await house.library.page(connection, ANNA, before, 3)
        if not page:
            break
        seen += [file.particulars.display_name for file in page]
        before = page[-1].stored.ref.file
    assert seen == [f"file {number}" for number in range(6, -1, -1)]


async def test_a_reader_that_stops_lets_go(house: House) -> None:
    data = secrets.token_bytes(3 * BATCH)
    file = await house.put(ANNA, data)
    async with house.database.read() as connection:
        found, key = await house.library.get(connection, ANNA, file)
    content = house.library.content(found, key)
    async with aclosing(content.read(0, len(data))) as batches:
        assert bytes(await anext(batches)) == data[:BATCH]

    async def hang() -> None:
        async with aclosing(content.read(0, len(data))) as batches:
            async for _ in batches:
                await asyncio.sleep(60)

    task = asyncio.create_task(hang())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), max_size=6), st.data())
def test_spans_cover_exactly_what_is_asked_for(sizes: list[int], data: st.DataObject) -> None:
    manifest = Manifest(tuple(Segment("0" * 32, size, bytes(32), bytes(32)) for size in sizes))
    start = data.draw(st.integers(0, manifest.length))
    stop = data.draw(st.integers(start, manifest.length))
    places = [(index, byte) for index, size in enumerate(sizes) for byte in range(size)]
    covered = [(s.index, byte) for s in manifest.spans(start, stop) for byte in range(s.start, s.stop)]
    assert covered == places[start:stop]


async def test_a_file_of_several_segments_is_read_across_them(house: House) -> None:
    """Uploads make one segment today; the format holds any number of them."""
    file = await house.put(ANNA, b"")
    found = await house.file(ANNA, file)
    key = await house.keys.open(found.stored.ref)
    data, segments, at = secrets.token_bytes(100_000), [], 0
    for index, length in enumerate((40_000, 0, 16_384, 43_616)):
        blob = secrets.token_hex(16)
        writer = SegmentWriter(house.blobs, blob, length, key.content(), key.segment_context(index))
        writer.write(data[at : at + length])
        segments.append(writer.commit())
        at += length
    manifest = Manifest(tuple(segments))
    content = type(house.library.content(found, key))(manifest, key, house.blobs, house.workers)
    for start, stop in ((0, 100_000), (39_999, 40_001), (56_383, 56_385), (99_999, 100_000)):
        assert b"".join([bytes(part) async for part in content.read(start, stop)]) == data[start:stop]
    swapped = Manifest((segments[2], segments[1], segments[0], segments[3]))
    content = type(content)(swapped, key, house.blobs, house.workers)
    with pytest.raises(Exception, match="FILE_DAMAGED"):
        [bytes(part) async for part in content.read(0, 100_000)]


async def test_a_file_is_gone_at_once_with_its_key_and_bytes(house: House) -> None:
    file = await house.put(ANNA, b"abc")
    assert await house.remove(ANNA, file) == 3
    for table in ("files", "blobs", "shreds", "file_keys"):
        assert await house.rows(table) == []
    assert house.stored() == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**63), st.binary(min_size=32, max_size=32)), max_size=4))
def test_a_manifest_is_read_back(entries: list[tuple[int, bytes]]) -> None:
    manifest = Manifest(tuple(Segment(secrets.token_hex(16), length, mark, mark) for length, mark in entries))
    assert Manifest.decode(manifest.encode()) == manifest
