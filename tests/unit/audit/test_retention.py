"""How long bodies stay, where, and what of the log outlives them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from deploy.cli.verify import receipt
from deploy.cli.verify.note import parse_key
from deploy.cli.verify.trust import Trust
from services.audit.place import PlaceConfig
from services.audit.retention import sql_sweep
from services.audit.retention.cold import ColdBodies, ColdError
from services.audit.retention.cold_directory import ColdDirectory
from services.audit.retention.policy import RetentionConfig, months_before
from services.audit.retention.sql_sweep import SqlSweep
from services.audit.retention.sweep import Preview
from services.audit.retention.upkeep import Upkeep
from services.audit.sql_lease import RETENTION, SqlLease
from services.audit.tables import COLD, ENTRIES, SECURITY
from services.audit.tiles import Tile
from services.audit.tree import TreeReader
from services.kit.checks import UnknownError
from services.kit.faults import Fault
from services.kit.telemetry import Log
from tests.unit.audit.exporting import advance, relay
from tests.unit.audit.fuse import Fuse, PowerCutError
from tests.unit.audit.test_holds import let_go, place, recorded, remains
from tests.unit.audit.world import World, make_world

DAY = 86400.0
PRUNING = RetentionConfig(prune=True)


async def always() -> bool:
    return True


@pytest.fixture
def anna(world: World) -> str:
    return world.ids.new("usr")


async def old(world: World, subject: str, count: int = 256, *, days: float) -> list[str]:
    """Fill so many entries, sign them, and let them grow so old."""
    events = await world.fill(count, subject)
    await world.sign()
    world.clock.advance(days * DAY)
    return [event.id for event in events]


async def counted(world: World, *wanted: Any) -> int:
    async with world.database.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(ENTRIES).where(*wanted))).scalar_one())


async def shown(world: World, customer: str) -> list[str]:
    """All that a customer sees, oldest first."""
    seen, token = list[str](), ""
    while True:
        page = await world.activity.page(customer, 200, token)
        seen += [each.event.id for each in page.shown]
        token = page.next_token
        if not token:
            return seen[::-1]


def test_months_are_the_calendars() -> None:
    def back(text: str, months: int) -> str:
        return months_before(datetime.fromisoformat(text).replace(tzinfo=UTC), months).date().isoformat()

    assert back("2026-05-31", 3) == "2026-02-28"
    assert back("2024-05-31", 3) == "2024-02-29"
    assert back("2026-01-15", 1) == "2025-12-15"
    assert back("2026-11-22", 12) == "2025-11-22"
    assert back("2026-12-31", 72) == "2020-12-31"


@pytest.mark.clause("PCI DSS 10.5.1")
def test_less_than_a_year_or_three_months_at_hand_has_to_be_meant(tmp_path: Path) -> None:
    assert (RetentionConfig().keep_months, RetentionConfig().at_hand_months) == (12, 3)
    for months in ({"keep_months": 11}, {"at_hand_months": 2}):
        with pytest.raises(ValueError, match="accept_short"):
            RetentionConfig(**months)  # type: ignore[arg-type]  # of these, each is a number
        RetentionConfig(**months, accept_short=True)  # type: ignore[arg-type]  # of these, each is a number
    for months in ({"at_hand_months": 13}, {"at_hand_months": 0}, {"keep_months": 0}):
        with pytest.raises(ValueError, match="at_hand_months"):
            RetentionConfig(**months, accept_short=True)  # type: ignore[arg-type]  # of these, each is a number
    RetentionConfig(keep_months=72)
    with pytest.raises(ValueError, match="one of them"):
        PlaceConfig()


@pytest.mark.clause("P5", "PCI DSS 10.5.1")
async def test_old_bodies_move_to_the_cold_and_are_fetched_as_if_they_had_not(world: World, anna: str) -> None:
    first = await old(world, anna, days=100)
    second = await old(world, anna, 300, days=1)
    before = await world.activity.receipt(anna, first[7])
    assert await world.sweeper().sweep(always)
    assert (await world.sweeps.state()).cold_below == 256
    assert await counted(world, ENTRIES.c.sealed == b"") == 256
    assert await shown(world, anna) == first + second
    after = await world.activity.receipt(anna, first[7])
    trust = Trust((parse_key(world.signer.verifier.vkey),))
    assert receipt.verify(before, trust).event == receipt.verify(after, trust).event
    (entry,) = await recorded(world, "audit.retention.cool")
    assert entry.details.count == 1
    held = b"".join(path.read_bytes() for path in (world.folder / "cold").rglob("*") if path.is_file())
    assert held
    assert first[0].encode() not in held


async def test_without_a_cold_store_nothing_moves(world: World, anna: str) -> None:
    await old(world, anna, days=100)
    assert await world.sweeper(cold=ColdBodies(None, world.periods, world.sweeps)).sweep(always)
    assert await counted(world, ENTRIES.c.sealed == b"") == 0


@pytest.mark.parametrize("harm", ["lost", "changed", "swapped"])
async def test_what_the_cold_store_does_not_give_back_is_told_and_never_shown(
    world: World, anna: str, harm: str
) -> None:
    await old(world, anna, 512, days=100)
    await world.sweeper().sweep(always)
    data, other = await world.cold_store.get(0), await world.cold_store.get(1)
    assert data is not None
    assert other is not None
    if harm == "lost":
        await world.cold_store.delete(0)
    else:
        await world.cold_store.put(0, other if harm == "swapped" else data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(Fault, match="RECORDS_AWAY"):
        await shown(world, anna)
    await world.cold_store.put(0, data)
    assert len(await shown(world, anna)) == 512


async def test_a_store_that_loses_what_it_took_costs_nothing(world: World, anna: str) -> None:
    class Forgetful(ColdDirectory):
        async def put(self, bundle: int, data: bytes) -> None:
            pass

    events = await old(world, anna, days=100)
    lossy = ColdBodies(Forgetful(world.folder / "other"), world.periods, world.sweeps)
    with pytest.raises(ColdError):
        await world.sweeper(cold=lossy).sweep(always)
    assert await counted(world, ENTRIES.c.sealed == b"") == 0
    assert await shown(world, anna) == events


@pytest.mark.clause("P14")
async def test_an_erasure_reaches_what_is_cold(world: World, anna: str) -> None:
    events = await old(world, anna, days=100)
    await world.sweeper().sweep(always)
    await world.eraser().erase(anna)
    world.clock.advance(61)
    assert [each.event.id for each in await remains(world, anna)] == events[-200:]
    async with world.database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(SECURITY))).scalar_one() == 256
    assert await shown(world, anna) == []


async def test_an_erasure_between_the_copy_and_the_rows_makes_another_copy(world: World, anna: str) -> None:
    await old(world, anna, 200, days=0)
    await old(world, world.ids.new("usr"), 56, days=100)

    class Interrupted(SqlSweep):
        times = 0

        async def cool(self, number: int, copied: Mapping[int, bytes], month: str) -> None:
            self.times += 1
            if self.times == 1:
                await world.eraser().erase(anna)
            await super().cool(number, copied, month)

    store = Interrupted(world.database, None)  # type: ignore[arg-type]  # nothing is recorded by what is used of it
    store._journal = world.sweeps._journal
    assert await world.sweeper(store=store).sweep(always)
    assert store.times == 2
    month = await world.sweeps.cold_period(0)
    assert month is not None
    assert len(await world.cold.read(0, month)) == 56


@pytest.mark.clause("P5", "P14")
async def test_what_is_over_goes_and_the_tree_stays(world: World, anna: str) -> None:
    bo = world.ids.new("usr")
    await old(world, anna, 200, days=0)
    await world.eraser().erase(anna)
    await old(world, bo, 56, days=300)
    recent = await old(world, bo, 256, days=100)
    head = await world.signed()
    (month,) = await world.periods.living()
    assert await world.sweeper().sweep(always)
    assert await shown(world, bo) == recent
    assert await remains(world, anna) == []
    assert await counted(world, ENTRIES.c.subject == anna) == 0
    assert await counted(world, ENTRIES.c.subject == bo) == 256
    assert month not in await world.periods.living()
    assert (await recorded(world, "audit.retention.shred"))[0].details.version == month
    assert (await recorded(world, "audit.retention.sweep"))[0].details.count == 256
    reader = TreeReader(world.tiles, head.size)
    assert await reader.root() == head.root
    assert await reader.inclusion(3)
    assert not [path for path in (world.folder / "cold").rglob("0") if path.is_file()]
    async with world.database.read() as connection:
        assert list((await connection.execute(select(COLD.c.bundle))).scalars()) == [1]


@pytest.mark.clause("P14")
async def test_a_hold_keeps_what_is_over_wherever_it_is_and_its_release_lets_it_go(world: World, anna: str) -> None:
    bo = world.ids.new("usr")
    await old(world, bo, 300, days=0)
    kept = await old(world, anna, 100, days=0)
    await old(world, bo, 368, days=100)
    await world.sweeper(PRUNING).sweep(always)
    hold = await place(world, anna)
    world.clock.advance(300 * DAY)
    await world.sweeper(PRUNING).sweep(always)
    assert await shown(world, anna) == kept
    assert await shown(world, bo) == []
    assert (await world.sweeps.state()).minimum == 256, "the first held entry is in the second bundle"
    await let_go(world, hold)
    await world.releaser().step()
    world.clock.advance(DAY)
    await world.sweeper(PRUNING).sweep(always)
    assert await shown(world, anna) == []
    assert (await world.sweeps.state()).minimum == 768
    assert [entry.details.count for entry in await recorded(world, "audit.retention.prune")] == [256, 768]


async def test_a_hold_keeps_what_an_erasure_left(world: World, anna: str) -> None:
    await old(world, anna, 256, days=100)
    await place(world, anna)
    await world.eraser().erase(anna)
    world.clock.advance(400 * DAY)
    await world.sweeper().sweep(always)
    assert [each.held for each in await remains(world, anna)] == [True] * 200
    assert await world.periods.living(), "what a hold keeps keeps its key"


@pytest.mark.clause("P5")
async def test_a_pruned_log_still_proves_all_that_is_not_below_its_minimum(world: World, anna: str) -> None:
    await old(world, anna, 700, days=400)
    recent = await old(world, anna, 300, days=1)
    await world.sweeper(PRUNING).sweep(always)
    await relay(world)
    await advance(world)
    minimum = world.minimum(prune=True)
    assert await minimum.index() == 512

    class Served:
        async def get(self, tile: Tile) -> bytes | None:
            return None if await minimum.hides(tile) else await world.tiles.get(tile)

    assert await Served().get(Tile(0, 1)) is None
    assert await Served().get(Tile(-1, 1)) is None
    assert await Served().get(Tile(0, 1, 7)) is None
    assert await Served().get(Tile(0, 2)) is not None
    head = await world.signed()
    reader = TreeReader(Served(), head.size)
    assert await reader.root() == head.root
    for index in (512, 700, head.size - 1):
        assert await reader.inclusion(index)
    assert await reader.consistency(600)
    assert await TreeReader(Served(), 513).root()
    assert await world.activity.receipt(anna, recent[0])
    assert (await world.sign()).size == head.size


async def test_without_a_policy_nothing_is_withdrawn(world: World, anna: str) -> None:
    await old(world, anna, 300, days=400)
    await world.sweeper(PRUNING).sweep(always)
    await relay(world)
    await advance(world)
    assert await world.minimum(prune=False).index() == 0
    assert not await world.minimum(prune=False).hides(Tile(0, 0))
    assert await world.minimum(prune=True).hides(Tile(0, 0))


@pytest.mark.parametrize("stretch", [100, 1 << 20])
async def test_a_dry_run_tells_what_a_sweep_will_do_and_changes_nothing(
    stretch: int, world: World, anna: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_sweep, "_STRETCH", stretch)
    bo = world.ids.new("usr")
    await old(world, anna, 100, days=0)
    await old(world, bo, 412, days=300)
    await old(world, bo, 300, days=100)
    await place(world, anna)
    state, preview = await world.sweeper().preview()
    assert preview == Preview(cold_bundles=3, expired_entries=512, held_entries=100)
    assert state == await world.sweeps.state()
    assert await counted(world, ENTRIES.c.sealed == b"") == 0
    await world.sweeper().sweep(always)
    _, after = await world.sweeper().preview()
    assert after == Preview(cold_bundles=0, expired_entries=0, held_entries=0)
    assert (await recorded(world, "audit.retention.sweep"))[0].details.count == 412


@pytest.mark.clause("P5")
async def test_the_age_of_the_last_sweep_is_measured(world: World, anna: str) -> None:
    sweeper = world.sweeper()
    with pytest.raises(UnknownError):
        await sweeper.age_minutes()
    await sweeper.sweep(always)
    world.clock.advance(49 * 3600)
    assert await sweeper.age_minutes() == 49 * 60


async def test_a_sweep_is_due_daily_and_stops_when_the_lease_is_lost(world: World, anna: str) -> None:
    await old(world, anna, 512, days=100)
    lease = SqlLease(world.database, world.clock, world.ids.new("hld"), RETENTION)
    sweeper = world.sweeper()
    assert await sweeper.due()
    asked = 0

    async def once() -> bool:
        nonlocal asked
        asked += 1
        return asked == 1

    assert not await sweeper.sweep(once)
    assert (await world.sweeps.state()).cold_below == 256
    assert await sweeper.due()
    upkeep = Upkeep(lease, world.releaser(), sweeper, lambda: timedelta(hours=1), Log("test"))
    await upkeep.step()
    assert (await world.sweeps.state()).cold_below == 512
    assert not await sweeper.due()
    world.clock.advance(23 * 3600 - 1)
    assert not await sweeper.due(timedelta(hours=1))
    world.clock.advance(2)
    assert await sweeper.due(timedelta(hours=1))
    assert not await sweeper.due()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 40), max_size=4))
def test_killed_anywhere_a_sweep_goes_on_and_ends_the_same(
    migrated: Path, tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    async def scenario() -> None:
        folder = shutil.copytree(migrated, tmp_path_factory.mktemp("cut") / "audit")
        async with make_world(folder) as world:
            await _sweep_with_cuts(world, cuts)

    asyncio.run(scenario())


async def _sweep_with_cuts(world: World, cuts: list[int]) -> None:
    anna, bo, cid = (world.ids.new("usr") for _ in range(3))
    await old(world, bo, 150, days=0)
    kept = await old(world, anna, 106, days=0)
    await old(world, cid, 10, days=0)
    await world.eraser().erase(cid)
    await old(world, bo, 246, days=330)
    recent = await old(world, bo, 256, days=100)
    await place(world, anna)
    for cut in cuts:
        fuse = Fuse(cut)
        cold = ColdBodies(fuse.guard(world.cold_store), world.periods, world.sweeps)
        try:
            await world.sweeper(
                PRUNING, store=fuse.guard(world.sweeps), keys=fuse.guard(world.periods), cold=cold
            ).sweep(always)
        except PowerCutError:
            assert await shown(world, anna) == kept
    await world.sweeper(PRUNING).sweep(always)
    assert await shown(world, anna) == kept
    assert await shown(world, bo) == recent
    assert await remains(world, cid) == []
    assert (await world.sweeps.state()).minimum == 0
    assert sum(entry.details.count for entry in await recorded(world, "audit.retention.sweep")) == 150 + 10 + 246
    async with world.database.read() as connection:
        assert list((await connection.execute(select(COLD.c.bundle))).scalars()) == [2]
