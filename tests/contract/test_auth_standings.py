"""One suite for who is disabled and what sessions an account has, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.contract.test_auth_store import ANNA, TICK, Bench, add, bench, session
from tests.support.clock import START

__all__ = ["bench"]  # the fixture


async def test_an_account_is_disabled_once_and_enabled_again(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.accounts.ensure(ANNA)
        assert not await store.lifecycle.standings.disable("usr_none", "abuse", START)
        assert not await store.lifecycle.standings.enable("usr_none")
        assert await store.lifecycle.standings.disable("usr_anna", "abuse", START)
        assert await store.lifecycle.standings.disable("usr_anna", "legal", START + TICK)
    async with bench.units.read() as store:
        found = await store.lifecycle.standings.find(ANNA.lookup)
        assert await store.lifecycle.standings.find("nobody@example.com") is None
    assert found is not None
    assert (found.disabled, found.disabled_because) == (START, "legal")
    async with bench.units.write() as store:
        assert await store.lifecycle.standings.enable("usr_anna")
    async with bench.units.read() as store:
        assert await store.accounts.get("usr_anna") == ANNA


async def test_a_disabled_account_gets_no_session(bench: Bench) -> None:
    await add(bench, session("a"), session("b", ended=START), session("c", closes=START))
    async with bench.units.write() as store:
        assert [one.session_id for one in await store.sessions.open_of("usr_anna", START)] == ["ses_a", "ses_b"]
        assert await store.sessions.end("ses_b", START)
        assert [one.session_id for one in await store.sessions.open_of("usr_anna", START)] == ["ses_a"]
        assert await store.sessions.open_of("usr_bo", START) == []
        await store.lifecycle.standings.disable("usr_anna", "abuse", START)
        assert not await store.sessions.insert(session("d"), b"d".ljust(32))
        assert await store.sessions.get("ses_d") is None
        await store.lifecycle.standings.enable("usr_anna")
        assert await store.sessions.insert(session("d"), b"d".ljust(32))


async def test_signing_in_and_disabling_at_once_leaves_no_open_session(bench: Bench) -> None:
    await add(bench)

    async def sign_in(number: int) -> None:
        async with bench.units.write() as store:
            await store.sessions.insert(session(str(number)), str(number).encode().ljust(32))
            await asyncio.sleep(0.01)

    async def disable() -> None:
        await asyncio.sleep(0.02)
        async with bench.units.write() as store:
            await store.lifecycle.standings.disable("usr_anna", "abuse", START)
            for one in await store.sessions.open_of("usr_anna", START):
                await store.sessions.end(one.session_id, START + timedelta(seconds=1))

    await asyncio.gather(disable(), *(sign_in(number) for number in range(6)))
    async with bench.units.read() as store:
        assert await store.sessions.open_of("usr_anna", START) == []
