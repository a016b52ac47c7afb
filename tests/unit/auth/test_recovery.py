"""Getting back in by mail: what strangers learn, what ends, what the second factor loses (nothing), who wins a race."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from services.auth import email_address, tables
from services.auth.arrivals import Visitor
from services.auth.errors import BAD_CREDENTIALS, PASSWORD_TOO_SHORT, THROTTLED, TOKEN_NOT_VALID
from services.auth.throttle_rules import DEFAULT, Limit, Rule, Rules
from services.kit.config import load
from services.kit.faults import SESSION_ENDED, Fault
from services.kit.secret import Secret
from tests.unit.auth.world import EMAIL, HOME, PASSWORD, Trail, World, world_in

NEW = "another lighthouse, another keeper"
NEWEST = "the third keeper reads by candle"


async def mails(world: World) -> list[tuple[str, str]]:
    world.server.taken.clear()
    while await world.courier.step():
        pass
    return sorted((str(mail["To"]), str(mail["Subject"])) for mail in world.server.taken)


async def alive(world: World, token: Secret) -> bool:
    try:
        await world.sessions.find(world.units, token)
    except Fault as fault:
        reason = fault.reason
    else:
        return True
    assert reason is SESSION_ENDED
    return False


async def recover(world: World, email: str = EMAIL, home: str = HOME, device: Secret | None = None) -> str:
    trail = Trail()
    async with world.work() as work:
        await world.changes.recover(work, trail, email_address.parse(email), Visitor(home, "curl", device))
    return trail.subject


async def reset(world: World, token: str, new: str = NEW) -> str:
    trail = Trail()
    async with world.work() as work:
        await world.changes.reset(work, trail, Secret(token), Secret(new))
    return trail.subject


async def refusal(call: Awaitable[object]) -> Fault:
    with pytest.raises(Fault) as refused:
        await call
    return refused.value


@pytest.mark.clause("ASVS 6.4.3", "ASVS 6.3.7")
async def test_a_recovery_link_sets_a_password_ends_all_sessions_and_opens_none(world: World) -> None:
    account = await world.member()
    mine = [await world.sign_in() for _ in range(2)]
    await mails(world)
    assert await recover(world) == account
    token = await world.mailed_token()
    assert await reset(world, token) == account
    assert not any([await alive(world, one.token) for one in mine])
    async with world.units.read() as store:
        assert await store.sessions.open_of(account, world.clock.now()) == []
    assert (await refusal(world.sign_in())).reason is BAD_CREDENTIALS
    await world.sign_in(password=NEW)
    assert (EMAIL, "Your password was replaced") in await mails(world)


async def test_a_recovery_link_works_once_and_names_the_page_in_both_parts(world: World) -> None:
    await world.member()
    await recover(world)
    token = await world.mailed_token()
    for kind in ("plain", "html"):
        part = world.server.taken[-1].get_body((kind,))
        assert part is not None
        assert f"/reset#token={token}" in part.get_content()
    await reset(world, token)
    assert (await refusal(reset(world, token, NEWEST))).reason is TOKEN_NOT_VALID
    await world.sign_in(password=NEW)


@pytest.mark.clause("NIST 800-63B-4 4.2.1")
@pytest.mark.parametrize("seconds, good", [(3599.999, True), (3600.0, False)])
async def test_a_recovery_link_lives_an_hour_from_when_it_was_sent(world: World, seconds: float, *, good: bool) -> None:
    await world.member()
    await recover(world)
    world.clock.advance(7200)  # the mail waited
    token = await world.mailed_token()
    world.clock.advance(seconds)
    if good:
        await reset(world, token)
    else:
        assert (await refusal(reset(world, token))).reason is TOKEN_NOT_VALID


@pytest.mark.parametrize("token", ["", "vmt_", "vmt_" + "A" * 43, "vst_" + "A" * 43, "å" * 47])
async def test_what_is_no_token_resets_nothing(world: World, token: str) -> None:
    await world.member()
    with pytest.raises((Fault, ValueError)):
        await reset(world, token)
    await world.sign_in()


async def test_a_confirmation_link_recovers_nothing_and_the_other_way_round(world: World) -> None:
    await world.sign_up()
    confirmation = await world.mailed_token()
    assert (await refusal(reset(world, confirmation))).reason is TOKEN_NOT_VALID
    await world.confirm(confirmation)
    await recover(world)
    recovery = await world.mailed_token()
    assert (await refusal(world.confirm(recovery))).reason is TOKEN_NOT_VALID
    await reset(world, recovery)


async def test_a_refused_password_does_not_use_the_link_up(world: World) -> None:
    await world.member()
    await recover(world)
    token = await world.mailed_token()
    assert (await refusal(reset(world, token, "short"))).reason is PASSWORD_TOO_SHORT
    await reset(world, token)


@pytest.mark.parametrize("by", ["reset", "change"])
async def test_a_new_password_voids_the_links_mailed_before(world: World, by: str) -> None:
    account = await world.member()
    tokens = []
    for _ in range(2):
        await recover(world)
        tokens.append(await world.mailed_token())
    if by == "reset":
        await reset(world, tokens.pop())
    else:
        session = (await world.sign_in()).session.session_id
        async with world.work() as work:
            await world.changes.change(work, account, session, Secret(PASSWORD), Secret(NEW))
    assert (await refusal(reset(world, tokens[0], NEWEST))).reason is TOKEN_NOT_VALID


@pytest.mark.clause("ASVS 6.3.8")
async def test_unknown_unconfirmed_flooded_and_known_addresses_cost_the_same(tmp_path: Path) -> None:
    rules = replace(load(Rules, DEFAULT), mail=Rule(account=(Limit(2, 3600),)))
    async with world_in(tmp_path, rules=rules) as world:
        await world.member()
        await world.member("full@example.com")
        await recover(world, "full@example.com")
        await world.sign_up("bo@example.com")
        await mails(world)
        for email in (EMAIL, "full@example.com", "bo@example.com", "nobody@example.com"):
            before = await queued(world)
            await recover(world, email)
            assert await queued(world) == before + 1
        assert await mails(world) == [(EMAIL, "Choose a new password")]


async def queued(world: World) -> int:
    async with world.database.read() as connection:
        return len((await connection.execute(select(tables.mails))).all())


async def test_an_account_that_was_never_confirmed_recovers_nothing(world: World) -> None:
    await world.sign_up()
    await mails(world)
    await recover(world)
    assert await mails(world) == []


async def test_a_disabled_account_recovers_nothing_and_its_links_are_dead(world: World) -> None:
    account = await world.member()
    await recover(world)
    token = await world.mailed_token()
    async with world.units.write() as store:
        await store.lifecycle.standings.disable(account, "abuse", world.clock.now())
    await recover(world)
    assert await mails(world) == []
    assert (await refusal(reset(world, token))).reason is TOKEN_NOT_VALID


@pytest.mark.clause("ASVS 6.3.1")
async def test_nobody_can_flood_an_inbox_with_recoveries(world: World) -> None:
    await world.member()
    await mails(world)
    for number in range(8):
        await recover(world, home=f"192.0.2.{number}")
    assert len(await mails(world)) == 4  # of 5 an hour; the sign-up took one
    for _ in range(5):
        await recover(world, "nobody@example.com")
    assert (await refusal(recover(world, "nobody@example.com"))).reason is THROTTLED


@pytest.mark.clause("ASVS 6.1.1", "P9")
async def test_the_owners_device_gets_its_mail_whatever_strangers_used_up(world: World) -> None:
    await world.member()
    known = (await world.sign_in()).device_token
    for number in range(8):
        await recover(world, home=f"192.0.2.{number}")
    await mails(world)
    await recover(world)
    assert await mails(world) == []
    await recover(world, device=known)
    assert await mails(world) == [(EMAIL, "Choose a new password")]


@pytest.mark.clause("NIST 800-63B-4 3.2.2")
async def test_a_reset_ends_the_series_of_failures_that_closed_the_password(world: World) -> None:
    await world.member()
    for number in range(60):
        with pytest.raises(Fault):
            await world.sign_in(password=NEWEST, home=f"198.51.{number}.1")
        world.clock.advance(40)
    assert (await refusal(world.sign_in(home="203.0.113.1"))).reason is THROTTLED
    await recover(world)
    await reset(world, await world.mailed_token())
    await world.sign_in(password=NEW, home="203.0.113.1")
