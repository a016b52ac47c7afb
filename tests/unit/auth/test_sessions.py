"""When a session lives and ends, to the microsecond, whatever its store of activity forgets."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.auth import tables
from services.auth.accounts import Account
from services.auth.sessions import ActivityLost, Limits, Opened
from services.kit.faults import SESSION_ENDED, Fault
from services.kit.secret import Secret
from tests.unit.auth.world import World, sha256, world_in

ACCOUNT = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9"


class Forgetful:
    """A store of activity that is lost, or empty again, at will."""

    beside_sessions = False

    def __init__(self) -> None:
        self.times: dict[str, datetime] = {}
        self.away = False

    async def touch(self, session_id: str, now: datetime) -> None:
        if self.away:
            raise ActivityLost
        self.times[session_id] = now

    async def last(self, session_id: str) -> datetime | None:
        if self.away:
            raise ActivityLost
        return self.times.get(session_id)


async def opened(world: World) -> Opened:
    async with world.units.write() as store:
        account = Account(ACCOUNT, "anna@example.com", "anna@example.com", "en", world.clock.now())
        await store.accounts.ensure(account)
        return await world.sessions.open(store.sessions, ACCOUNT, ("pwd",))


async def alive(world: World, token: Secret) -> bool:
    try:
        await world.sessions.find(world.units, token)
    except Fault as fault:
        reason = fault.reason
    else:
        return True
    assert reason is SESSION_ENDED
    return False


async def touch(world: World, token: Secret) -> bool:
    try:
        await world.sessions.touch(await world.sessions.find(world.units, token))
    except Fault:
        return False
    return True


@pytest.mark.clause("P7", "ASVS 7.3.1", "NIST 800-63B-4 2.2.3")
async def test_idle_it_lives_up_to_1800_seconds_and_not_a_microsecond_more(world: World) -> None:
    token = (await opened(world)).token
    world.clock.advance(1799.999)
    assert await alive(world, token)
    world.clock.advance(0.000999)
    assert await alive(world, token)
    world.clock.advance(0.000001)
    assert not await alive(world, token)


@pytest.mark.clause("P7")
async def test_activity_gives_it_another_1800_seconds(world: World) -> None:
    token = (await opened(world)).token
    world.clock.advance(1799.999)
    assert await touch(world, token)
    world.clock.advance(1799.999)
    assert await alive(world, token)
    world.clock.advance(0.001)
    assert not await alive(world, token)
    assert not await touch(world, token)


async def test_being_looked_at_is_no_activity(world: World) -> None:
    token = (await opened(world)).token
    for _ in range(3):
        world.clock.advance(599.9)
        assert await alive(world, token)
    world.clock.advance(0.3)
    assert not await alive(world, token)


@pytest.mark.clause("ASVS 7.3.2", "NIST 800-63B-4 2.2.3")
async def test_it_ends_twelve_hours_after_the_sign_in_however_active(world: World) -> None:
    token = (await opened(world)).token
    for _ in range(28):
        world.clock.advance(1500)
        assert await touch(world, token)
    world.clock.advance(1199.999)
    assert await touch(world, token)
    world.clock.advance(0.001)
    assert not await alive(world, token)


@pytest.mark.clause("P8", "ASVS 7.4.1")
async def test_ended_it_stays_ended_and_every_service_gets_one_row(world: World) -> None:
    made = await opened(world)
    for expected in (True, False):
        async with world.units.write() as store:
            ended = await world.sessions.end(store.sessions, store.revocations, made.session.session_id)
        assert ended is expected
    assert not await alive(world, made.token)
    async with world.units.read() as store:
        rows = await store.revocations.since(0, 10)
    assert [(row.sequence, row.session_id) for row in rows] == [(1, made.session.session_id)]


@pytest.mark.clause("ASVS 7.2.3", "NIST 800-63B-4 5.1")
async def test_a_token_has_256_random_bits_and_is_stored_as_a_hash_only(world: World) -> None:
    made = await opened(world)
    assert len(made.token.text()) == len("vst_") + 43
    assert made.token.text() not in repr(made)
    async with world.database.read() as connection:
        row = (await connection.execute(select(tables.sessions))).one()
    assert row.token_hash == sha256(made.token.text())


@pytest.mark.parametrize("text", ["vst_", "vst_" + "A" * 43, "x" * 4096, "vst_" + "å" * 43, "{token} ", "{token}="])
async def test_what_is_not_a_token_finds_nothing(world: World, text: str) -> None:
    made = await opened(world)
    assert not await alive(world, Secret(text.replace("{token}", made.token.text())))


async def test_a_touch_that_comes_too_late_changes_nothing(world: World) -> None:
    made = await opened(world)
    world.clock.advance(1800)
    with pytest.raises(Fault) as refused:
        await world.sessions.touch(made.session)
    assert refused.value.reason is SESSION_ENDED
    assert not await alive(world, made.token)


async def test_racing_touches_and_an_end_leave_it_ended(world: World) -> None:
    made = await opened(world)

    async def end() -> None:
        async with world.units.write() as store:
            await world.sessions.end(store.sessions, store.revocations, made.session.session_id)

    await asyncio.gather(*(touch(world, made.token) for _ in range(12)), end(), touch(world, made.token))
    assert not await alive(world, made.token)


async def test_when_activity_cannot_be_recorded_it_ends_earlier_never_later(tmp_path: Path) -> None:
    store = Forgetful()
    async with world_in(tmp_path, store) as world:
        token = (await opened(world)).token
        world.clock.advance(1000)
        assert await touch(world, token)
        store.away = True
        assert await touch(world, token)  # admitted, not recorded
        world.clock.advance(799.999)
        assert await alive(world, token)
        world.clock.advance(0.001)
        assert not await alive(world, token)
        store.away = False
        assert await alive(world, token)  # what was recorded counts again
        world.clock.advance(1000)
        assert not await alive(world, token)


async def test_activity_in_the_future_counts_as_now(tmp_path: Path) -> None:
    store = Forgetful()
    async with world_in(tmp_path, store) as world:
        made = await opened(world)
        store.times[made.session.session_id] = world.clock.now() + timedelta(hours=3)
        session = await world.sessions.find(world.units, made.token)
        assert world.sessions.ends(session) == world.clock.now() + timedelta(seconds=1800)


@pytest.mark.parametrize("limits", [{"idle": 1801}, {"idle": 0}, {"absolute": 43201}, {"absolute": 0}])
def test_limits_can_be_shorter_than_promised_never_longer(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1800 seconds"):
        Limits(**{name: timedelta(seconds=seconds) for name, seconds in limits.items()})


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.floats(0, 2000, allow_nan=False)),
        st.tuples(st.sampled_from(["touch", "look", "lose", "find again", "forget"]), st.just(0.0)),
        st.tuples(st.just("end"), st.just(0.0)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_it_never_lives_longer_than_its_recorded_activity_allows(steps: list[tuple[str, float]]) -> None:
    """Whatever happens in whatever order: alive implies less than 1800 s idle, less than 12 h old, and not ended."""
    asyncio.run(_walk(steps))


async def _walk(steps: list[tuple[str, float]]) -> None:
    store = Forgetful()
    with TemporaryDirectory() as folder:
        async with world_in(Path(folder), store) as world:
            made = await opened(world)
            begun = last = world.clock.now()
            ended = perfect = False
            perfect = True
            for step, seconds in steps:
                if step == "advance":
                    world.clock.advance(seconds)
                elif step in ("lose", "find again"):
                    store.away, perfect = step == "lose", False
                elif step == "forget":
                    store.times.clear()
                    perfect = False
                elif step == "end":
                    async with world.units.write() as writing:
                        await world.sessions.end(writing.sessions, writing.revocations, made.session.session_id)
                    ended = True
                now = world.clock.now()
                may = not ended and now - last < timedelta(seconds=1800) and now - begun < timedelta(hours=12)
                does = await (touch if step == "touch" else alive)(world, made.token)
                assert may or not does
                assert does or not (may and perfect)
                last = now if step == "touch" and does else last
