"""Entries become tiles, tiles become a signed head, whatever breaks in between; and there is one tree only."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.utils import sha256

from services.audit.checkpoint import Checkpoint
from services.audit.errors import HaltError
from services.audit.merkle import check_consistency
from services.audit.sql_lease import SqlLease
from services.audit.store import ConflictError, SignedHead
from services.audit.tables import ENTRIES as RECORDS
from services.audit.tables import LEASES, LOG_STATE
from services.audit.tiles import ENTRIES, Tile
from services.audit.tree import Edge, TreeReader
from services.kit.faults import Fault
from tests.unit.audit.world import World, make_world


async def reference(world: World) -> bytes:
    """The root that the entries should have."""
    return Edge().grow(await world.records.entries(0, 1 << 20)).edge.root()


async def require_whole(world: World, head: Checkpoint) -> None:
    """Every entry is under the head, and every proof can be had."""
    assert head.size == await world.records.size()
    assert head.root == await reference(world)
    reader = TreeReader(world.tiles, head.size)
    assert await reader.root() == head.root
    for index in range(0, head.size, 37):
        await reader.inclusion(index)


async def test_a_new_log_begins_with_an_empty_signed_head(world: World) -> None:
    assert (await world.signed()).size == 0


@pytest.mark.clause("P5")
async def test_every_head_extends_the_one_before(world: World) -> None:
    heads = [await world.signed()]
    for count in (1, 2, 250, 3, 256, 1, 300):
        await world.fill(count)
        heads.append(await world.sign())
    await require_whole(world, heads[-1])
    for old, new in pairwise(heads):
        proof = await TreeReader(world.tiles, new.size).consistency(old.size)
        check_consistency(old.size, new.size, proof, old.root, new.root)


async def test_replaced_partial_tiles_are_forgotten(world: World) -> None:
    await world.fill(200)
    await world.sign()
    assert (world.folder / "log/tile/0/000.p/200").exists()
    await world.fill(100)
    await world.sign()
    assert not (world.folder / "log/tile/0/000.p").exists()
    assert not (world.folder / "log/tile/entries/000.p").exists()
    assert (world.folder / "log/tile/0/001.p/44").exists()


async def test_nothing_new_signs_nothing(world: World) -> None:
    await world.fill(2)
    await world.sign()
    before = await world.checkpoints.load()
    assert not await world.sequencer.step()
    assert await world.checkpoints.load() == before


@pytest.mark.clause("P5")
async def test_somebody_elses_client_verifies_the_log(world: World) -> None:
    await world.fill(600)
    head = await world.sign()
    entries = await world.records.entries(0, 600)
    reader = TilesReader(LocalBackend(world.folder / "log"))
    theirs = reader.get_checkpoint()
    theirs.verify(Vkey.from_string(world.signer.verifier.vkey))
    assert (theirs.origin, theirs.size, theirs.root_hash) == (head.origin, head.size, head.root)
    assert reader.calculate_root_hash() == head.root
    for index in (0, 255, 256, 511, 599):
        assert reader.get_entry(index) == entries[index]
        reader.get_inclusion_proof(index, 600).check(sha256(b"\x00" + entries[index]), head.root)


@dataclass
class Breaking:
    """A store whose n-th call of a method fails, before or after it did its work."""

    inner: Any
    method: str
    after: bool
    count: int = 0

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any) -> Any:
            if name != self.method:
                return await getattr(self.inner, name)(*arguments)
            self.count += 1
            if self.count == 1 and not self.after:
                raise OSError("injected")
            result = await getattr(self.inner, name)(*arguments)
            if self.count == 1:
                raise OSError("injected")
            return result

        return call


STEPS = [
    ("_entries", "entries"),
    ("_tiles", "put"),
    ("_outside", "publish"),
    ("_tiles", "prune"),
    ("_checkpoints", "swap"),
    ("_checkpoints", "load"),
    ("_lease", "hold"),
]


@pytest.mark.clause("P5")
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("store,method", STEPS)
@pytest.mark.parametrize("then", ["go on", "restart"])
async def test_a_failure_at_any_step_loses_nothing_and_forks_nothing(
    home: Path, store: str, method: str, moment: str, then: str
) -> None:
    async with make_world(home) as world:
        await world.fill(250)
        old = await world.sign()
        await world.fill(20)
        if method == "load":  # asked only when the state is reloaded
            world.sequencer._state = None
        setattr(world.sequencer, store, Breaking(getattr(world.sequencer, store), method, moment == "after"))
        with pytest.raises(OSError, match="injected"):
            await world.sequencer.step()
        if then == "go on":
            await require_continued(world, old)
            return
    async with make_world(home) as again:
        again.epochs.update(world.epochs)
        again.clock.advance(SqlLease.SECONDS + 1)
        await require_continued(again, old)


async def require_continued(world: World, old: Checkpoint) -> None:
    await world.fill(5)
    new = await world.sign()
    await require_whole(world, new)
    proof = await TreeReader(world.tiles, new.size).consistency(old.size)
    check_consistency(old.size, new.size, proof, old.root, new.root)


async def test_a_torn_write_is_not_taken_for_a_tile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.fill(3)

    def tear(descriptor: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr("services.audit.tile_directory.os.fsync", tear)
    with pytest.raises(OSError, match="no space"):
        await world.sequencer.step()
    monkeypatch.undo()
    assert (await world.signed()).size == 0
    await require_whole(world, await world.sign())


async def test_lost_tiles_are_derived_anew(world: World) -> None:
    await world.fill(600)
    head = await world.sign()
    shutil.rmtree(world.folder / "log" / "tile")
    world.sequencer._state = None
    await world.sequencer.step()
    await require_whole(world, head)


@pytest.mark.clause("P5")
@pytest.mark.parametrize("damage", ["entries", "checkpoint", "tiles", "key"])
async def test_a_log_that_disagrees_with_what_was_signed_halts(world: World, damage: str) -> None:
    await world.fill(300)
    before = await world.sign()
    await _damage(world, damage)
    world.sequencer._state = None
    with pytest.raises(HaltError):
        await world.sequencer.step()
    await world.sequencer._round()
    with pytest.raises(Fault, match="LOG_HALTED"):
        await world.append(world.event())
    if damage == "entries":
        assert await world.signed() == before


async def _damage(world: World, damage: str) -> None:
    if damage == "entries":  # the database was restored from an older backup, and that was not of this log
        async with world.database.write() as connection:
            await connection.execute(LOG_STATE.update().values(size=280))
            await connection.exec_driver_sql("DELETE FROM entries WHERE idx >= 280")
            await connection.exec_driver_sql("UPDATE entries SET entry = zeroblob(33) WHERE idx = 7")
    elif damage == "checkpoint":
        async with world.heads_database.write() as connection:
            await connection.exec_driver_sql("DELETE FROM checkpoint")
    elif damage == "tiles":
        (world.folder / "log/tile/1/000.p/1").write_bytes(bytes(32))
    else:
        async with world.heads_database.write() as connection:
            await connection.exec_driver_sql("UPDATE checkpoint SET note = CAST(note || x'20' AS BLOB)")


@pytest.mark.clause("P5")
async def test_changed_entries_are_not_signed_over(world: World) -> None:
    await world.fill(300)
    await world.sign()
    async with world.database.write() as connection:
        await connection.exec_driver_sql("UPDATE entries SET entry = zeroblob(33) WHERE idx = 290")
    world.sequencer._state = None
    with pytest.raises(HaltError, match="DIFFER"):
        await world.sequencer.step()


@pytest.mark.clause("P5")
@pytest.mark.parametrize("index", [0, 290, 299])
async def test_a_vanished_entry_is_not_signed_over(world: World, index: int) -> None:
    await world.fill(300)
    await world.sign()
    async with world.database.write() as connection:
        await connection.execute(RECORDS.delete().where(RECORDS.c.idx == index))
    shutil.rmtree(world.folder / "log" / "tile")
    world.sequencer._state = None
    with pytest.raises(HaltError, match="ENTRIES_DIFFER"):
        await world.sequencer.step()


@pytest.mark.clause("P5")
async def test_no_entry_takes_the_place_of_one_that_vanished_before_it_was_signed(world: World) -> None:
    await world.fill(5)
    async with world.database.write() as connection:
        await connection.exec_driver_sql("DELETE FROM entries WHERE idx = 3")
    assert (await world.sign()).size == 3
    await world.fill(1)
    assert (await world.sign()).size == 3


@pytest.mark.clause("P5")
async def test_one_process_signs_at_a_time(world: World) -> None:
    await world.fill(2)
    second = world.another_sequencer()
    assert not await second.step()
    assert (await world.signed()).size == 0
    second.require_sound()
    await world.sign()
    world.clock.advance(SqlLease.SECONDS + 1)
    await world.fill(1)
    await second.step()
    assert (await world.signed()).size == 3


@pytest.mark.clause("P5")
async def test_a_stale_holder_cannot_sign(world: World) -> None:
    await world.fill(2)
    await world.sign()
    stale = world.sequencer._state
    assert stale is not None
    world.clock.advance(SqlLease.SECONDS + 1)
    second = world.another_sequencer()
    await second.step()
    await world.fill(3)
    world.lease._renew = float("inf")  # it slept through the loss of its lease and wakes in the middle of a round
    with pytest.raises(ConflictError):
        await world.sequencer.step()
    await second.step()
    head = await world.signed()
    assert head.size == 5
    with pytest.raises(ConflictError):
        await world.checkpoints.swap(stale.head.note, SignedHead(stale.head.note, stale.head.fence))


async def test_a_lease_restored_to_an_earlier_token_still_signs_later(world: World) -> None:
    await world.fill(1)
    await world.sign()
    stored = await world.checkpoints.load()
    assert stored is not None
    await world.checkpoints.swap(stored.note, SignedHead(stored.note, 50))
    async with world.database.write() as connection:
        await connection.execute(LEASES.update().values(token=3))
    world.sequencer._state, world.lease._token = None, None
    await world.fill(1)
    await require_whole(world, await world.sign())
    stored = await world.checkpoints.load()
    assert stored is not None
    assert stored.fence == 51


async def test_two_sequencers_make_the_same_tiles(world: World, tmp_path: Path) -> None:
    await world.fill(300)
    await world.sign()
    files = Edge().grow(await world.records.entries(0, 300)).files
    assert await world.tiles.get(Tile(ENTRIES, 0)) == files[Tile(ENTRIES, 0)]
    with pytest.raises(ConflictError):
        await world.tiles.put({Tile(ENTRIES, 0): b"other"})
