"""A charge takes money exactly once, whatever fails and wherever the process dies."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.billing.charges import ABANDONED, HORIZON, Point, State
from services.billing.errors import IDEMPOTENCY_MISMATCH, OPERATION_IN_PROGRESS
from services.kit.faults import Fault
from tests.unit.billing.world import Killed, Mishap, World, is_settled

LOST = [Mishap.LOST_BEFORE, Mishap.LOST_AFTER]


async def test_a_charge_goes_through_its_points_and_takes_the_money_once() -> None:
    world = World()
    charge = await world.charge()
    assert (charge.point, charge.state) == (Point.FINISHED, State.SUCCEEDED)
    assert world.gateway.captures == [charge.intent]


async def test_a_decline_is_a_result() -> None:
    world = World(decline="insufficient_funds")
    charge = await world.charge()
    assert (charge.state, charge.decline_code) == (State.DECLINED, "insufficient_funds")
    assert world.gateway.captured() == 0


async def test_the_same_key_returns_the_same_charge() -> None:
    world = World()
    assert await world.charge() == await world.charge()
    assert world.gateway.captured() == 1000


async def test_the_same_key_for_something_else_is_refused() -> None:
    world = World()
    await world.charge()
    with pytest.raises(Fault) as refused:
        await world.charge(amount=2000)
    assert refused.value.reason is IDEMPOTENCY_MISMATCH


async def test_a_key_under_way_is_told_to_ask_again() -> None:
    world = World([Mishap.NONE, Mishap.KILLED_BEFORE])
    with pytest.raises(Killed):
        await world.charge()
    with pytest.raises(Fault) as refused:
        await world.charge()
    assert (refused.value.reason, refused.value.retry_after) == (OPERATION_IN_PROGRESS, 1.0)


async def test_an_unknown_outcome_is_shown_as_such_and_settled_by_asking() -> None:
    # begin, create, save, confirm: taken but the answer is lost; then asking is lost too
    world = World([Mishap.NONE, Mishap.NONE, Mishap.NONE, Mishap.LOST_AFTER, Mishap.LOST_BEFORE])
    charge = await world.charge()
    assert charge.state is State.UNKNOWN
    assert (await world.charge()).state is State.UNKNOWN, "asking again does not issue it again"
    await world.settle()
    assert world.only_charge().state is State.SUCCEEDED
    assert world.gateway.captured() == 1000


@pytest.mark.parametrize("step", range(5))
@pytest.mark.parametrize("mishap", [Mishap.KILLED_BEFORE, Mishap.KILLED_AFTER])
async def test_death_at_any_step_leaves_one_charge(step: int, mishap: Mishap) -> None:
    world = World([*[Mishap.NONE] * step, mishap])
    with pytest.raises(Killed):
        await world.charge()
    await world.settle()
    expected = 0 if (step, mishap) == (0, Mishap.KILLED_BEFORE) else 1000
    assert world.gateway.captured() == expected
    assert all(charge.state is State.SUCCEEDED for charge in world.ledger.charges.values())


async def test_nobody_is_charged_long_after_they_asked() -> None:
    world = World([Mishap.NONE, Mishap.NONE, Mishap.NONE, Mishap.KILLED_BEFORE])
    with pytest.raises(Killed):
        await world.charge()
    world.clock.advance(HORIZON.total_seconds())
    await world.settle()
    charge = world.only_charge()
    assert (charge.state, charge.decline_code) == (State.DECLINED, ABANDONED)
    assert world.gateway.captured() == 0


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(list(Mishap)), max_size=14), st.sampled_from(["", "generic_decline"]))
def test_no_sequence_of_mishaps_charges_twice_or_lies(mishaps: list[Mishap], decline: str) -> None:
    async def story() -> World:
        world = World(mishaps, decline)
        for _ in range(3):  # the shop asks again and again
            try:
                await world.charge()
            except (Killed, Fault):
                world.clock.advance(5)
        await world.settle()
        return world

    world = asyncio.run(story())
    assert not world.gateway.confirmed_before_committed
    assert len(world.gateway.captures) <= 1
    for charge in world.ledger.charges.values():
        assert is_settled(charge)
        assert (charge.state is State.SUCCEEDED) == (len(world.gateway.captures) == 1)
