"""What the log still says about somebody who was erased, and what it still proves."""

from __future__ import annotations

import pytest

from deploy.cli.verify import receipt
from deploy.cli.verify.note import parse_key
from services.audit.erasure import Eraser
from services.kit.faults import Fault
from services.kit.outbox import Outbox
from tests.unit.audit.world import World


def eraser(world: World) -> Eraser:
    return Eraser(world.keyring, Outbox(world.database, world.clock, world.ids))


@pytest.mark.clause("P5", "P14")
async def test_nobody_can_open_what_was_said_and_every_receipt_still_holds(world: World) -> None:
    anna, bo = world.ids.new("usr"), world.ids.new("usr")
    (event,) = await world.fill(1, anna)
    (theirs,) = await world.fill(1, bo)
    await world.sign()
    world.clock.advance(1)
    proof = await world.activity.receipt(anna, event.id)
    await eraser(world).erase(anna)
    world.clock.advance(61)
    assert (await world.activity.page(anna, 0, "")).shown == []
    with pytest.raises(Fault, match="NOT_FOUND"):
        await world.activity.receipt(anna, event.id)
    found = receipt.verify(proof, parse_key(world.signer.verifier.vkey))
    assert found.event["id"] == event.id
    assert await world.activity.receipt(bo, theirs.id)


async def test_what_arrives_later_is_a_security_record_that_no_customer_sees(world: World) -> None:
    anna = world.ids.new("usr")
    await world.fill(1, anna)
    work = eraser(world)
    first, second = await work.erase(anna), await work.erase(anna)
    assert first.event_id != second.event_id
    late = world.event(anna)
    await world.append(late)
    kept = await world.records.find(late.id)
    assert kept is not None
    assert kept.subject == ""
    assert (await world.activity.page(anna, 0, "")).shown == []
