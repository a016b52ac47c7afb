"""Changing a password from within a session: who is told, what ends, what a stolen session is worth."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from services.auth.errors import BAD_CREDENTIALS, PASSWORD_TOO_SHORT, PASSWORD_WRONG, THROTTLED
from services.auth.hash_pool import HashPool
from services.auth.sessions import Opened
from services.kit.faults import SESSION_ENDED, Fault
from services.kit.secret import Secret
from tests.unit.auth.world import EMAIL, PASSWORD, World

NEW = "another lighthouse, another keeper"


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


async def change(world: World, account: str, session: str, current: str = PASSWORD, new: str = NEW) -> Opened:
    async with world.work() as work:
        return await world.changes.change(work, account, session, Secret(current), Secret(new))


async def refusal(call: Awaitable[object]) -> Fault:
    with pytest.raises(Fault) as refused:
        await call
    return refused.value


@pytest.mark.clause("ASVS 6.2.2", "ASVS 6.2.3", "ASVS 7.4.3", "ASVS 6.3.7")
async def test_a_changed_password_ends_every_session_and_goes_on_in_a_new_one(world: World) -> None:
    account = await world.member()
    await mails(world)
    mine, other = await world.sign_in(), await world.sign_in()
    await mails(world)
    world.clock.advance(300)
    opened = await change(world, account, mine.session.session_id)
    assert [await alive(world, one) for one in (mine.token, other.token, opened.token)] == [False, False, True]
    assert opened.token.text() != mine.token.text()
    assert (await refusal(world.sign_in())).reason is BAD_CREDENTIALS
    await world.sign_in(password=NEW)
    assert (EMAIL, "Your password was changed") in await mails(world)


@pytest.mark.clause("ASVS 7.2.4")
async def test_the_new_session_is_no_fresher_and_lives_no_longer_than_the_old_one_would_have(world: World) -> None:
    """Whoever holds a stolen session and the password must not be able to keep both fresh without a second factor."""
    account = await world.member()
    mine = (await world.sign_in()).session
    world.clock.advance(500)
    made = (await change(world, account, mine.session_id)).session
    assert (made.opened, made.closes, made.amr, made.place) == (mine.opened, mine.closes, mine.amr, mine.place)
    assert made.session_id != mine.session_id


async def test_the_present_password_must_be_right_and_nothing_changes_when_it_is_not(world: World) -> None:
    account = await world.member()
    mine = await world.sign_in()
    fault = await refusal(change(world, account, mine.session.session_id, "not the right one at all"))
    assert (fault.reason, fault.field) == (PASSWORD_WRONG, "current_password")
    assert await alive(world, mine.token)
    await world.sign_in()
    assert "Your password was changed" not in {subject for _, subject in await mails(world)}


@pytest.mark.clause("ASVS 6.3.1")
async def test_a_stolen_session_is_not_a_place_to_guess_the_password(world: World) -> None:
    account = await world.member()
    session = (await world.sign_in()).session.session_id
    wrong = [(await refusal(change(world, account, session, f"wrong guess number {n}"))).reason for n in range(6)]
    assert wrong == [PASSWORD_WRONG] * 5 + [THROTTLED]


async def test_a_bad_new_password_costs_no_hash_and_no_attempt(world: World) -> None:
    account = await world.member()
    session = (await world.sign_in()).session.session_id
    world.pool = HashPool(1, 0)
    world.passwords = world.make_passwords()
    for _ in range(9):
        assert (await refusal(change(world, account, session, PASSWORD, "short"))).reason is PASSWORD_TOO_SHORT
    world.pool = HashPool(2, 32)
    world.passwords = world.make_passwords()
    await change(world, account, session)


async def test_the_same_password_again_is_not_refused(world: World) -> None:
    account = await world.member()
    session = (await world.sign_in()).session.session_id
    await change(world, account, session, PASSWORD, PASSWORD)
    await world.sign_in()


@pytest.mark.parametrize("racers", [2, 5])
async def test_of_racing_changes_one_wins(world: World, racers: int) -> None:
    account = await world.member()
    session = (await world.sign_in()).session.session_id
    wanted = [f"keeper {n} counts {n} slow green waves" for n in range(racers)]
    results = await asyncio.gather(
        *(change(world, account, session, PASSWORD, new) for new in wanted), return_exceptions=True
    )
    won = [new for new, result in zip(wanted, results, strict=True) if isinstance(result, Opened)]
    assert len(won) == 1
    await world.sign_in(password=won[0])
