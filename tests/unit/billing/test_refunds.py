"""Refunds are given back once, and together never exceed what was captured."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.billing.errors import CHARGE_NOT_FOUND, CHARGE_NOT_REFUNDABLE, REFUND_EXCEEDS_CHARGE
from services.billing.refunds import KEY_WINDOW, RefundState
from services.kit.faults import Fault
from tests.unit.billing.world import Killed, Mishap, World


async def test_zero_gives_back_all_that_is_left() -> None:
    world = World()
    charge = await world.charge()
    assert (await world.refund(charge, "a", 300)).amount_minor == 300
    assert (await world.refund(charge, "b")).amount_minor == 700
    assert world.gateway.refunded() == 1000
    with pytest.raises(Fault) as refused:
        await world.refund(charge, "c")
    assert refused.value.reason is REFUND_EXCEEDS_CHARGE


async def test_a_declined_charge_cannot_be_refunded() -> None:
    world = World(decline="generic_decline")
    with pytest.raises(Fault) as refused:
        await world.refund(await world.charge())
    assert refused.value.reason is CHARGE_NOT_REFUNDABLE


async def test_another_merchants_charge_is_not_there() -> None:
    world = World()
    charge = await world.charge()
    world.ledger.charges[charge.charge_id] = charge.__class__(**{**charge.__dict__, "merchant": "other"})
    with pytest.raises(Fault) as refused:
        await world.refund(charge)
    assert refused.value.reason is CHARGE_NOT_FOUND


async def test_a_refund_that_the_gateway_never_got_is_given_up_and_its_reservation_released() -> None:
    world = World()
    charge = await world.charge()
    world.fate.mishaps = [Mishap.NONE, Mishap.KILLED_BEFORE]
    with pytest.raises(Killed):
        await world.refund(charge)
    world.clock.advance(KEY_WINDOW.total_seconds())
    await world.settle()
    (refund,) = world.ledger.refunds.values()
    assert refund.state is RefundState.FAILED
    assert world.only_charge().reserved_minor == 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 700), min_size=1, max_size=5),
    st.lists(st.sampled_from(list(Mishap)), max_size=16),
)
def test_no_sequence_of_mishaps_gives_back_too_much_or_twice(amounts: list[int], mishaps: list[Mishap]) -> None:
    async def story() -> World:
        world = World()
        charge = await world.charge()
        world.fate.mishaps = mishaps
        for number, amount in enumerate(amounts):
            for _ in range(2):  # asked twice under the same key
                try:
                    await world.refund(charge, f"r{number}", amount)
                except (Killed, Fault):
                    world.clock.advance(5)
        await world.settle()
        return world

    world = asyncio.run(story())
    charge = world.only_charge()
    succeeded = [row for row in world.ledger.refunds.values() if row.state is RefundState.SUCCEEDED]
    assert world.gateway.refunded() <= 1000
    assert charge.refunded_minor == charge.reserved_minor == sum(row.amount_minor for row in succeeded)
    assert charge.refunded_minor == world.gateway.refunded()
