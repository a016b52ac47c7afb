"""Publishing: record first, then push; go back when refused; never push what is not recorded."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from services.gateway.composition import Composer, Inputs
from services.gateway.ledger import PUSHED, ROLLED_BACK, Ledger
from services.gateway.publisher import Publisher
from services.gateway.xds.ads import Ads, RefusedError
from services.gateway.xds.snapshot import Snapshot
from services.kit.faults import Fault
from services.kit.secret import Secret
from services.kit.shipping import Away
from services.kit.telemetry import Log

PARTS = {"jwks": "1", "endpoints": {}, "chain": b"", "key": Secret("k")}


class Room:
    """Composer, discovery and ledger in one, writing down in which order they are used."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.snapshot: Snapshot | None = None
        self.away = False
        self.refuse: set[str] = set()

    def compose(self, inputs: Inputs) -> Snapshot:
        return Snapshot({}, {}, inputs.jwks)

    async def record(self, action: str, digest: str) -> None:
        if self.away:
            raise Away
        self.told.append(f"{action} {digest}")

    async def push(self, snapshot: Snapshot) -> None:
        self.told.append(f"push {snapshot.digest}")
        if snapshot.digest in self.refuse:
            raise RefusedError("Listener")
        self.snapshot = snapshot


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.fixture
def publisher(room: Room) -> Publisher:
    return Publisher(cast("Composer", room), cast("Ads", room), cast("Ledger", room), Log("test"))


async def test_a_configuration_is_recorded_before_it_is_pushed(room: Room, publisher: Publisher) -> None:
    publisher.offer(**PARTS)
    await publisher.publish()
    assert room.told == [f"{PUSHED} 1", "push 1"]
    await publisher.ready()


async def test_what_cannot_be_recorded_is_not_pushed(room: Room, publisher: Publisher) -> None:
    room.away = True
    publisher.offer(**PARTS)
    with pytest.raises(Away):
        await publisher.publish()
    assert room.told == []
    with pytest.raises(Fault):
        await publisher.ready()


async def test_the_same_configuration_is_pushed_once(room: Room, publisher: Publisher) -> None:
    publisher.offer(**PARTS)
    await publisher.publish()
    await publisher.publish()
    assert len(room.told) == 2


async def test_a_refusal_is_recorded_and_not_tried_again(room: Room, publisher: Publisher) -> None:
    room.refuse = {"1"}
    publisher.offer(**PARTS)
    await publisher.publish()
    await publisher.publish()
    assert room.told == [f"{PUSHED} 1", "push 1", f"{ROLLED_BACK} 1"]


async def test_it_waits_for_every_input_and_tries_again_until_recorded(room: Room, publisher: Publisher) -> None:
    room.away = True
    task = asyncio.create_task(publisher.run())
    try:
        publisher.offer(jwks="2")
        await asyncio.sleep(0.05)
        assert room.told == []
        publisher.offer(**{**PARTS, "jwks": "2"})
        await asyncio.sleep(0.1)
        assert room.told == []
        room.away = False
        async with asyncio.timeout(5):
            while room.snapshot is None:  # noqa: ASYNC110 - the room has no event of its own
                await asyncio.sleep(0.02)
        assert room.told == [f"{PUSHED} 2", "push 2"]
    finally:
        task.cancel()
