"""One suite for auth's stores, on SQLite and PostgreSQL, with the schema that the migrations make."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData, delete, inspect, select

from services.auth import tables
from services.auth.accounts import Account
from services.auth.mail import CONFIRM, Outgoing
from services.auth.mail_tokens import MailToken
from services.auth.passwords import PasswordHash
from services.auth.sessions import Session
from services.auth.sql import SqlUnits
from services.auth.sql_counters import SqlCounters
from services.auth.sql_ports import SqlActivity, SqlUpkeep
from services.auth.store import StoreAway
from services.kit.db import Database, DatabaseConfig
from services.kit.ids import Ids
from services.kit.migrate import migrate
from services.kit.outbox import Outbox
from tests.support.clock import START, FakeClock

MIGRATIONS = Path(tables.__file__).parent / "migrations"
ANNA = Account("usr_anna", "Anna@example.com", "anna@example.com", "sv", START)
HASH = PasswordHash("$argon2id$v=19$m=19456,t=2,p=1", "$salt$tag", "p1")
TICK = timedelta(microseconds=1)
WHO, WHAT = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9", "mai_01jd9xk8w0q2m3n4p5r6s7t8v9"


@dataclass
class Bench:
    """A migrated database."""

    database: Database
    units: SqlUnits


@pytest.fixture(params=["sqlite", "postgresql"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """The same stores on each database."""
    sqlite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path}/auth.db" if sqlite else request.getfixturevalue("postgres_url")
    config = DatabaseConfig(url)
    await asyncio.to_thread(migrate, MIGRATIONS, config)
    database, clock = Database(config), FakeClock()
    yield Bench(database, SqlUnits(database, Outbox(database, clock, Ids(clock))))
    await database.close()


async def add(bench: Bench, *sessions: Session) -> None:
    async with bench.units.write() as store:
        await store.accounts.ensure(ANNA)
        for session in sessions:
            await store.sessions.insert(session, session.session_id.encode().ljust(32))


def session(name: str = "a", **changes: object) -> Session:
    made = Session(f"ses_{name}", "usr_anna", START, START + timedelta(hours=12), START, ("pwd", "otp"))
    return replace(made, **changes)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in


async def test_the_migrations_make_the_tables_the_code_was_written_for(bench: Bench) -> None:
    def shape(metadata: MetaData) -> dict[str, object]:
        return {
            name: (
                [(column.name, column.nullable, column.primary_key) for column in table.columns],
                sorted(sorted(column.name for column in index.columns) for index in table.indexes),
            )
            for name, table in metadata.tables.items()
            if name != "alembic_version"
        }

    def reflect(connection: Connection) -> tuple[MetaData, dict[str, list[list[str]]]]:
        found = MetaData()
        found.reflect(connection)
        unique = {
            name: [list(one["column_names"]) for one in inspect(connection).get_unique_constraints(name)]
            for name in tables.metadata.tables
        }
        return found, unique

    async with bench.database.read() as connection:
        found, unique = await connection.run_sync(reflect)
    assert shape(found) == shape(tables.metadata)
    assert unique["accounts"] == [["lookup"]]
    assert unique["sessions"] == [["token_hash"]]


async def test_one_account_holds_an_address(bench: Bench) -> None:
    async def sign_up(number: int) -> Account:
        async with bench.units.write() as store:
            return await store.accounts.ensure(replace(ANNA, account_id=f"usr_{number}"))

    found = await asyncio.gather(*(sign_up(number) for number in range(6)))
    assert len({account.account_id for account in found}) == 1
    async with bench.units.read() as store:
        assert await store.accounts.get(found[0].account_id) == found[0]
        assert await store.accounts.get("usr_none") is None
        assert await store.accounts.credentials("anna@example.com") == (found[0], None)
        assert await store.accounts.credentials("Anna@example.com") is None


async def test_a_password_becomes_the_accounts_by_its_own_sign_up_only_once(bench: Bench) -> None:
    other = replace(HASH, digest="$other$tag")
    async with bench.units.write() as store:
        await store.accounts.ensure(ANNA)
        await store.accounts.propose("sup_1", "usr_anna", HASH, START)
        await store.accounts.propose("sup_2", "usr_anna", other, START)
    async with bench.units.write() as store:
        assert await store.accounts.confirm("usr_anna", "sup_2", START + TICK)
        assert not await store.accounts.confirm("usr_anna", "sup_1", START)
    async with bench.units.read() as store:
        assert await store.accounts.credentials(ANNA.lookup) == (replace(ANNA, confirmed=START + TICK), other)
        assert await store.accounts.parameters_in_use() == [(HASH.parameters, "p1", 1)]


async def test_a_hash_is_replaced_only_while_it_is_the_one_that_was_checked(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.accounts.ensure(ANNA)
        await store.accounts.propose("sup_1", "usr_anna", HASH, START)
        await store.accounts.confirm("usr_anna", "sup_1", START)
    newer, newest = replace(HASH, digest="$b$b", pepper="p2"), replace(HASH, digest="$c$c")
    async with bench.units.write() as store:
        assert await store.accounts.replace_password("usr_anna", HASH, newer)
        assert not await store.accounts.replace_password("usr_anna", HASH, newest)
    async with bench.units.read() as store:
        found = await store.accounts.credentials(ANNA.lookup)
    assert found is not None
    assert found[1] == newer


async def test_sessions_are_found_by_id_and_token_and_end_once(bench: Bench) -> None:
    await add(bench, session())
    async with bench.units.read() as store:
        assert await store.sessions.get("ses_a") == session()
        assert await store.sessions.by_token(b"ses_a".ljust(32)) == session()
        assert await store.sessions.by_token(bytes(32)) is None

    async def end() -> bool:
        async with bench.units.write() as store:
            return await store.sessions.end("ses_a", START + TICK)

    assert sorted(await asyncio.gather(*(end() for _ in range(5)))) == [False] * 4 + [True]
    async with bench.units.read() as store:
        assert await store.sessions.get("ses_a") == session(ended=START + TICK)


async def test_open_sessions_come_in_pages(bench: Bench) -> None:
    past = START - timedelta(hours=1)
    await add(bench, *(session(name) for name in "abcd"), session("e", ended=START), session("f", closes=past))
    async with bench.units.write() as store:
        await store.sessions.end("ses_e", START)
    async with bench.units.read() as store:
        first = await store.sessions.not_ended(past, "", 3)
        second = await store.sessions.not_ended(past, first[-1].session_id, 3)
    assert [one.session_id for one in (*first, *second)] == ["ses_a", "ses_b", "ses_c", "ses_d"]


@pytest.mark.clause("P8")
async def test_a_follower_that_reads_while_others_write_misses_no_revocation(bench: Bench) -> None:
    """Numbers must become visible in their order: a follower never looks back."""
    seen: list[int] = []

    async def write(number: int) -> None:
        async with bench.units.write() as store:
            await store.revocations.add(f"ses_{number}", START)
            await asyncio.sleep(0.002 * (number % 3))

    async def follow() -> None:
        while len(seen) < 30:
            async with bench.units.read() as store:
                rows = await store.revocations.since(seen[-1] if seen else 0, 7)
            seen.extend(row.sequence for row in rows)
            await asyncio.sleep(0.001)

    following = asyncio.create_task(follow())
    for first in range(0, 30, 5):
        await asyncio.gather(*(write(number) for number in range(first, first + 5)))
    await asyncio.wait_for(following, 10)
    assert seen == list(range(1, 31))
    async with bench.units.read() as store:
        assert await store.revocations.latest() == 30


async def test_a_revocation_rolled_back_leaves_no_gap(bench: Bench) -> None:
    async def revoke_and_fail() -> None:
        async with bench.units.write() as store:
            await store.revocations.add("ses_a", START)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await revoke_and_fail()
    async with bench.units.write() as store:
        assert (await store.revocations.add("ses_b", START)).sequence == 1


async def test_the_last_minute_begins_at_its_first_microsecond(bench: Bench) -> None:
    await add(bench, session("a"), session("b"))
    async with bench.units.write() as store:
        await store.revocations.add("ses_a", START)
        await store.revocations.add("ses_b", START + TICK)
        await store.sessions.end("ses_b", START)
    async with bench.units.read() as store:
        assert [row.session_id for row in await store.revocations.newer_than(START)] == ["ses_a", "ses_b"]
        assert [row.session_id for row in await store.revocations.newer_than(START + TICK)] == ["ses_b"]
        assert await store.revocations.still_open(START) == 1


async def test_a_mail_is_claimed_by_one(bench: Bench) -> None:
    mails = [Outgoing(f"mai_{number}", "usr_anna", CONFIRM, "sup_1", START) for number in range(6)]
    async with bench.units.write() as store:
        for mail in mails:
            await store.mail.add(mail)

    async def claim() -> list[str]:
        async with bench.units.write() as store:
            found = await store.mail.claim(START, START + timedelta(seconds=90), 4)
        return [mail.mail_id for mail in found]

    claimed = [name for names in await asyncio.gather(*(claim() for _ in range(4))) for name in names]
    assert len(claimed) == len(set(claimed))
    claimed += await claim()
    assert sorted(claimed) == [mail.mail_id for mail in mails]
    async with bench.units.write() as store:
        await store.mail.postpone("mai_0", START + TICK)
        await store.mail.remove("mai_1")
    async with bench.units.write() as store:
        again = await store.mail.claim(START + TICK, START + timedelta(seconds=90), 9)
    assert [(mail.mail_id, mail.attempts) for mail in again] == [("mai_0", 1)]


@pytest.mark.clause("ASVS 6.5.1")
async def test_of_racing_uses_of_a_token_one_wins(bench: Bench) -> None:
    token = MailToken(CONFIRM, "usr_anna", "sup_1", START + timedelta(hours=24))
    async with bench.units.write() as store:
        await store.mail_tokens.add(token, bytes(32))

    async def use() -> MailToken | None:
        async with bench.units.write() as store:
            return await store.mail_tokens.use(bytes(32), CONFIRM, START)

    used = await asyncio.gather(*(use() for _ in range(8)))
    assert [one for one in used if one is not None] == [token]


async def test_a_token_serves_its_purpose_until_its_time(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.mail_tokens.add(MailToken(CONFIRM, "usr_anna", "sup_1", START), bytes(32))
        assert await store.mail_tokens.use(bytes(32), "recover", START - TICK) is None
        assert await store.mail_tokens.use(bytes(32), CONFIRM, START) is None
        assert await store.mail_tokens.use(b"1" * 32, CONFIRM, START - TICK) is None
        assert await store.mail_tokens.use(bytes(32), CONFIRM, START - TICK) is not None


async def test_what_auth_does_by_itself_commits_with_its_record(bench: Bench) -> None:
    async def send_and_fail() -> None:
        async with bench.units.write() as store:
            await store.ledger.mail(WHO, WHAT, CONFIRM, sent=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await send_and_fail()
    async with bench.units.write() as store:
        await store.ledger.superseded(WHO, WHAT)
    async with bench.database.read() as connection:
        assert len((await connection.execute(select(tables.metadata.tables["outbox"]))).all()) == 1


async def test_upkeep_drops_what_nothing_can_use(bench: Bench) -> None:
    await add(bench, session("a"), session("b", closes=START - timedelta(days=31)))
    await SqlActivity(bench.database).touch("ses_a", START)
    await SqlActivity(bench.database).touch("ses_b", START - timedelta(hours=13))
    await SqlCounters(bench.database).add("x", START)
    await SqlCounters(bench.database).add("y", START - TICK)
    async with bench.units.write() as store:
        for age, sequence in ((0, 1), (2, 2)):
            await store.revocations.add(f"ses_{sequence}", START - timedelta(days=age))
        await store.accounts.propose("sup_1", "usr_anna", HASH, START - timedelta(days=4))
        await store.mail_tokens.add(MailToken(CONFIRM, "usr_anna", "", START - timedelta(days=8)), bytes(32))
        for name, age in (("bo", 8), ("cy", 6), ("di", 8), ("ed", 8)):
            made = replace(ANNA, account_id=f"usr_{name}", lookup=name, created=START - timedelta(days=age))
            await store.accounts.ensure(made)
        for name in ("di", "ed"):
            await store.accounts.propose(f"sup_{name}", f"usr_{name}", HASH, START)
        await store.accounts.confirm("usr_di", "sup_di", START)
    await SqlUpkeep(bench.database).sweep(START)
    async with bench.units.read() as store:
        left_over = [await store.accounts.get(f"usr_{name}") for name in ("anna", "bo", "cy", "di", "ed")]
    assert [account is not None for account in left_over] == [True, False, True, True, True]
    left = {}
    async with bench.database.read() as connection:
        for name in ("sessions", "activity", "counters", "revocations", "sign_ups", "mail_tokens", "accounts"):
            left[name] = len((await connection.execute(select(tables.metadata.tables[name]))).all())
    assert left == {
        "sessions": 1, "activity": 1, "counters": 1, "revocations": 1, "sign_ups": 1, "mail_tokens": 0, "accounts": 4,
    }  # fmt: skip
    async with bench.units.write() as store:
        assert (await store.revocations.add("ses_c", START)).sequence == 3


async def test_a_store_that_cannot_be_used_says_so(bench: Bench) -> None:
    async with bench.database.write() as connection:
        await connection.execute(delete(tables.revocation_head))

    async def revoke() -> None:
        async with bench.units.write() as store:
            await store.revocations.add("ses_a", START)

    with pytest.raises(StoreAway):
        await revoke()
