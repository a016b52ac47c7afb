"""The audit service's own live checks."""

from __future__ import annotations

import pytest

from services.audit.checks import LogChecks
from services.kit.faults import Fault
from tests.unit.audit.world import World


@pytest.fixture
def checks(world: World) -> LogChecks:
    return LogChecks(world.records, world.heads, world.scrub(), world.clock)


@pytest.mark.clause("P5")
async def test_a_whole_log_is_kept(world: World, checks: LogChecks) -> None:
    await world.fill(5)
    await world.sign()
    world.clock.advance(60)
    assert {check.name: await check.measure() for check in checks.all()} == {
        "audit.gaps": 0,
        "audit.checkpoint_age": 0,
        "audit.tree_intact": 0,
    }


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_damage_is_counted(world: World, checks: LogChecks) -> None:
    await world.fill(5)
    await world.sign()
    (world.folder / "log/tile/0/000.p/5").write_bytes(bytes(160))
    measured = {check.name: await check.measure() for check in checks.all()}
    assert measured["audit.tree_intact"] > 0


@pytest.mark.clause("P5")
async def test_a_refused_gap_is_counted_until_it_is_filled(world: World, checks: LogChecks) -> None:
    with pytest.raises(Fault):
        await world.appender.append(world.place(first=2), [world.event()])
    assert await checks.gaps() == 1
    await world.fill(1)
    assert await checks.gaps() == 0


@pytest.mark.clause("P5")
async def test_a_vanished_row_is_counted_and_counted_again(world: World, checks: LogChecks) -> None:
    await world.fill(5)
    async with world.database.write() as connection:
        await connection.exec_driver_sql("DELETE FROM entries WHERE idx IN (1, 2)")
    for _ in range(2):
        assert await checks.gaps() == 2


@pytest.mark.clause("P5")
async def test_an_entry_that_waits_for_a_checkpoint_is_measured(world: World, checks: LogChecks) -> None:
    await world.fill(1)
    world.clock.advance(1)
    assert await checks.age_ms() == 1000
    world.clock.advance(5)
    assert await checks.age_ms() == 6000
    await world.sign()
    world.clock.advance(1)
    assert await checks.age_ms() == 0
