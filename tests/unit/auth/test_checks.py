"""The live checks: kept while the promises are, broken as soon as one is not, with no probe account."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, update

from services.auth import tables
from services.auth.checks import AccountChecks
from services.auth.courier import Undelivered
from services.auth.sessions import Session, Sessions
from services.auth.sql_times import microseconds
from services.kit.envelope import seal
from services.kit.practices import PRACTICES
from tests.unit.auth.world import World

OWN = {f"auth.{what}" for what in (
    "listeners", "policies", "clock", "outbox", "statement", "certificate_days", "secrets_in_log", "secrets_in_store",
    "card_numbers_in_log", "card_numbers_in_store",
)}  # fmt: skip
"""What every service checks."""


class Lenient(Sessions):
    """Validation with a fault: it lets sessions idle for an hour."""

    def alive(self, session: Session, now: datetime) -> bool:
        return session.ended is None and now < session.active + timedelta(hours=1)


def checks(world: World, sessions: Sessions | None = None) -> AccountChecks:
    return AccountChecks(world.units, sessions or world.sessions, world.pepper, world.clock)


async def test_all_are_kept_in_ordinary_life(world: World) -> None:
    await world.member()
    opened = await world.sign_in()
    async with world.units.write() as store:
        await world.sessions.end(store.sessions, store.revocations, opened.session.session_id)
    await world.sign_in()
    await world.courier.step()
    world.clock.advance(3600)
    found = {check.name: await check.measure() for check in checks(world).all()}
    assert all(PRACTICES[name].holds(measured, PRACTICES[name].threshold) for name, measured in found.items())
    assert set(found) == {name for name in PRACTICES if name.startswith("auth.")} - OWN


@pytest.mark.clause("P6")
@pytest.mark.parametrize(
    "values", [{"parameters": "$argon2id$v=19$m=4096,t=2,p=1"}, {"parameters": "$2b$10"}, {"pepper": "lost"}]
)
async def test_a_weak_hash_or_a_lost_pepper_breaks_the_first(world: World, values: dict[str, str]) -> None:
    await world.member()
    async with world.database.write() as connection:
        await connection.execute(update(tables.passwords).values(values))
    assert await checks(world).passwords_below_floor() == 1


@pytest.mark.clause("P7")
async def test_validation_that_lets_sessions_idle_too_long_breaks_the_second(world: World) -> None:
    await world.member()
    await world.sign_in()
    await world.sign_in()
    faulty = Lenient(world.sessions._limits, world.clock, world.ids, world.random.randbytes, world.activity)
    world.clock.advance(1799.999)
    assert await checks(world, faulty).sessions_idle_too_long() == 0
    world.clock.advance(0.001)
    assert await checks(world, faulty).sessions_idle_too_long() == 2


@pytest.mark.clause("P8")
async def test_a_revoked_session_that_could_validate_breaks_the_third(world: World) -> None:
    await world.member()
    opened = await world.sign_in()
    async with world.database.write() as connection:
        now = microseconds(world.clock.now())
        await connection.execute(
            insert(tables.revocations).values(sequence=9, session_id=opened.session.session_id, revoked_us=now)
        )
    assert await checks(world).revoked_sessions() == 1


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
    assert await checks(world).links_without_consent() == found


@pytest.mark.clause("P10")
@pytest.mark.parametrize("token, found", [(b'{"token": "abc", "scheme": "Bearer"}', 2), (None, 0)])
async def test_a_token_of_a_third_party_that_is_not_sealed_breaks_the_fifth(
    world: World, token: bytes | None, found: int
) -> None:
    kept = token or seal(bytes(32), b"abc", b"")
    texts = dict.fromkeys(("provider", "purpose", "version", "roles", "used_for", "kept_text", "kept_for"), "x")
    async with world.database.write() as connection:
        await connection.execute(
            insert(tables.links).values(
                link_id="lnk_1", account_id="usr_1", locale="en", created_us=1, sealed=kept, **texts
            )
        )
        await connection.execute(
            insert(tables.link_revocations).values(
                revocation_id="rev_1", link_id="lnk_1", account_id="usr_1", provider="x", sealed=kept,
                due_us=1, ends_us=2, attempts=0,
            )
        )  # fmt: skip
    assert await checks(world).tokens_unsealed() == found


@pytest.mark.clause("P9")
async def test_mail_that_nobody_takes_breaks_the_sixth(world: World) -> None:
    world.server.refusal = Undelivered(for_good=False)
    await world.sign_up()
    world.clock.advance(15 * 60 + 59)
    await world.courier.step()
    assert await checks(world).mail_waiting() == 15
    world.clock.advance(1)
    assert await checks(world).mail_waiting() == 16


async def test_more_sessions_than_a_page_are_all_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.auth.checks._PAGE", 2)
    await world.member()
    for _ in range(5):
        await world.sign_in()
    world.clock.advance(1800)
    faulty = Lenient(world.sessions._limits, world.clock, world.ids, world.random.randbytes, world.activity)
    assert await checks(world, faulty).sessions_idle_too_long() == 5
