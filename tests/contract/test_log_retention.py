"""How long things stay, on every database: one suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import boto3
import pytest
from botocore.client import Config as ClientConfig

from services.audit.retention.cold import ColdStore
from services.audit.retention.cold_directory import ColdDirectory
from services.audit.retention.cold_s3 import ColdS3
from services.audit.retention.holds import Cause, Holds, Order
from services.audit.retention.policy import RetentionConfig
from services.audit.retention.sql_holds import HoldsIn
from services.audit.store import ErasedError
from tests.unit.audit.world import World


@pytest.mark.clause("P5", "P14")
async def test_security_records_take_the_place_of_bodies(world: World) -> None:
    anna, bo = world.ids.new("usr"), world.ids.new("usr")
    events = await world.fill(300, anna)
    await world.fill(2, bo)
    await world.eraser().erase(anna)
    await world.eraser().erase(anna)
    reader = world.reader()
    newest, more = await reader.page(anna, None, 200)
    rest, end = await reader.page(anna, more, 200)
    assert end is None
    assert [each.event.id for each in (*newest, *rest)] == [event.id for event in reversed(events)]
    assert not any(kept.sealed for kept in await world.records.page(anna, None, 400))
    assert len((await world.activity.page(bo, 0, "")).shown) == 2


@pytest.mark.clause("P14")
async def test_nothing_is_taken_under_the_key_of_a_person_whose_erasure_has_begun(world: World) -> None:
    anna = world.ids.new("usr")
    place = world.place("files")
    sealed = await world.bodies.seal([world.event(anna)], place.producer, place.epoch, 1)
    await world.erasures.begin(anna)
    async with world.records.begin() as transaction:
        await transaction.begin_epoch(place.producer, place.epoch, "")
        with pytest.raises(ErasedError) as refused:
            await transaction.insert(place.producer, place.epoch, sealed, {})
    assert refused.value.subjects == {anna}


@pytest.mark.clause("P14")
async def test_an_append_that_is_under_way_is_erased_too(world: World) -> None:
    """Whichever commits first: an erasure that begins beside appends leaves no body behind."""
    anna = world.ids.new("usr")
    await world.keyring.get_or_create(anna)

    async def produce(producer: str) -> None:
        for _ in range(6):
            await world.append(world.event(anna), world.event(anna), producer=producer)

    await asyncio.gather(*(produce(f"p{number}") for number in range(4)), world.eraser().erase(anna))
    assert not any(kept.sealed for kept in await world.records.page(anna, None, 100))
    assert len(await world.erasures.security(anna, None, 100)) == 48


async def always() -> bool:
    return True


@pytest.fixture(params=["directory", "s3"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ColdStore]:
    if request.param == "directory":
        yield ColdDirectory(tmp_path / "cold")
        return
    endpoint = request.getfixturevalue("s3_endpoint")
    client = boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name=endpoint.region,
        config=ClientConfig(s3={"addressing_style": "path"}),
    )
    made = ColdS3(client, endpoint.bucket, "log/")
    yield made
    await made.close()


async def test_a_cold_object_is_replaced_returned_and_deleted(store: ColdStore) -> None:
    assert await store.get(70_000) is None
    await store.put(70_000, b"one")
    await store.put(70_000, b"two")
    assert await store.get(70_000) == b"two"
    assert await store.get(7) is None
    await store.delete(70_000)
    await store.delete(70_000)
    assert await store.get(70_000) is None


@pytest.mark.clause("P5", "P14")
async def test_bodies_get_cold_are_over_and_stay_while_they_are_held(world: World) -> None:
    anna, bo, cid = (world.ids.new("usr") for _ in range(3))
    await world.fill(100, anna)
    await world.fill(100, bo)
    await world.fill(100, cid)
    await world.sign()
    world.clock.advance(100 * 86400.0)
    await world.sweeper().sweep(always)
    assert await world.sweeps.cold_period(0) is not None
    assert len((await world.activity.page(anna, 200, "")).shown) == 100
    async with world.database.write() as connection:
        order = Order(anna, None, Cause.LITIGATION, secret=False)
        hold = await Holds(world.holds, world.clock, world.ids).place(HoldsIn(connection), order, "greta")
    blocked = (await world.eraser().erase(anna)).blocked
    assert [(item.kind, item.count) for item in blocked] == [("event", 100)]
    world.clock.advance(300 * 86400.0)
    _, preview = await world.sweeper(RetentionConfig(prune=True)).preview()
    assert (preview.expired_entries, preview.held_entries) == (256, 100)
    await world.sweeper(RetentionConfig(prune=True)).sweep(always)
    assert (await world.sweeps.state()).minimum == 0
    assert len((await world.reader().page(anna, None, 200))[0]) == 100
    assert (await world.activity.page(bo, 200, "")).shown == []
    async with world.database.write() as connection:
        await Holds(world.holds, world.clock, world.ids).release(HoldsIn(connection), hold.hold_id, "greta")
    assert await world.releaser().step() == 1
    await world.sweeper(RetentionConfig(prune=True)).sweep(always)
    assert (await world.sweeps.state()).minimum == 256
    assert (await world.reader().page(anna, None, 200))[0] == []
    assert len((await world.activity.page(cid, 200, "")).shown) == 44
