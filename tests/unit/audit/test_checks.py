"""The audit service's own live checks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.audit.checks import LogChecks
from services.kit.checks import UnknownError
from services.kit.event import Actor, ActorKind, Event, Target
from services.kit.faults import Fault
from tests.unit.audit.world import World


def result(world: World, check: str, ahead: float = 0) -> Event:
    """Return a result of a check of files, whose clock is ahead by so many seconds."""
    return world.event(
        "",
        "practice.check",
        actor=Actor(ActorKind.SERVICE, check.partition(".")[0]),
        target=Target("practice", check),
        details={"state": "kept"},
        time=world.clock.now() + timedelta(seconds=ahead),
    )


@pytest.fixture
def checks(world: World) -> LogChecks:
    return LogChecks(world.records, world.heads, world.scrub(), world.clock)


@pytest.mark.clause("P5")
async def test_a_whole_log_is_kept(world: World, checks: LogChecks) -> None:
    await world.fill(5)
    await world.append(result(world, "files.clock"))
    await world.sign()
    world.clock.advance(60)
    assert {check.name: await check.measure() for check in checks.all()} == {
        "audit.gaps": 0,
        "audit.checkpoint_age": 0,
        "audit.tree_intact": 0,
        "audit.clock_skew": 0,
    }


@pytest.mark.clause("P5", "PCI DSS 10.3.4")
async def test_damage_is_counted(world: World, checks: LogChecks) -> None:
    await world.fill(5)
    await world.sign()
    (world.folder / "log/tile/0/000.p/5").write_bytes(bytes(160))
    intact = next(check for check in checks.all() if check.name == "audit.tree_intact")
    assert await intact.measure() > 0


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


@pytest.mark.clause("PCI DSS 10.6.1")
@pytest.mark.parametrize("ahead, skew", [(0, 0), (7, 7000), (-7, 7000)])
async def test_the_clock_of_a_producer_is_compared_by_its_soonest_result(
    world: World, checks: LogChecks, ahead: float, skew: int
) -> None:
    with pytest.raises(UnknownError):
        await checks.skew_ms()
    await world.append(result(world, "auth.clock"), producer="auth")
    await world.append(result(world, "files.listeners", ahead - 600))  # it waited for ten minutes
    await world.append(result(world, "files.clock", ahead))
    await world.append(result(world, "files.policies", ahead - 600))
    assert await checks.skew_ms() == skew
