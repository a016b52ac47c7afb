"""The audit service's own live checks."""

from __future__ import annotations

import pytest

from services.audit.checks import Checks
from services.kit.faults import Fault
from services.kit.telemetry import Log
from tests.unit.audit.world import World


class Findings:
    """Remembers results."""

    def __init__(self) -> None:
        self.results: dict[str, tuple[str, int]] = {}

    async def found(self, check: str, state: str, measured: int) -> None:
        self.results[check] = (state, measured)


@pytest.fixture
def findings() -> Findings:
    return Findings()


@pytest.fixture
def checks(world: World, findings: Findings) -> Checks:
    return Checks(world.records, world.heads, findings, world.clock, Log("test"))


@pytest.mark.clause("P5")
async def test_a_whole_log_is_kept(world: World, checks: Checks, findings: Findings) -> None:
    await world.fill(5)
    await world.sign()
    world.clock.advance(60)
    await checks.step()
    assert findings.results == {"audit.gaps": ("kept", 0), "audit.checkpoint_age": ("kept", 0)}


@pytest.mark.clause("P5")
async def test_a_refused_gap_is_broken_until_it_is_filled(world: World, checks: Checks, findings: Findings) -> None:
    with pytest.raises(Fault):
        await world.appender.append(world.place(first=2), [world.event()])
    await checks.step()
    assert findings.results["audit.gaps"] == ("broken", 1)
    await world.fill(1)
    await checks.step()
    assert findings.results["audit.gaps"] == ("kept", 0)


@pytest.mark.clause("P5")
async def test_a_vanished_row_is_counted_and_counted_again(world: World, checks: Checks, findings: Findings) -> None:
    await world.fill(5)
    async with world.database.write() as connection:
        await connection.exec_driver_sql("DELETE FROM entries WHERE idx IN (1, 2)")
    for _ in range(2):
        await checks.step()
        assert findings.results["audit.gaps"] == ("broken", 2)


@pytest.mark.clause("P5")
async def test_an_entry_that_waits_for_a_checkpoint_is_measured(
    world: World, checks: Checks, findings: Findings
) -> None:
    await world.fill(1)
    world.clock.advance(1)
    await checks.step()
    assert findings.results["audit.checkpoint_age"] == ("kept", 1000)
    world.clock.advance(5)
    await checks.step()
    assert findings.results["audit.checkpoint_age"] == ("broken", 6000)
    await world.sign()
    world.clock.advance(1)
    await checks.step()
    assert findings.results["audit.checkpoint_age"] == ("kept", 0)


async def test_results_are_recorded_in_the_service_s_own_outbox(world: World) -> None:
    from services.audit.journal import Journal  # noqa: PLC0415 - imported only where it is wanted

    await Journal(world.outbox).found("audit.gaps", "kept", 0)
    assert world.outbox.written.is_set()
