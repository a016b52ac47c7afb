"""Signing up, confirming and signing in: what strangers learn, what owners are told, who wins a race."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.auth import tables
from services.auth.arrivals import Visitor
from services.auth.errors import BAD_CREDENTIALS, LOCALE_NOT_SUPPORTED, THROTTLED, TOKEN_NOT_VALID
from services.auth.hash_pool import HashPool
from services.auth.passwords import Parameters
from services.auth.pepper import Pepper
from services.auth.throttle_rules import DEFAULT, Limit, Rule, Rules
from services.kit.config import load
from services.kit.db import Database
from services.kit.faults import OVERLOADED, Fault
from services.kit.secret import Secret
from tests.unit.auth.world import EMAIL, HOME, PASSWORD, Trail, World, world_in

OTHER = "another lighthouse, another keeper"


async def test_a_confirmed_account_signs_in(world: World) -> None:
    account = await world.member()
    trail = Trail()
    opened = await world.sign_in("Anna@EXAMPLE.com", trail=trail)
    assert opened.session.account_id == account == trail.subject
    assert opened.token.text().startswith("vst_")
    assert opened.session.amr == ("pwd",)


async def test_an_account_cannot_sign_in_before_its_address_is_confirmed(world: World) -> None:
    account = await world.sign_up()
    trail = Trail()
    with pytest.raises(Fault) as refused:
        await world.sign_in(trail=trail)
    assert refused.value.reason is BAD_CREDENTIALS
    assert trail.subject == account


@pytest.mark.clause("ASVS 6.3.8", "P6")
async def test_unknown_unconfirmed_and_wrong_get_the_same_refusal_for_the_same_work(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.member()
    await world.sign_up("bo@example.com")
    hashes = []
    run = HashPool.run

    async def counted(pool: HashPool, work: object) -> object:
        hashes.append(1)
        return await run(pool, work)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in

    monkeypatch.setattr(HashPool, "run", counted)
    faults = []
    for email, password in ((EMAIL, OTHER), ("bo@example.com", PASSWORD), ("nobody@example.com", PASSWORD)):
        hashes.clear()
        with pytest.raises(Fault) as refused:
            await world.sign_in(email, password)
        faults.append((refused.value.reason, refused.value.field, refused.value.retry_after, len(hashes)))
    assert set(faults) == {(BAD_CREDENTIALS, None, None, 1)}


@pytest.mark.clause("ASVS 6.3.8")
async def test_a_failure_of_nobody_reads_and_commits_as_one_of_somebody_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kit's window adds is the same too: a record, or in its place what the call says."""
    await world.member()
    asked: list[str] = []
    for name in ("read", "write"):
        plain = getattr(Database, name)

        def counted(database: Database, name: str = name, plain: Any = plain) -> Any:
            asked.append(name)
            return plain(database)

        monkeypatch.setattr(Database, name, counted)
    work = []
    for email in (EMAIL, "nobody@example.com"):
        asked.clear()
        trail = Trail()
        with pytest.raises(Fault):
            await world.sign_in(email, OTHER, trail=trail)
        assert trail.otherwise is not None
        await trail.otherwise()
        work.append(list(asked))
    assert work[0] == work[1] == ["read", "read", "write", "write", "write"]
    assert world.decoy.count == 2


