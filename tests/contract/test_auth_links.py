"""One suite for the store of links, on SQLite and PostgreSQL, with the schema that the migrations make."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.auth import tables
from services.auth.links.purpose import Offer, PurposeText
from services.auth.links.store import Kept, Link, Return, Revocation
from services.auth.sql import SqlUnits
from services.auth.sql_ports import SqlUpkeep
from services.kit.db import Database, DatabaseConfig
from services.kit.ids import Ids
from services.kit.migrate import migrate
from services.kit.outbox import Outbox
from tests.support.clock import START, FakeClock

MIGRATIONS = Path(tables.__file__).parent / "migrations"
OFFER = Offer("mail", "invoices", "2026-11", "sv", ("files", "shop"), PurposeText("för det", "det", "så länge"))
ENDS, UNTIL = START + timedelta(minutes=15), START + timedelta(seconds=30)
BACK = Return("ses_1", b"s" * 32)
TICK = timedelta(microseconds=1)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """The same store on each database."""
    sqlite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path}/auth.db" if sqlite else request.getfixturevalue("postgres_url")
    config = DatabaseConfig(url)
    await asyncio.to_thread(migrate, MIGRATIONS, config)
    made = Database(config)
    yield made
    await made.close()


@pytest.fixture
def units(database: Database) -> SqlUnits:
    """Transactions."""
    clock = FakeClock()
    return SqlUnits(database, Outbox(database, clock, Ids(clock)))


def attempt(name: str = "a", **changes: object) -> Link:
    return replace(Link(f"lnk_{name}", "usr_anna", OFFER, START, ENDS), **changes)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in


async def begun(units: SqlUnits, *links: Link, consented: bool = True) -> None:
    for link in links:
        async with units.write() as store:
            await store.links.begin(link)
            if consented:
                assert await store.links.consent(link.link_id, START, None, None)


async def connected(units: SqlUnits, link: Link, sealed: bytes = b"sealed") -> None:
    await begun(units, link)
    async with units.write() as store:
        assert await store.links.hold(link.link_id, START, UNTIL, connected=False)
        assert await store.links.keep(link.link_id, UNTIL, START, Kept.TOKEN, sealed)


async def test_an_attempt_is_found_by_its_owner_only_and_replaced_by_the_next(units: SqlUnits) -> None:
    await begun(units, attempt(), consented=False)
    async with units.read() as store:
        assert await store.links.get("usr_anna", "lnk_a") == attempt()
        assert await store.links.get("usr_bo", "lnk_a") is None
        assert await store.links.connected("usr_anna") == []
    other = replace(OFFER, provider="files")
    await begun(units, attempt("b", offer=other), attempt("c", account_id="usr_bo"), attempt("d"), consented=False)
    async with units.read() as store:
        assert await store.links.get("usr_anna", "lnk_a") is None
        assert await store.links.get("usr_anna", "lnk_b") is not None
        assert await store.links.get("usr_bo", "lnk_c") is not None


@pytest.mark.clause("P10")
async def test_of_racing_calls_one_holds_an_attempt(units: SqlUnits) -> None:
    await begun(units, attempt())

    async def hold() -> bool:
        async with units.write() as store:
            return await store.links.hold("lnk_a", START, UNTIL, connected=False)

    assert sorted(await asyncio.gather(*(hold() for _ in range(6)))) == [False] * 5 + [True]
    await begun(units, attempt("b"))
    async with units.read() as store:
        assert await store.links.get("usr_anna", "lnk_a") is not None, "a call that is under way keeps its attempt"


@pytest.mark.clause("P10")
async def test_nothing_is_held_before_consent_after_the_end_or_while_another_holds_it(units: SqlUnits) -> None:
    await begun(units, attempt(), consented=False)
    async with units.write() as store:
        assert not await store.links.hold("lnk_a", START, UNTIL, connected=False)
        assert not await store.links.hold("lnk_a", START, UNTIL, connected=True)
        assert not await store.links.consent("lnk_a", ENDS, None, None)
        assert await store.links.consent("lnk_a", START, None, None)
        assert not await store.links.hold("lnk_a", ENDS, ENDS + TICK, connected=False)
        assert await store.links.hold("lnk_a", START, UNTIL, connected=False)
        assert not await store.links.hold("lnk_a", UNTIL - TICK, UNTIL, connected=False)
        assert not await store.links.consent("lnk_a", START, None, None)
        assert await store.links.hold("lnk_a", UNTIL, UNTIL + TICK, connected=False), "its holder is long gone"
        assert not await store.links.keep("lnk_a", UNTIL, START, Kept.PROOF, b"x"), "and keeps nothing any more"
        await store.links.release("lnk_a", UNTIL)
        assert not await store.links.hold("lnk_a", UNTIL, UNTIL + TICK, connected=False)
        await store.links.release("lnk_a", UNTIL + TICK)
        assert await store.links.hold("lnk_a", START, UNTIL, connected=False)


@pytest.mark.clause("P10", "ASVS 10.1.2")
async def test_a_state_is_used_once_in_its_session_by_its_account_in_its_time(units: SqlUnits) -> None:
    await begun(units, attempt(), consented=False)
    async with units.write() as store:
        assert await store.links.consent("lnk_a", START, BACK, b"pending")
        for who, back, now in (
            ("usr_bo", BACK, START),
            ("usr_anna", replace(BACK, session_id="ses_2"), START),
            ("usr_anna", replace(BACK, state_hash=bytes(32)), START),
            ("usr_anna", BACK, ENDS),
        ):
            assert await store.links.hold_return(who, back, now, UNTIL) is None

    async def come_back() -> Link | None:
        async with units.write() as store:
            return await store.links.hold_return("usr_anna", BACK, START, UNTIL)

    found = [link for link in await asyncio.gather(*(come_back() for _ in range(6))) if link is not None]
    assert [(link.link_id, link.sealed) for link in found] == [("lnk_a", b"pending")]


async def test_an_account_has_one_link_with_a_provider(units: SqlUnits) -> None:
    await connected(units, attempt())
    await begun(units, attempt("b"))
    await connected(units, attempt("c", account_id="usr_bo"))
    async with units.write() as store:
        assert await store.links.hold("lnk_b", START, UNTIL, connected=False)
        assert not await store.links.keep("lnk_b", UNTIL, START, Kept.TOKEN, b"x")
        (link,) = await store.links.connected("usr_anna")
        assert (link.link_id, link.offer, link.expires, link.kept, link.sealed) == (
            "lnk_a",
            OFFER,
            None,
            Kept.TOKEN,
            b"sealed",
        )
        assert not await store.links.consent("lnk_a", START, None, None)
        assert not await store.links.hold("lnk_a", START, UNTIL, connected=False)
        assert not await store.links.remove("usr_bo", "lnk_a")
        assert await store.links.remove("usr_anna", "lnk_a")
        assert not await store.links.remove("usr_anna", "lnk_a")


async def test_a_grant_is_replaced_or_lost_only_by_who_holds_the_link(units: SqlUnits) -> None:
    await connected(units, attempt())
    async with units.write() as store:
        assert not await store.links.renew("lnk_a", UNTIL, b"other")
        assert await store.links.hold("lnk_a", START, UNTIL, connected=True)
        assert await store.links.renew("lnk_a", UNTIL, b"other")
        await store.links.lose("lnk_a", UNTIL)
        assert (await store.links.connected("usr_anna"))[0].sealed == b"other"
        assert await store.links.hold("lnk_a", START, UNTIL, connected=True)
        await store.links.lose("lnk_a", UNTIL)
        (link,) = await store.links.connected("usr_anna")
        assert (link.sealed, link.kept) == (None, Kept.LOST)


async def test_what_waits_to_be_revoked_is_claimed_by_one(units: SqlUnits) -> None:
    async with units.write() as store:
        for name in "abcd":
            await store.unlinked.add(Revocation(f"rvk_{name}", "lnk_a", "usr_anna", "mail", b"x", START, ENDS))

    async def claim() -> list[str]:
        async with units.write() as store:
            return [one.revocation_id for one in await store.unlinked.claim(START, UNTIL, 3)]

    claimed = [name for names in await asyncio.gather(*(claim() for _ in range(4))) for name in names]
    claimed += await claim()
    assert sorted(claimed) == ["rvk_a", "rvk_b", "rvk_c", "rvk_d"]
    async with units.write() as store:
        assert not await store.unlinked.is_due(START)
        await store.unlinked.postpone("rvk_a", START)
        assert await store.unlinked.is_due(START)
        (again,) = await store.unlinked.claim(START, UNTIL, 9)
        assert (again.revocation_id, again.attempts, again.ends) == ("rvk_a", 1, ENDS)
        await store.unlinked.remove("rvk_a")
        assert len(await store.unlinked.claim(UNTIL, UNTIL + TICK, 9)) == 3


async def test_upkeep_drops_attempts_that_are_over_and_no_link(database: Database, units: SqlUnits) -> None:
    await connected(units, attempt())
    await begun(units, attempt("b", account_id="usr_bo"))
    await SqlUpkeep(database).sweep(ENDS)
    async with units.read() as store:
        assert await store.links.get("usr_bo", "lnk_b") is not None
    await SqlUpkeep(database).sweep(ENDS + TICK)
    async with units.read() as store:
        assert await store.links.get("usr_bo", "lnk_b") is None
        assert len(await store.links.connected("usr_anna")) == 1
