"""Changing an account's address: who is told, who can finish it, what strangers learn, who wins a race."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from services.auth import email_address
from services.auth.email_changes import Moved
from services.auth.errors import BAD_CREDENTIALS, THROTTLED, TOKEN_NOT_VALID
from services.kit.faults import INVALID_ARGUMENT, SESSION_ENDED, Fault
from services.kit.secret import Secret
from tests.unit.auth.world import EMAIL, PASSWORD, World

NEW = "anna@example.net"


async def mails(world: World) -> list[tuple[str, str]]:
    world.server.taken.clear()
    while await world.courier.step():
        pass
    return sorted((str(mail["To"]), str(mail["Subject"])) for mail in world.server.taken)


def token_to(world: World, recipient: str) -> str:
    (mail,) = [mail for mail in world.server.taken if mail["To"] == recipient]
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).partition("/confirm-change#token=")[2].split()[0]


async def begin(world: World, account: str, new: str = NEW) -> str:
    async with world.work() as work:
        return await world.emails.begin(work, account, email_address.parse(new))


async def confirm(world: World, account: str, token: str, session: str = "") -> Moved:
    async with world.work() as work:
        return await world.emails.confirm(work, account, session, Secret(token))


async def refusal(call: Awaitable[object]) -> Fault:
    with pytest.raises(Fault) as refused:
        await call
    return refused.value


async def begun(world: World) -> tuple[str, str]:
    """A member who has begun a change; returns the account and the token."""
    account = await world.member()
    await begin(world, account)
    await mails(world)
    return account, token_to(world, NEW)


@pytest.mark.clause("ASVS 6.3.7", "ASVS 7.5.1", "P9")
async def test_both_addresses_are_told_before_and_after(world: World) -> None:
    account = await world.member()
    await mails(world)
    await begin(world, account)
    assert await mails(world) == [
        (EMAIL, "A change of your e-mail address was asked for"),
        (NEW, "Confirm your new e-mail address"),
    ]
    assert (await confirm(world, account, token_to(world, NEW))).email == NEW
    assert await mails(world) == [
        (EMAIL, "Your e-mail address was changed"),
        (NEW, "Your e-mail address was changed"),
    ]
    for mail in world.server.taken:
        part = mail.get_body(("plain",))
        assert part is not None
        assert f"{NEW} from now on instead of {EMAIL}" in part.get_content()
    assert (await refusal(world.sign_in())).reason is BAD_CREDENTIALS
    await world.sign_in(NEW)


async def test_nothing_changes_until_the_link_is_opened(world: World) -> None:
    await begun(world)
    await world.sign_in()
    assert (await refusal(world.sign_in(NEW))).reason is BAD_CREDENTIALS


@pytest.mark.clause("ASVS 7.4.3")
async def test_the_other_sessions_end_and_this_one_goes_on(world: World) -> None:
    account, token = await begun(world)
    mine, other = await world.sign_in(), await world.sign_in()
    assert (await confirm(world, account, token, mine.session.session_id)).ended == 1
    await world.sessions.find(world.units, mine.token)
    assert (await refusal(world.sessions.find(world.units, other.token))).reason is SESSION_ENDED


@pytest.mark.clause("ASVS 8.2.2")
async def test_who_reads_the_mail_but_is_another_account_changes_nothing_and_uses_nothing_up(world: World) -> None:
    account, token = await begun(world)
    bo = await world.member("bo@example.com")
    assert (await refusal(confirm(world, bo, token))).reason is TOKEN_NOT_VALID
    await confirm(world, account, token)
    await world.sign_in(NEW)
    await world.sign_in("bo@example.com")


@pytest.mark.parametrize("seconds, good", [(3599.999, True), (3600.0, False)])
async def test_the_link_lives_an_hour(world: World, seconds: float, *, good: bool) -> None:
    account, token = await begun(world)
    world.clock.advance(seconds)
    if good:
        await confirm(world, account, token)
    else:
        assert (await refusal(confirm(world, account, token))).reason is TOKEN_NOT_VALID


async def test_the_link_works_once(world: World) -> None:
    account, token = await begun(world)
    await confirm(world, account, token)
    assert (await refusal(confirm(world, account, token))).reason is TOKEN_NOT_VALID


async def test_only_the_last_change_begun_can_be_finished(world: World) -> None:
    account, first = await begun(world)
    await begin(world, account, "anna@example.org")
    assert (await refusal(confirm(world, account, first))).reason is TOKEN_NOT_VALID
    await mails(world)
    await confirm(world, account, token_to(world, "anna@example.org"))
    await world.sign_in("anna@example.org")


async def test_a_change_overtaken_before_its_mail_went_out_is_not_mailed_but_its_notice_is(world: World) -> None:
    account = await world.member()
    await mails(world)
    await begin(world, account)
    await begin(world, account, "anna@example.org")
    notice = (EMAIL, "A change of your e-mail address was asked for")
    assert await mails(world) == [notice, notice, ("anna@example.org", "Confirm your new e-mail address")]


@pytest.mark.clause("P9")
async def test_a_new_password_stops_a_change_that_a_thief_began(world: World) -> None:
    account, token = await begun(world)
    mine = (await world.sign_in()).session.session_id
    async with world.work() as work:
        await world.changes.change(work, account, mine, Secret(PASSWORD), Secret("another lighthouse, another keeper"))
    assert (await refusal(confirm(world, account, token))).reason is TOKEN_NOT_VALID
    await begin(world, account)
    async with world.work() as work:  # before the mail of a change went out
        store = await work.write()
        await store.email_changes.drop(account, world.clock.now())
    assert NEW not in {recipient for recipient, _ in await mails(world)}


@pytest.mark.clause("ASVS 6.3.8")
async def test_an_address_that_is_taken_tells_its_owner_and_nobody_else(world: World) -> None:
    account = await world.member()
    await world.member(NEW)
    await mails(world)
    assert (await begin(world, account)).startswith("emc_")
    assert await mails(world) == [
        (EMAIL, "A change of your e-mail address was asked for"),
        (NEW, "Somebody tried to use your e-mail address"),
    ]
    assert "token" not in "".join(mail.as_string() for mail in world.server.taken)


async def test_an_address_taken_meanwhile_refuses_the_link(world: World) -> None:
    account, token = await begun(world)
    await world.sign_up(NEW)
    await world.confirm(await world.mailed_token())
    assert (await refusal(confirm(world, account, token))).reason is TOKEN_NOT_VALID
    await world.sign_in()
    await world.sign_in(NEW)


async def test_who_signed_up_with_the_address_and_never_confirmed_it_is_not_in_the_way(world: World) -> None:
    await world.sign_up(NEW, "the stranger chose this one first")
    strangers = await world.mailed_token()
    account, token = await begun(world)
    await confirm(world, account, token)
    await world.sign_in(NEW)
    assert (await refusal(world.confirm(strangers))).reason is TOKEN_NOT_VALID
    assert (await refusal(world.sign_in(NEW, "the stranger chose this one first"))).reason is BAD_CREDENTIALS


async def test_a_recovery_link_to_the_old_mailbox_dies_with_the_change(world: World) -> None:
    account, token = await begun(world)
    async with world.units.write() as store:
        recovery = await world.tokens.mint(store.mail_tokens, "recover", account, "")
    await confirm(world, account, token)
    async with world.units.write() as store:
        assert (await refusal(world.tokens.use(store.mail_tokens, "recover", recovery))).reason is TOKEN_NOT_VALID


async def test_ones_own_address_is_no_new_one(world: World) -> None:
    account = await world.member()
    fault = await refusal(begin(world, account, "anna@EXAMPLE.com"))
    assert (fault.reason, fault.field) == (INVALID_ARGUMENT, "new_email")


@pytest.mark.clause("ASVS 6.3.1")
async def test_who_holds_a_session_cannot_mail_the_world(world: World) -> None:
    account = await world.member()
    await mails(world)
    for number in range(5):
        await begin(world, account, f"somebody{number}@example.com")
    assert (await refusal(begin(world, account))).reason is THROTTLED
    assert len(await mails(world)) == 6
