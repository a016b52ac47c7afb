"""How long things stay, on every database: one suite."""

from __future__ import annotations

import asyncio

import pytest

from services.audit.erasure import Eraser
from services.audit.retention.security import SecurityReader
from services.audit.retention.sql_erasures import SqlErasures
from services.audit.store import ErasedError
from services.kit.telemetry import Log
from tests.unit.audit.world import World


@pytest.fixture
def records(world: World) -> SqlErasures:
    return SqlErasures(world.database, world.clock)


def eraser(world: World, records: SqlErasures) -> Eraser:
    return Eraser(records, world.bodies, world.security, world.keyring, world.outbox, Log("test"))


@pytest.mark.clause("P5", "P14")
async def test_security_records_take_the_place_of_bodies(world: World, records: SqlErasures) -> None:
    anna, bo = world.ids.new("usr"), world.ids.new("usr")
    events = await world.fill(300, anna)
    await world.fill(2, bo)
    await eraser(world, records).erase(anna)
    await eraser(world, records).erase(anna)
    reader = SecurityReader(records, world.security)
    newest = await reader.page(anna, None, 200)
    rest = await reader.page(anna, newest[-1].index, 200)
    assert [each.event.id for each in (*newest, *rest)] == [event.id for event in reversed(events)]
    assert not any(kept.sealed for kept in await world.records.page(anna, None, 400))
    assert len((await world.activity.page(bo, 0, "")).shown) == 2


@pytest.mark.clause("P14")
async def test_nothing_is_taken_under_the_key_of_a_person_whose_erasure_has_begun(
    world: World, records: SqlErasures
) -> None:
    anna = world.ids.new("usr")
    place = world.place("files")
    sealed = await world.bodies.seal([world.event(anna)], place.producer, place.epoch, 1)
    await records.begin(anna)
    async with world.records.begin() as transaction:
        await transaction.begin_epoch(place.producer, place.epoch, "")
        with pytest.raises(ErasedError) as refused:
            await transaction.insert(place.producer, place.epoch, sealed)
    assert refused.value.subjects == {anna}


@pytest.mark.clause("P14")
async def test_an_append_that_is_under_way_is_erased_too(world: World, records: SqlErasures) -> None:
    """Whichever commits first: an erasure that begins beside appends leaves no body behind."""
    anna = world.ids.new("usr")
    await world.keyring.get_or_create(anna)

    async def produce(producer: str) -> None:
        for _ in range(6):
            await world.append(world.event(anna), world.event(anna), producer=producer)

    await asyncio.gather(*(produce(f"p{number}") for number in range(4)), eraser(world, records).erase(anna))
    assert not any(kept.sealed for kept in await world.records.page(anna, None, 100))
    assert len(await records.security(anna, None, 100)) == 48
