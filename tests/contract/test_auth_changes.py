"""One suite for devices, recovery and new addresses, on SQLite and PostgreSQL: one winner for what is single-use."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.auth.email_changes import EmailChange
from services.auth.mail_tokens import RECOVER, MailToken
from services.auth.sql_ports import SqlUpkeep
from tests.contract.test_auth_store import ANNA, HASH, TICK, Bench, add, bench, session
from tests.support.clock import START

__all__ = ["bench"]  # the fixture
EVER = datetime.fromtimestamp(0, UTC)
CHANGE = EmailChange("emc_1", "usr_anna", "Anna@example.net", "anna@example.net", ANNA.email, START)
BO = replace(ANNA, account_id="usr_bo", email="bo@example.com", lookup="bo@example.com")


async def test_a_session_keeps_its_device_and_place(bench: Bench) -> None:
    made = session(device="firefox/linux", place="2001:db8::/32")
    await add(bench, made)
    async with bench.units.read() as store:
        assert await store.sessions.get("ses_a") == made


async def test_devices_are_seen_counted_and_pruned_by_account(bench: Bench) -> None:
    async with bench.units.write() as store:
        for account in (ANNA, BO):
            await store.accounts.ensure(account)
        for number in range(4):
            await store.devices.see("usr_anna", bytes([number]) * 32, "curl", START + number * TICK)
        await store.devices.see("usr_anna", bytes(32), "firefox/linux", START + 9 * TICK)
        await store.devices.see("usr_bo", bytes(32), "curl", START)
    async with bench.units.write() as store:
        assert await store.devices.last_seen("usr_anna", bytes(32)) == START + 9 * TICK
        assert await store.devices.last_seen("usr_bo", bytes(32)) == START
        assert await store.devices.last_seen("usr_bo", b"1" * 32) is None
        assert await store.devices.last_seen("", bytes(32)) is None
        assert [await store.devices.count("usr_anna", since) for since in (EVER, START + 2 * TICK)] == [4, 2]
        await store.devices.prune("usr_anna", 2)
    async with bench.units.read() as store:
        kept = [await store.devices.last_seen("usr_anna", bytes([number]) * 32) for number in range(4)]
        assert [seen is not None for seen in kept] == [True, False, False, True]
        assert await store.devices.count("usr_bo", EVER) == 1


async def test_one_device_seen_by_parallel_sign_ins_is_one_row(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.accounts.ensure(ANNA)

    async def see(number: int) -> None:
        async with bench.units.write() as store:
            await store.devices.see("usr_anna", bytes(32), "curl", START + number * TICK)

    await asyncio.gather(*(see(number) for number in range(6)))
    async with bench.units.read() as store:
        assert await store.devices.count("usr_anna", EVER) == 1


@pytest.mark.clause("ASVS 6.5.1")
async def test_a_token_is_found_without_being_used_and_dropped_with_its_account(bench: Bench) -> None:
    token = MailToken(RECOVER, "usr_anna", "", START + timedelta(hours=1))
    async with bench.units.write() as store:
        for number in range(3):
            await store.mail_tokens.add(token, bytes([number]) * 32)
        await store.mail_tokens.add(replace(token, account_id="usr_bo"), b"b" * 32)
    async with bench.units.write() as store:
        assert await store.mail_tokens.find(bytes(32), RECOVER, START) == token
        assert await store.mail_tokens.find(bytes(32), "confirm", START) is None
        assert await store.mail_tokens.find(bytes(32), RECOVER, token.expires) is None
        assert await store.mail_tokens.use(bytes(32), RECOVER, START) == token
        assert await store.mail_tokens.find(bytes(32), RECOVER, START) is None
        await store.mail_tokens.drop("usr_anna", START)
    async with bench.units.write() as store:
        assert await store.mail_tokens.use(bytes([1]) * 32, RECOVER, START) is None
        assert await store.mail_tokens.use(b"b" * 32, RECOVER, START) is not None


@pytest.mark.clause("ASVS 6.5.1")
async def test_of_racing_ends_of_a_change_one_wins(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.accounts.ensure(ANNA)
        await store.email_changes.begin(CHANGE)

    async def take() -> EmailChange | None:
        async with bench.units.write() as store:
            return await store.email_changes.take("emc_1", "usr_anna", START + TICK)

    taken = await asyncio.gather(*(take() for _ in range(8)))
    assert [one for one in taken if one is not None] == [replace(CHANGE, closed=START + TICK)]


async def test_a_change_gives_way_to_the_next_and_belongs_to_its_account(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.accounts.ensure(replace(ANNA, created=START + timedelta(days=1)))
        await store.email_changes.begin(CHANGE)
        await store.email_changes.begin(replace(CHANGE, change_id="emc_2", begun=START + TICK))
    async with bench.units.write() as store:
        assert await store.email_changes.get("emc_1") == replace(CHANGE, closed=START + TICK)
        assert await store.email_changes.get("emc_none") is None
        assert await store.email_changes.take("emc_1", "usr_anna", START) is None
        assert await store.email_changes.take("emc_2", "usr_bo", START) is None
        await store.email_changes.drop("usr_anna", START)
        assert await store.email_changes.take("emc_2", "usr_anna", START) is None
    await SqlUpkeep(bench.database).sweep(START + timedelta(days=7) + TICK)
    async with bench.units.read() as store:
        left = [await store.email_changes.get(name) for name in ("emc_1", "emc_2")]
    assert [one is not None for one in left] == [False, True]


async def test_an_account_moves_unless_a_confirmed_one_is_there(bench: Bench) -> None:
    async with bench.units.write() as store:
        for account in (ANNA, BO, replace(BO, account_id="usr_cy", lookup="cy@example.com")):
            await store.accounts.ensure(account)
        for name in ("bo", "cy"):
            await store.accounts.propose(f"sup_{name}", f"usr_{name}", HASH, START)
        await store.accounts.confirm("usr_bo", "sup_bo", START)
    async with bench.units.write() as store:
        assert not await store.accounts.move("usr_anna", "Bo@example.com", BO.lookup)
        assert await store.accounts.move("usr_anna", "Cy@example.com", "cy@example.com")
        assert not await store.accounts.move("usr_none", "di@example.com", "di@example.com")
        await store.accounts.set_locale("usr_anna", "en")
    async with bench.units.read() as store:
        moved = replace(ANNA, email="Cy@example.com", lookup="cy@example.com", locale="en")
        assert await store.accounts.get("usr_anna") == moved
        assert await store.accounts.get("usr_cy") is None
        assert await store.accounts.get("usr_bo") == replace(BO, confirmed=START)


@pytest.mark.clause("ASVS 6.5.1")
async def test_of_accounts_that_race_to_an_address_one_gets_it(bench: Bench) -> None:
    names = [f"usr_{number}" for number in range(5)]
    async with bench.units.write() as store:
        for name in names:
            await store.accounts.ensure(replace(ANNA, account_id=name, lookup=name))
            await store.accounts.propose(f"sup{name}", name, HASH, START)
            await store.accounts.confirm(name, f"sup{name}", START)

    async def move(name: str) -> bool:
        async with bench.units.write() as store:
            return await store.accounts.move(name, "new@example.com", "new@example.com")

    assert sorted(await asyncio.gather(*(move(name) for name in names))) == [False] * 4 + [True]


async def test_a_password_is_set_whatever_there_was(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.accounts.ensure(ANNA)
        await store.accounts.set_password("usr_anna", HASH)
    newer = replace(HASH, digest="$b$b")
    async with bench.units.write() as store:
        await store.accounts.set_password("usr_anna", newer)
    async with bench.units.read() as store:
        assert await store.accounts.credentials(ANNA.lookup) == (ANNA, newer)
