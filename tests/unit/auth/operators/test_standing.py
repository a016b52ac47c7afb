"""What operators can do with an account, and what everybody else then sees of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.auth import email_address
from services.auth.errors import BAD_CREDENTIALS
from services.auth.operators.standing import Cause, Standings
from services.kit.faults import INVALID_ARGUMENT, NOT_FOUND, SESSION_ENDED, Fault
from services.kit.secret import Secret
from tests.unit.auth.world import EMAIL, PASSWORD, Trail, World

NOBODY = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9"


def standings(world: World) -> Standings:
    return Standings(world.sessions, world.clock, world.ids)


async def disable(world: World, account: str, cause: Cause = Cause.COMPROMISED) -> int:
    async with world.work() as work:
        return (await standings(world).disable(work, Trail(), account, cause))[1]


async def enable(world: World, account: str) -> None:
    async with world.work() as work:
        await standings(world).enable(work, Trail(), account)


async def alive(world: World, token: Secret) -> bool:
    try:
        await world.sessions.find(world.work(), token)
    except Fault as fault:
        if fault.reason is not SESSION_ENDED:
            raise
        return False
    return True


async def test_an_account_is_found_by_id_and_by_address_and_its_owner_is_told(world: World) -> None:
    account = await world.member()
    await world.sign_in()
    for wanted in (account, email_address.parse(EMAIL.upper().replace("EXAMPLE.COM", "example.com"))):
        trail = Trail()
        found = await standings(world).find(world.work(), trail, wanted)
        assert (found.account.account_id, found.account.email, found.open_sessions) == (account, EMAIL, 1)
        assert trail.subject == account
    for unknown in (NOBODY, email_address.parse("nobody@example.com")):
        with pytest.raises(Fault) as refused:
            await standings(world).find(world.work(), Trail(), unknown)
        assert refused.value.reason is NOT_FOUND


@pytest.mark.clause("ASVS 7.4.2", "P8")
async def test_disabling_ends_every_session_with_a_row_for_all_services(world: World) -> None:
    account, other = await world.member(), await world.member("bo@example.com")
    mine = [await world.sign_in() for _ in range(3)]
    theirs = await world.sign_in("bo@example.com")
    assert await disable(world, account) == 3
    assert [await alive(world, opened.token) for opened in mine] == [False] * 3
    assert await alive(world, theirs.token)
    async with world.units.read() as store:
        told = {row.session_id for row in await store.revocations.since(0, 10)}
        kept = await store.accounts.get(account)
        assert (await store.accounts.get(other)).disabled is None  # type: ignore[union-attr]  # that it is there is what the line asserts
    assert told == {opened.session.session_id for opened in mine}
    assert kept is not None
    assert (kept.disabled, kept.disabled_because) == (world.clock.now(), "compromised")


@pytest.mark.clause("ASVS 6.3.8", "P6")
async def test_a_disabled_account_answers_and_works_like_a_wrong_password(world: World) -> None:
    account = await world.member()
    await disable(world, account)
    hashed: list[object] = []
    run = world.pool.run

    async def counted(work: object) -> object:
        hashed.append(work)
        return await run(work)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in

    world.pool.run = counted  # type: ignore[assignment,method-assign]  # counts the calls
    seen = []
    for password in (PASSWORD, "another lighthouse entirely"):
        hashed.clear()
        trail = Trail()
        with pytest.raises(Fault) as refused:
            await world.sign_in(password=password, trail=trail)
        seen.append((refused.value.reason, refused.value.field, trail.subject, len(hashed)))
    assert seen == [(BAD_CREDENTIALS, None, account, 1)] * 2
    assert world.decoy.count == 0, "a refusal that is recorded needs no pretence"


async def test_who_was_checked_before_and_signs_in_after_the_disabling_gets_no_session(world: World) -> None:
    account = await world.member()
    await disable(world, account)
    with pytest.raises(Fault) as refused:
        async with world.work() as work:
            await world.sessions.open((await work.write()).sessions, account, ("pwd",))
    assert refused.value.reason is BAD_CREDENTIALS


async def test_enabling_lets_its_owner_in_again_and_revives_no_session(world: World) -> None:
    account = await world.member()
    before = await world.sign_in()
    await disable(world, account, Cause.OWNER)
    await enable(world, account)
    assert not await alive(world, before.token)
    assert await alive(world, (await world.sign_in()).token)


async def test_disabling_again_changes_the_reason_and_not_the_time(world: World) -> None:
    account = await world.member()
    await disable(world, account, Cause.ABUSE)
    since = world.clock.now()
    world.clock.advance(60)
    assert await disable(world, account, Cause.LEGAL) == 0
    found = await standings(world).find(world.work(), Trail(), account)
    assert (found.account.disabled, found.account.disabled_because) == (since, "legal")


async def test_sessions_can_be_ended_without_disabling(world: World) -> None:
    account = await world.member()
    opened = await world.sign_in()
    trail = Trail()
    async with world.work() as work:
        assert await standings(world).end_sessions(work, trail, account) == 1
    assert trail.subject == account
    assert not await alive(world, opened.token)
    assert await alive(world, (await world.sign_in()).token)


async def test_nobody_can_be_disabled_enabled_or_signed_out(world: World) -> None:
    for change in (
        lambda work: standings(world).disable(work, Trail(), NOBODY, Cause.ABUSE),
        lambda work: standings(world).enable(work, Trail(), NOBODY),
        lambda work: standings(world).end_sessions(work, Trail(), NOBODY),
    ):
        with pytest.raises(Fault) as refused:
            async with world.work() as work:
                await change(work)
        assert refused.value.reason is NOT_FOUND


async def test_a_certificate_may_live_a_day_at_most(world: World) -> None:
    now = world.clock.now()
    standings(world).require_short(now + timedelta(hours=24))
    for wrong in (now, now - timedelta(seconds=1), now + timedelta(hours=24, seconds=1)):
        with pytest.raises(Fault) as refused:
            standings(world).require_short(wrong)
        assert refused.value.reason is INVALID_ARGUMENT


async def told(world: World) -> list[tuple[str, str]]:
    """The subjects and texts of what has come since."""
    world.server.taken.clear()
    while await world.courier.step():
        pass
    parts = [(str(mail["Subject"]), mail.get_body(("plain",))) for mail in world.server.taken]
    return [(subject, str(part.get_content())) for subject, part in parts if part is not None]


@pytest.mark.parametrize(
    "cause, why",
    [
        (Cause.OWNER, "du har bett om det"),
        (Cause.COMPROMISED, "någon annan kan ha möjlighet att logga in på det"),
        (Cause.ABUSE, "det har använts i strid med våra villkor"),
    ],
)
async def test_the_owner_is_told_once_and_why(world: World, cause: Cause, why: str) -> None:
    account = await world.sign_up(locale="sv")
    await world.confirm(await world.mailed_token())
    for _ in range(2):
        await disable(world, account, cause)
    ((subject, text),) = await told(world)
    assert subject == "Ditt konto har stängts"
    assert f"Varför: {why}\n" in text
    assert "#token=" not in text


async def test_of_a_legal_cause_nobody_is_told(world: World) -> None:
    account = await world.member()
    await disable(world, account, Cause.LEGAL)
    assert await told(world) == []
    await enable(world, account)
    await disable(world, account, Cause.ABUSE)
    await disable(world, account, Cause.LEGAL)
    assert await told(world) == [], "it was queued for another cause, and says nothing now"


async def test_who_is_enabled_again_before_the_mail_leaves_is_not_worried(world: World) -> None:
    account = await world.member()
    await disable(world, account)
    await enable(world, account)
    assert await told(world) == []
