"""What a legal hold keeps, from whom, and for how long."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.audit import erasure
from services.audit.retention import release
from services.audit.retention.holds import Cause, Hold, Holds, Order, Span, covering
from services.audit.retention.security import SecurityRecord
from services.audit.retention.sql_holds import HoldsIn, SqlHolds
from services.audit.retention.upkeep import Upkeep
from services.audit.sql_lease import RETENTION, SqlLease
from services.audit.tables import HELD
from services.kit.faults import Fault
from services.kit.telemetry import Log
from tests.unit.audit.fuse import Fuse, PowerCutError
from tests.unit.audit.world import World, make_world
from valv.audit.v1 import event_pb2


async def place(
    world: World, subject: str = "", span: Span | None = None, cause: Cause = Cause.LITIGATION, *, secret: bool = False
) -> Hold:
    holds = Holds(world.holds, world.clock, world.ids)
    async with world.database.write() as connection:
        return await holds.place(HoldsIn(connection), Order(subject, span, cause, secret), "greta")


async def let_go(world: World, hold: Hold) -> None:
    """Release the hold; what only it kept stays until the releaser's next step."""
    async with world.database.write() as connection:
        await Holds(world.holds, world.clock, world.ids).release(HoldsIn(connection), hold.hold_id, "greta")


async def remains(world: World, subject: str) -> list[SecurityRecord]:
    return (await world.reader().page(subject, None, 200))[0][::-1]


async def held_rows(world: World) -> int:
    async with world.database.read() as connection:
        return len((await connection.execute(select(HELD.c.idx))).all())


async def recorded(world: World, action: str) -> list[event_pb2.Event]:
    async with world.database.read() as connection:
        rows = (await connection.execute(select(world.outbox.table.c.event))).scalars()
        events = [event_pb2.Event.FromString(row) for row in rows]
    return [event for event in events if event.action == action]


@pytest.fixture
def anna(world: World) -> str:
    return world.ids.new("usr")


def soon(world: World, **more: float) -> datetime:
    return world.clock.now() + timedelta(**more)


async def test_a_hold_covers_a_person_or_a_time(world: World, anna: str) -> None:
    now = world.clock.now()
    person = await place(world, anna)
    assert person.covers(anna, now)
    assert not person.covers(world.ids.new("usr"), now)
    time = await place(world, span=Span(now, soon(world, days=1)))
    assert [time.covers(who, now + timedelta(days=days)) for who in ("", anna) for days in (-1, 0, 1)] == [
        False, True, False, False, True, False
    ]  # fmt: skip
    assert (await place(world, span=Span(now, None))).covers("", soon(world, days=9999))
    assert covering([person, time], anna, now) == person
    assert covering([person, time], "", now) == time
    assert covering([], anna, now) is None


@pytest.mark.parametrize("over", ["both", "neither", "backwards"])
async def test_a_hold_covers_one_thing(world: World, anna: str, over: str) -> None:
    now = world.clock.now()
    subject, span = {
        "both": (anna, Span(now, None)),
        "neither": ("", None),
        "backwards": ("", Span(now, now)),
    }[over]
    with pytest.raises(Fault, match="INVALID_ARGUMENT"):
        await place(world, subject, span)
    assert await world.holds.active() == []


async def test_only_an_authoritys_order_can_be_secret(world: World, anna: str) -> None:
    for cause in (Cause.LITIGATION, Cause.INVESTIGATION):
        with pytest.raises(Fault, match="INVALID_ARGUMENT"):
            await place(world, anna, cause=cause, secret=True)
    assert (await place(world, anna, cause=Cause.AUTHORITY, secret=True)).secret


