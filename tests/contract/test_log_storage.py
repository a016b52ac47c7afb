"""One suite for every store of the log: tiles in a directory and in S3, records and checkpoints in each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import boto3
import pytest
from botocore.client import Config as ClientConfig
from sqlalchemy import delete, update

from services.audit import wire
from services.audit.sql_lease import SqlLease
from services.audit.store import ConflictError, SignedHead, TileStore
from services.audit.tables import ENTRIES as ENTRY_ROWS
from services.audit.tables import EPOCHS, LOG_STATE
from services.audit.tile_directory import DirectoryTiles
from services.audit.tile_s3 import S3Tiles
from services.audit.tiles import ENTRIES, Tile
from services.kit.faults import Fault
from tests.unit.audit.world import World

FULL, PART = Tile(0, 1_234_067), Tile(ENTRIES, 0, 5)


@pytest.fixture(params=["directory", "s3"])
async def tiles(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TileStore]:
    if request.param == "directory":
        yield DirectoryTiles(tmp_path / "log")
        return
    endpoint = request.getfixturevalue("s3_endpoint")
    client = boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name=endpoint.region,
        config=ClientConfig(s3={"addressing_style": "path"}, max_pool_connections=8),
    )
    store = S3Tiles(client, endpoint.bucket, "log/")
    yield store
    await store.close()


async def test_what_was_put_is_got(tiles: TileStore) -> None:
    await tiles.put({FULL: bytes(8192), PART: b"entries"})
    assert await tiles.get(FULL) == bytes(8192)
    assert await tiles.get(PART) == b"entries"
    assert await tiles.get(Tile(0, 0)) is None


@pytest.mark.clause("P5")
async def test_equal_bytes_are_taken_again_and_others_never(tiles: TileStore) -> None:
    await tiles.put({FULL: b"one"})
    await tiles.put({FULL: b"one"})
    with pytest.raises(ConflictError):
        await tiles.put({FULL: b"two", PART: b"x"})
    assert await tiles.get(FULL) == b"one"


async def test_pruning_forgets_the_partial_tiles_of_one_tile_only(tiles: TileStore) -> None:
    kept = {Tile(0, 0): b"full", Tile(0, 1, 7): b"b", Tile(1, 0, 5): b"c"}
    await tiles.put({**kept, Tile(0, 0, 5): b"a", Tile(0, 0, 6): b"aa"})
    await tiles.prune(Tile(0, 0))
    await tiles.prune(Tile(0, 0))
    assert await tiles.get(Tile(0, 0, 5)) is None
    assert await tiles.get(Tile(0, 0, 6)) is None
    for tile, data in kept.items():
        assert await tiles.get(tile) == data


async def test_the_published_checkpoint_is_replaced(tiles: TileStore) -> None:
    assert await tiles.published() is None
    await tiles.publish(b"one")
    await tiles.publish(b"two")
    assert await tiles.published() == b"two"


@pytest.mark.clause("P5")
async def test_records_keep_their_numbers_and_indexes_under_concurrency(world: World) -> None:
    producers = [f"p{number}" for number in range(8)]

    async def produce(producer: str) -> None:
        for _ in range(5):
            await world.append(world.event(), world.event(), producer=producer)

    await asyncio.gather(*map(produce, producers))
    assert await world.records.size() == 80
    assert len(await world.records.entries(0, 100)) == 80
    assert await world.records.missing({}) == 0
    assert (await world.sign()).size == 80


@pytest.mark.clause("P5")
async def test_two_appenders_share_one_log(world: World) -> None:
    """Replicas: each commits by itself, the indexes are still gapless."""
    from services.audit.appender import Appender  # noqa: PLC0415 - imported only where it is wanted

    other = Appender(world.records, world.bodies, wire.event_of, world.sequencer, world.heads)
    committer = asyncio.create_task(other.run())
    calls = [
        (world.appender if number % 2 else other).append(world.place(f"q{number}"), [world.event()])
        for number in range(20)
    ]
    assert await asyncio.gather(*calls) == [1] * 20
    committer.cancel()
    assert len(await world.records.entries(0, 100)) == 20 == await world.records.size()


async def test_a_gap_opens_one_alarm_and_progress_closes_it(world: World) -> None:
    for _ in range(2):
        with pytest.raises(Fault, match="AUDIT_GAP"):
            await world.appender.append(world.place(first=2), [world.event()])
    assert await world.records.open_alarms() == 1
    await world.append(world.event())
    assert await world.records.open_alarms() == 0


async def test_a_duplicate_event_is_refused_and_its_transaction_undone(world: World) -> None:
    mine = world.event()
    await world.append(mine)
    with pytest.raises(Fault, match="AUDIT_REUSED"):
        await world.append(world.event(), mine, producer="auth")
    assert await world.records.size() == 1
    assert await world.records.head("auth") is None


async def test_pages_come_newest_first(world: World) -> None:
    anna = world.ids.new("usr")
    events = await world.fill(5, anna)
    await world.fill(5)
    page = await world.records.page(anna, None, 3)
    assert [kept.event_id for kept in page] == [event.id for event in reversed(events[2:])]
    page = await world.records.page(anna, page[-1].index, 3)
    assert [kept.event_id for kept in page] == [events[1].id, events[0].id]


@pytest.mark.clause("P5")
async def test_a_checkpoint_is_swapped_only_for_the_one_expected_and_by_no_stale_signer(world: World) -> None:
    store, first = world.checkpoints, await world.checkpoints.load()
    assert first is not None
    with pytest.raises(ConflictError):
        await store.swap(None, SignedHead(b"new", 9))
    with pytest.raises(ConflictError):
        await store.swap(b"another", SignedHead(b"new", 9))
    await store.swap(first.note, SignedHead(b"new", 9))
    with pytest.raises(ConflictError):
        await store.swap(b"new", SignedHead(b"newer", 8))
    assert await store.load() == SignedHead(b"new", 9)


@pytest.mark.clause("P5")
async def test_a_lease_has_one_holder_and_a_growing_token(world: World) -> None:
    second = SqlLease(world.database, world.clock, world.ids.new("hld"))
    first = await world.lease.hold()
    assert first is not None
    assert await second.hold() is None
    world.clock.advance(SqlLease.SECONDS - 1)
    assert await world.lease.hold() == first
    world.clock.advance(SqlLease.SECONDS + 1)
    assert await second.hold() == first + 1
    assert await world.lease.hold() is None
    assert await second.surpass(40) == 41
    await second.release()
    assert await world.lease.hold() == 42
    with pytest.raises(TimeoutError):
        await second.surpass(50)


@pytest.mark.clause("P5")
async def test_a_database_cut_back_regains_its_records_at_their_places(world: World) -> None:
    kept, lost = [world.event() for _ in range(3)], [world.event() for _ in range(5)]
    await world.append(*kept)
    await world.append(*lost[:2], producer="auth")
    await world.append(*lost[2:])
    old = await world.sign()
    await _cut_back(world, 3)
    world.clock.advance(1)
    for replays in (True, False):
        await world.sequencer._round()
        world.clock.advance(1)
        with pytest.raises(Fault, match="LOG_RECOVERING"):
            await world.append(world.event(), producer="billing")
        assert world.sequencer.recovering
        if replays:
            assert await world.appender.append(world.place("files", 4), [*lost[2:], world.event()]) == 6
    head = await world.records.head("files")
    assert head is not None
    assert await world.appender.head("files", head) == head
    assert await world.appender.append(world.place("auth"), lost[:2]) == 2
    await world.sequencer._round()
    assert await world.sign() == old
    assert not world.sequencer.recovering
    for index, event in enumerate([*kept, *lost]):
        found = await world.records.find(event.id)
        assert found is not None
        assert found.index == index
    assert await world.records.missing({}) == 0
    await world.append(world.event(), producer="billing")
    assert (await world.sign()).size == 9


@pytest.mark.clause("P5")
async def test_entries_without_a_record_stay_in_the_tree_and_take_theirs_when_it_comes(world: World) -> None:
    mine, late = world.event(), world.event()
    await world.append(mine)
    await world.append(late, producer="late")
    await world.sign()
    await _cut_back(world, 1)
    world.clock.advance(1)
    await world.sequencer._round()
    world.recovery._accept_lost = 1
    await world.sequencer._round()
    await world.sign()
    assert await world.records.find(late.id) is None
    assert len(await world.records.entries(0, 10)) == 2 == await world.records.size()
    with pytest.raises(Fault, match="AUDIT_EPOCH"):  # numbers may have been used: a new epoch is asked for
        await world.appender.append(world.place(first=2), [world.event()])
    assert await world.records.open_alarms() == 0
    assert await world.append(late, world.event(), producer="late") == 2
    found = await world.records.find(late.id)
    assert found is not None
    assert found.index == 1
    assert (await world.sign()).size == 3


@pytest.mark.clause("P5", "P14")
async def test_what_stays_of_an_erased_person_is_appended_when_a_recovery_ends(world: World) -> None:
    anna = world.ids.new("usr")
    kept, lost = world.event(), [world.event(anna), world.event(anna), world.event()]
    await world.append(kept)
    await world.append(*lost)
    await world.sign()
    await _cut_back(world, 1)
    await world.keyring.destroy(anna)
    world.clock.advance(1)
    await world.sequencer._round()
    assert await world.appender.append(world.place("files", 2), lost) == 4
    world.recovery._accept_lost = 2
    await world.sequencer._round()
    await world.sign()
    remains, _ = await world.reader().page(anna, None, 0)
    assert [(record.index, record.event.id) for record in remains] == [(5, lost[1].id), (4, lost[0].id)]
    assert (await world.signed()).size == 6 == await world.records.size()
    assert len(await world.records.entries(0, 10)) == 6
    assert (await world.records.missing({}), await world.records.surplus()) == (0, 0)
    with pytest.raises(Fault, match="AUDIT_EPOCH"):
        await world.appender.append(world.place(first=5), [world.event()])
    assert await world.append(world.event(), producer="late") == 1
    assert (await world.sign()).size == 7


@pytest.mark.clause("P5")
async def test_a_restored_outbox_sends_again_under_its_new_epoch_what_is_held(world: World) -> None:
    mine, fresh = world.event(), world.event()
    await world.append(mine)
    first, second = world.epochs["files"], world.ids.new("epo")
    place = world.place(epoch=second, predecessor=first)
    for _ in range(2):
        assert await world.appender.append(place, [mine, fresh]) == 2
    assert await world.records.size() == 2
    assert await world.records.missing({}) == 0
    with pytest.raises(Fault, match="AUDIT_REUSED"):
        await world.append(mine, producer="auth")


async def _cut_back(world: World, size: int) -> None:
    """Take the database back to when it held `size` entries of one producer, as a restore does."""
    async with world.database.write() as connection:
        await connection.execute(delete(ENTRY_ROWS).where(ENTRY_ROWS.c.idx >= size))
        await connection.execute(update(LOG_STATE).values(size=size))
        await connection.execute(delete(EPOCHS).where(EPOCHS.c.producer != "files"))
        await connection.execute(update(EPOCHS).values(highest=size))


async def test_what_was_never_signed_is_discarded(tiles: TileStore) -> None:
    kept = {Tile(0, 0): b"full", Tile(0, 1, 7): b"b", Tile(1, 0, 1): b"c", Tile(ENTRIES, 1, 7): b"d"}
    never = [Tile(0, 1, 8), Tile(ENTRIES, 1), Tile(1, 0, 2), Tile(ENTRIES, 4000)]
    await tiles.put({**kept, **dict.fromkeys(never, b"x")})
    await tiles.discard(263)
    for tile, data in kept.items():
        assert await tiles.get(tile) == data
    for tile in never:
        assert await tiles.get(tile) is None
