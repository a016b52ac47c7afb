"""The live checks: kept while the promises are, broken as soon as one is not, with no probe account."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, update

from services.auth import tables
from services.auth.checks import (
    LONGEST_IDLE,
    PASSWORD_PARAMETERS,
    REVOKED_VALIDATE,
    WITHOUT_CONSENT,
    Checks,
    ChecksConfig,
)
from services.auth.sessions import Session, Sessions
from services.auth.sql_times import microseconds
from tests.unit.auth.world import World


class Lenient(Sessions):
    """Validation with a fault: it lets sessions idle for an hour."""

    def alive(self, session: Session, now: datetime) -> bool:
        return session.ended is None and now < session.active + timedelta(hours=1)


def checks(world: World, sessions: Sessions | None = None) -> Checks:
    return Checks(
        world.units, sessions or world.sessions, world.pepper, world.clock, ChecksConfig(), lambda: 0.5,
        world.failures.append,
    )  # fmt: skip


async def results(world: World) -> dict[str, tuple[str, int]]:
    events = [event for event in await world.events() if event.action == "practice.check"]
    assert all(event.object.kind == "practice" and not event.subject for event in events)
    return {event.object.id: (event.details.state, event.details.count) for event in events[-4:]}


async def test_all_are_kept_in_ordinary_life(world: World) -> None:
    await world.member()
    opened = await world.sign_in()
    async with world.units.write() as store:
        await world.sessions.end(store.sessions, store.revocations, opened.session.session_id)
    await world.sign_in()
    world.clock.advance(3600)
    await checks(world).step()
    assert await results(world) == {
        PASSWORD_PARAMETERS: ("kept", 0),
        LONGEST_IDLE: ("kept", 0),
        REVOKED_VALIDATE: ("kept", 0),
        WITHOUT_CONSENT: ("kept", 0),
    }


@pytest.mark.clause("P6")
@pytest.mark.parametrize(
    "values", [{"parameters": "$argon2id$v=19$m=4096,t=2,p=1"}, {"parameters": "$2b$10"}, {"pepper": "lost"}]
)
async def test_a_weak_hash_or_a_lost_pepper_breaks_the_first(world: World, values: dict[str, str]) -> None:
    await world.member()
    async with world.database.write() as connection:
        await connection.execute(update(tables.passwords).values(values))
    await checks(world).step()
    assert (await results(world))[PASSWORD_PARAMETERS] == ("broken", 1)


@pytest.mark.clause("P7")
async def test_validation_that_lets_sessions_idle_too_long_breaks_the_second(world: World) -> None:
    await world.member()
    await world.sign_in()
    await world.sign_in()
    faulty = Lenient(world.sessions._limits, world.clock, world.ids, world.random.randbytes, world.activity)
    world.clock.advance(1799.999)
    await checks(world, faulty).step()
    assert (await results(world))[LONGEST_IDLE] == ("kept", 0)
    world.clock.advance(0.001)
    await checks(world, faulty).step()
    assert (await results(world))[LONGEST_IDLE] == ("broken", 2)


@pytest.mark.clause("P8")
async def test_a_revoked_session_that_could_validate_breaks_the_third(world: World) -> None:
    await world.member()
    opened = await world.sign_in()
    async with world.database.write() as connection:
        now = microseconds(world.clock.now())
        await connection.execute(
            insert(tables.revocations).values(sequence=9, session_id=opened.session.session_id, revoked_us=now)
        )
    await checks(world).step()
    assert (await results(world))[REVOKED_VALIDATE] == ("broken", 1)


@pytest.mark.clause("P10")
@pytest.mark.parametrize("consented, found", [(None, 1), (3, 1), (2, 0), (1, 0)])
async def test_a_link_connected_before_consent_breaks_the_fourth(
    world: World, consented: int | None, found: int
) -> None:
    texts = dict.fromkeys(("provider", "purpose", "version", "roles", "used_for", "kept_text", "kept_for"), "x")
    times = {"created_us": 1, "connected_us": 2, "consented_us": consented}
    async with world.database.write() as connection:
        await connection.execute(
            insert(tables.links).values(link_id="lnk_1", account_id="usr_1", locale="en", **texts, **times)
        )
    await checks(world).step()
    assert (await results(world))[WITHOUT_CONSENT] == (("broken" if found else "kept"), found)


async def test_more_sessions_than_a_page_are_all_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.auth.checks._PAGE", 2)
    await world.member()
    for _ in range(5):
        await world.sign_in()
    world.clock.advance(1800)
    faulty = Lenient(world.sessions._limits, world.clock, world.ids, world.random.randbytes, world.activity)
    assert await checks(world, faulty).sessions_idle_too_long() == 5