async def test_holds_are_listed_page_by_page_and_released_once(world: World, anna: str) -> None:
    holds = Holds(world.holds, world.clock, world.ids)
    placed = []
    for _ in range(3):
        world.clock.advance(0.01)
        placed.append(await place(world, anna))
    first, token = await holds.page("", 2, released=False)
    rest, end = await holds.page(token, 2, released=False)
    assert ([*first, *rest], end) == (placed, "")
    await let_go(world, placed[1])
    assert (await holds.page("", 0, released=False))[0] == [placed[0], placed[2]]
    (shown,) = [hold for hold in (await holds.page("", 0, released=True))[0] if hold.released is not None]
    assert (shown.hold_id, shown.released_by, shown.released) == (placed[1].hold_id, "greta", world.clock.now())
    for size in (-1, 201):
        with pytest.raises(Fault, match="INVALID_ARGUMENT"):
            await holds.page("", size, released=False)
    with pytest.raises(Fault, match="HOLD_RELEASED"):
        await let_go(world, placed[1])
    async with world.database.write() as connection:
        with pytest.raises(Fault, match="NOT_FOUND"):
            await holds.release(HoldsIn(connection), world.ids.new("hol"), "greta")


@pytest.mark.clause("P5", "P14")
async def test_an_erasure_leaves_what_a_hold_covers_whole_and_nothing_else(world: World, anna: str) -> None:
    (before,) = await world.fill(1, anna)
    world.clock.advance(60)
    hold = await place(world, span=Span(world.clock.now(), None))
    (covered,) = await world.fill(1, anna)
    await world.sign()
    world.clock.advance(1)
    opening = await world.bodies.open((await world.records.page(anna, None, 1))[0])
    erased = await world.eraser().erase(anna)
    assert [(item.kind, item.count, item.cause) for item in erased.blocked] == [("event", 1, "legal_hold")]
    assert await world.keyring.get(anna) is None
    reduced, whole = await remains(world, anna)
    assert (reduced.event.id, reduced.held) == (before.id, False)
    assert (whole.event, whole.held) == (covered, True)
    (row,) = await world.holds.held(hold.hold_id, 10)
    assert await world.held.open(row.held, row.event_id) == opening, "with its salt: it still proves its leaf"
    assert (await world.activity.page(anna, 0, "")).shown == []


@pytest.mark.clause("P14")
async def test_the_release_reduces_what_the_hold_kept(world: World, anna: str) -> None:
    events = await world.fill(5, anna)
    hold = await place(world, anna)
    await world.eraser().erase(anna)
    assert all(each.held for each in await remains(world, anna))
    await let_go(world, hold)
    assert await world.releaser().step() == 1
    assert await held_rows(world) == 0
    assert await world.hold_keys.get(hold.hold_id) is None
    after = await remains(world, anna)
    assert [each.event.id for each in after] == [event.id for event in events]
    assert not any(each.held for each in after)
    (entry,) = await recorded(world, "audit.hold.clear")
    assert (entry.object.id, entry.details.count, entry.subject) == (hold.hold_id, 5, "")
    assert await world.releaser().step() == 0


async def test_what_two_holds_cover_stays_until_both_are_released(world: World, anna: str) -> None:
    await world.fill(3, anna)
    first = await place(world, anna)
    await world.eraser().erase(anna)
    second = await place(world, span=Span(world.clock.now() - timedelta(days=1), None))
    await let_go(world, first)
    await world.releaser().step()
    assert await world.hold_keys.get(first.hold_id) is None
    assert [each.held for each in await remains(world, anna)] == [True] * 3
    await let_go(world, second)
    await world.releaser().step()
    assert [each.held for each in await remains(world, anna)] == [False] * 3
    assert [entry.details.count for entry in await recorded(world, "audit.hold.clear")] == [0, 3]


async def test_a_secret_hold_keeps_and_tells_nobody(world: World, anna: str) -> None:
    await world.fill(2, anna)
    await place(world, anna, cause=Cause.AUTHORITY, secret=True)
    erased = await world.eraser().erase(anna)
    assert erased.blocked == []
    assert [each.held for each in await remains(world, anna)] == [True] * 2


