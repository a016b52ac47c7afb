"""What must not stop a sweep, nor keep the next one away: entries that a restore has lost, a clock that was wrong."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, insert, select

from services.audit.tables import BODILESS, ENTRIES
from tests.unit.audit.test_retention import DAY, PRUNING, always, counted, old
from tests.unit.audit.world import World


async def test_a_bundle_that_a_restore_has_lost_whole_does_not_stop_the_sweep(world: World) -> None:
    anna = world.ids.new("usr")
    await old(world, anna, 3 * 256, days=1)
    async with world.database.write() as connection:
        lost = ENTRIES.c.idx.between(256, 511)
        gone = select(ENTRIES.c.idx, ENTRIES.c.entry).where(lost)
        await connection.execute(insert(BODILESS).from_select(["idx", "entry"], gone))
        await connection.execute(delete(ENTRIES).where(lost))
    assert await world.sweeper(PRUNING).sweep(always)
    assert (await world.sweeps.state()).expired_below == 0
    world.clock.advance(400 * DAY)
    assert await world.sweeper(PRUNING).sweep(always)
    state = await world.sweeps.state()
    assert (state.cold_below, state.expired_below, state.minimum) == (768, 768, 768)
    assert await counted(world, ENTRIES.c.subject == anna) == 0


async def test_a_sweep_at_a_wrong_time_does_not_keep_the_next_away(world: World) -> None:
    right, sweeper = world.clock.now(), world.sweeper()
    world.clock.set(right + timedelta(days=300))
    await sweeper.sweep(always)
    world.clock.set(right)
    assert (await sweeper.due(), await sweeper.age_minutes()) == (True, 300 * 24 * 60)
    await sweeper.sweep(always)
    assert (await sweeper.due(), await sweeper.age_minutes()) == (False, 0)