@pytest.mark.clause("ASVS 6.3.8")
async def test_signing_up_costs_the_same_whoever_has_the_address(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.member()
    hashes = []
    run = HashPool.run

    async def counted(pool: HashPool, work: object) -> object:
        hashes.append(1)
        return await run(pool, work)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in

    monkeypatch.setattr(HashPool, "run", counted)
    for email in (EMAIL, "new@example.com"):
        hashes.clear()
        await world.sign_up(email, OTHER)
        assert len(hashes) == 2  # the policy is asked there too


async def test_the_owner_of_a_known_address_is_told_by_mail_and_nothing_changes(world: World) -> None:
    account = await world.member()
    assert await world.sign_up(password=OTHER) == account
    await world.courier.step()
    mail = world.server.taken[-1]
    assert mail["Subject"] == "You already have an account"
    assert "token" not in mail.as_string()
    with pytest.raises(Fault):
        await world.sign_in(password=OTHER)
    await world.sign_in()


async def test_a_stranger_who_signed_up_first_gains_nothing(world: World) -> None:
    await world.sign_up(password="the stranger chose this one first")
    strangers = await world.mailed_token()
    await world.sign_up(password=PASSWORD)
    owners = await world.mailed_token()
    await world.confirm(owners)
    with pytest.raises(Fault) as refused:
        await world.confirm(strangers)
    assert refused.value.reason is TOKEN_NOT_VALID
    with pytest.raises(Fault):
        await world.sign_in(password="the stranger chose this one first")
    await world.sign_in()


async def test_a_confirmation_link_works_once(world: World) -> None:
    await world.sign_up()
    token = await world.mailed_token()
    await world.confirm(token)
    with pytest.raises(Fault) as refused:
        await world.confirm(token)
    assert refused.value.reason is TOKEN_NOT_VALID


@pytest.mark.parametrize("racers", [2, 8])
async def test_of_racing_confirmations_one_wins(world: World, racers: int) -> None:
    await world.sign_up()
    token = await world.mailed_token()
    results = await asyncio.gather(*(world.confirm(token) for _ in range(racers)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 1
    assert all(result.reason is TOKEN_NOT_VALID for result in results if isinstance(result, Fault))
    await world.sign_in()


@pytest.mark.parametrize("seconds, good", [(86399.999, True), (86400.0, False)])
async def test_a_confirmation_link_lives_a_day_from_when_it_was_sent(
    world: World, seconds: float, *, good: bool
) -> None:
    await world.sign_up()
    world.clock.advance(3600)  # the mail waited
    token = await world.mailed_token()
    world.clock.advance(seconds)
    if good:
        await world.confirm(token)
    else:
        with pytest.raises(Fault):
            await world.confirm(token)


@pytest.mark.parametrize("token", ["", "vmt_", "vmt_" + "A" * 43, "vst_" + "A" * 43, "å" * 47, "vmt_" + "A" * 44])
async def test_what_is_no_token_confirms_nothing(world: World, token: str) -> None:
    with pytest.raises((Fault, ValueError)):
        await world.confirm(token)


async def test_two_sign_ups_at_once_make_one_account(world: World) -> None:
    accounts = await asyncio.gather(*(world.sign_up() for _ in range(4)))
    assert len(set(accounts)) == 1


async def test_each_sign_in_opens_another_session_with_another_token(world: World) -> None:
    await world.member()
    first, second = await world.sign_in(), await world.sign_in()
    assert first.session.session_id != second.session.session_id
    assert first.token.text() != second.token.text()


async def test_mails_come_in_the_language_asked_for(world: World) -> None:
    await world.sign_up(locale="sv")
    await world.courier.step()
    assert world.server.taken[-1]["Subject"] == "Bekräfta din e-postadress"
    with pytest.raises(Fault) as refused:
        await world.sign_up(locale="xx")
    assert refused.value.reason is LOCALE_NOT_SUPPORTED


async def test_a_stranger_elsewhere_does_not_lock_the_owner_out(world: World) -> None:
    await world.member()
    for _ in range(5):
        with pytest.raises(Fault) as refused:
            await world.sign_in(password=OTHER, home="198.51.100.1")
        assert refused.value.reason is BAD_CREDENTIALS
    with pytest.raises(Fault) as refused:
        await world.sign_in(password=PASSWORD, home="198.51.100.1")
    assert refused.value.reason is THROTTLED
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 900
    await world.sign_in(home=HOME)


@pytest.mark.clause("ASVS 6.1.1", "P9")
async def test_from_a_device_the_account_knows_the_owner_gets_in_whatever_strangers_do(world: World) -> None:
    await world.member()
    await world.member("bo@example.com")
    known = (await world.sign_in()).device_token
    bos = (await world.sign_in("bo@example.com")).device_token
    for _ in range(5):
        with pytest.raises(Fault):
            await world.sign_in(password=OTHER)
    for token in (None, bos, Secret("vdt_" + "A" * 43)):
        with pytest.raises(Fault) as refused:
            await world.sign_in(visitor=Visitor(HOME, device_token=token))
        assert refused.value.reason is THROTTLED
    await world.sign_in(visitor=Visitor(HOME, device_token=known))


async def test_the_throttle_opens_again_by_itself(world: World) -> None:
    await world.member()
    for _ in range(5):
        with pytest.raises(Fault):
            await world.sign_in(password=OTHER)
    with pytest.raises(Fault) as refused:
        await world.sign_in()
    world.clock.advance(refused.value.retry_after or 0)
    await world.sign_in()


async def test_signing_in_with_the_right_password_is_never_throttled(world: World) -> None:
    await world.member()
    for _ in range(8):
        await world.sign_in()


async def test_nobody_can_flood_an_inbox(tmp_path: Path) -> None:
    rules = replace(load(Rules, DEFAULT), mail=Rule(account=(Limit(2, 3600),)))
    async with world_in(tmp_path, rules=rules) as world:
        for number in range(4):
            await world.sign_up(home=f"192.0.2.{number}")
            world.clock.advance(1)
        while await world.courier.step():
            pass
        assert len(world.server.taken) == 2


async def test_sign_ups_from_one_address_are_limited(tmp_path: Path) -> None:
    rules = replace(load(Rules, DEFAULT), sign_up=Rule(account=(Limit(9, 9),), address=(Limit(1, 3600),)))
    async with world_in(tmp_path, rules=rules) as world:
        await world.sign_up("a@example.com")
        with pytest.raises(Fault) as refused:
            await world.sign_up("b@example.com")
        assert refused.value.reason is THROTTLED


@pytest.mark.clause("NIST 800-63B-4 3.1.1.2", "ASVS 11.4.2")
async def test_a_hash_is_made_anew_at_sign_in_when_the_parameters_or_the_pepper_changed(world: World) -> None:
    await world.member()
    pepper = Pepper("p2", {"p1": Secret(b"1" * 32), "p2": Secret(b"2" * 32)})
    world.passwords = world.make_passwords(pepper, Parameters(memory_kib=20480, time_cost=2))
    await world.sign_in()
    async with world.database.read() as connection:
        row = (await connection.execute(select(tables.passwords))).one()
    assert (row.parameters, row.pepper) == ("$argon2id$v=19$m=20480,t=2,p=1", "p2")
    world.passwords = world.make_passwords(Pepper("p2", {"p2": Secret(b"2" * 32)}), Parameters(memory_kib=20480))
    await world.sign_in()


async def test_a_full_pool_sheds_before_anything_is_written(world: World) -> None:
    await world.member()
    world.pool = HashPool(1, 0)
    world.passwords = world.make_passwords()
    results = await asyncio.gather(*(world.sign_in() for _ in range(5)), return_exceptions=True)
    shed = [result for result in results if isinstance(result, Fault)]
    assert len(shed) == 4
    assert {(fault.reason, fault.retry_after) for fault in shed} == {(OVERLOADED, 1.0)}


@pytest.mark.clause("P6", "ASVS 16.2.5")
async def test_nothing_stored_holds_a_password_or_a_token(world: World) -> None:
    await world.sign_up()
    mail_token = await world.mailed_token()
    await world.confirm(mail_token)
    token = (await world.sign_in()).token.text()
    stored = b"".join(path.read_bytes() for path in world.folder.glob("auth.db*"))
    for secret in (PASSWORD, mail_token, mail_token[4:], token, token[4:]):
        assert secret.encode() not in stored
