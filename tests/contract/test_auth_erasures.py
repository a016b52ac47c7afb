"""One suite for erasures, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from services.auth.erasures.erasure import Blocked, Erasure, Order, Part, Phase, State
from tests.contract.test_auth_store import ANNA, HASH, Bench, add, bench, session
from tests.support.clock import START

__all__ = ["bench"]  # the fixture
ASKED = Erasure("usr_anna", State.REQUESTED, START, START + timedelta(days=7))


async def test_one_is_asked_for_once_and_taken_back_until_it_begins(bench: Bench) -> None:
    async with bench.units.write() as store:
        assert await store.lifecycle.erasures.request(ASKED)
        assert not await store.lifecycle.erasures.request(replace(ASKED, due=START))
        assert await store.lifecycle.erasures.get("usr_anna") == ASKED
        assert await store.lifecycle.erasures.cancel("usr_anna")
        assert not await store.lifecycle.erasures.cancel("usr_anna")
        assert await store.lifecycle.erasures.request(ASKED)
        assert await store.lifecycle.erasures.move("usr_anna", State.REQUESTED, State.DATA)
        assert not await store.lifecycle.erasures.move("usr_anna", State.REQUESTED, State.DATA)
        assert not await store.lifecycle.erasures.cancel("usr_anna")


async def test_what_is_due_or_under_way_is_found_until_it_ends(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.lifecycle.erasures.request(ASKED)
        await store.lifecycle.erasures.request(replace(ASKED, account_id="usr_bo", due=START))
        assert [one.account_id for one in await store.lifecycle.erasures.pending(START, 9)] == ["usr_bo"]
        assert [one.account_id for one in await store.lifecycle.erasures.pending(ASKED.due, 9)] == [
            "usr_bo",
            "usr_anna",
        ]
        await store.lifecycle.erasures.move("usr_bo", State.REQUESTED, State.ERASED)
        assert [one.account_id for one in await store.lifecycle.erasures.pending(ASKED.due, 9)] == ["usr_anna"]


async def test_orders_get_numbers_without_gaps_in_the_order_they_appear(bench: Bench) -> None:
    async def order(number: int) -> None:
        async with bench.units.write() as store:
            await store.lifecycle.erasures.order(f"usr_{number}", Phase.DATA)
            await asyncio.sleep(0.01)

    await asyncio.gather(*(order(number) for number in range(6)))
    async with bench.units.write() as store:
        assert await store.lifecycle.erasures.order("usr_0", Phase.LOG) == 7
    async with bench.units.read() as store:
        assert await store.lifecycle.erasures.latest() == 7
        assert [one.sequence for one in await store.lifecycle.erasures.orders(0, 9)] == list(range(1, 8))
        assert await store.lifecycle.erasures.orders(6, 9) == [Order(7, "usr_0", Phase.LOG)]


async def test_a_services_latest_word_counts(bench: Bench) -> None:
    until = Blocked("charge", 2, "statutory", START + timedelta(days=1))
    first = Part("usr_anna", "billing", "evt_1", START, (until, Blocked("refund", 1, "statutory", None)))
    second = replace(first, event_id="evt_2", blocked=(until,))
    files = Part("usr_anna", "files", "evt_3", START)
    async with bench.units.write() as store:
        for part in (first, second, files):
            await store.lifecycle.erasures.acknowledge(part)
        assert await store.lifecycle.erasures.parts("usr_anna") == [second, files]
        assert await store.lifecycle.erasures.parts("usr_bo") == []


async def test_all_rows_about_an_account_go_and_its_erasure_stays(bench: Bench) -> None:
    await add(bench, session("a"))
    bo = replace(ANNA, account_id="usr_bo", lookup="bo@example.com")
    async with bench.units.write() as store:
        await store.accounts.ensure(bo)
        await store.accounts.propose("sup_1", "usr_anna", HASH, START)
        await store.accounts.confirm("usr_anna", "sup_1", START)
        await store.devices.see("usr_anna", b"d".ljust(32), "firefox", START)
        await store.sessions.insert(session("b", account_id="usr_bo"), b"b".ljust(32))
        await store.lifecycle.erasures.request(ASKED)
    async with bench.units.write() as store:
        await store.lifecycle.erasures.forget("usr_anna")
    async with bench.units.read() as store:
        assert await store.accounts.get("usr_anna") is None
        assert await store.accounts.get("usr_bo") == bo
        assert await store.sessions.get("ses_a") is None
        assert await store.sessions.get("ses_b") is not None
        assert await store.lifecycle.erasures.get("usr_anna") == ASKED