async def test_a_hold_that_is_placed_while_a_page_is_reduced_is_obeyed(world: World, anna: str) -> None:
    await world.fill(2, anna)

    class Late(SqlHolds):
        asked = 0

        async def active(self) -> list[Hold]:
            found = await super().active()
            self.asked += 1
            if self.asked == 1:
                await place(world, anna)
            return found

    world.holds = Late(world.database, None)  # type: ignore[arg-type]  # nothing is recorded here
    await world.eraser().erase(anna)
    assert [each.held for each in await remains(world, anna)] == [True] * 2


async def test_a_hold_that_ends_while_a_page_is_reduced_leaves_nothing_under_its_key(world: World, anna: str) -> None:
    await world.fill(2, anna)
    hold = await place(world, anna)
    stale = world.holds

    class Ended(SqlHolds):
        asked = 0

        async def active(self) -> list[Hold]:
            found = await super().active()
            self.asked += 1
            if self.asked == 1:
                await let_go(world, hold)
                await stale_releaser.step()
            return found

    stale_releaser = world.releaser(stale)
    world.holds = Ended(world.database, None)  # type: ignore[arg-type]  # nothing is recorded here
    await world.eraser().erase(anna)
    assert [each.held for each in await remains(world, anna)] == [False] * 2
    assert await held_rows(world) == 0


@pytest.mark.clause("P14")
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(erasing=st.lists(st.integers(0, 20), max_size=3), releasing=st.lists(st.integers(0, 20), max_size=3))
def test_killed_anywhere_a_hold_keeps_all_it_covers_and_its_end_lets_go_of_all(
    migrated: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    erasing: list[int],
    releasing: list[int],
) -> None:
    monkeypatch.setattr(erasure, "PAGE", 3)
    monkeypatch.setattr(release, "PAGE", 2)

    async def scenario() -> None:
        folder = shutil.copytree(migrated, tmp_path_factory.mktemp("cut") / "audit")
        async with make_world(folder) as world:
            await _hold_with_cuts(world, erasing, releasing)

    asyncio.run(scenario())


async def _hold_with_cuts(world: World, erasing: list[int], releasing: list[int]) -> None:
    anna = world.ids.new("usr")
    events = [event.id for event in await world.fill(7, anna)]
    first, second = await place(world, anna), await place(world, span=Span(soon(world, days=-1), soon(world, days=1)))
    await _with_cuts(
        erasing, lambda fuse: world.eraser(fuse.guard(world.erasures), fuse.guard(world.keyring)).erase(anna)
    )
    await world.eraser().erase(anna)
    for hold, left in ((first, True), (second, False)):
        await let_go(world, hold)
        await _with_cuts(
            releasing, lambda fuse: world.releaser(fuse.guard(world.holds), fuse.guard(world.hold_keys)).step()
        )
        if left:
            assert all(each.held for each in await remains(world, anna))
        await world.releaser().step()
        assert [(each.event.id, each.held) for each in await remains(world, anna)] == [(id_, left) for id_ in events]
        assert await world.hold_keys.get(hold.hold_id) is None
    assert await held_rows(world) == 0
    assert [entry.details.count for entry in await recorded(world, "audit.hold.clear")] == [0, 7]


async def _with_cuts(cuts: list[int], work: Any) -> None:
    for cut in cuts:
        try:
            await work(Fuse(cut))
        except PowerCutError:
            continue


async def test_one_replica_at_a_time_lets_go(world: World, anna: str) -> None:
    await let_go(world, await place(world, anna))
    leases = [SqlLease(world.database, world.clock, world.ids.new("hld"), RETENTION) for _ in "12"]
    first, second = (Upkeep(lease, world.releaser(), world.sweeper(), timedelta, Log("test")) for lease in leases)
    assert await leases[0].hold() is not None
    await second.step()
    assert len(await world.holds.uncleared()) == 1
    await first.step()
    assert await world.holds.uncleared() == []
