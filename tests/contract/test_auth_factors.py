"""One suite for the stores of factors, on SQLite and PostgreSQL: of racing calls one wins."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from services.auth import tables
from services.auth.accounts import Account
from services.auth.factors.challenges import Challenge, Purpose
from services.auth.factors.passkeys import Passkey
from services.auth.factors.store import FactorStore
from services.auth.passwords import PasswordHash
from services.auth.sessions import Limits, Sessions
from services.auth.sql import SqlUnits
from services.auth.sql_ports import SqlActivity, SqlUpkeep
from services.kit.db import Database, DatabaseConfig
from services.kit.ids import Ids
from services.kit.migrate import migrate
from services.kit.outbox import Outbox
from tests.support.clock import START, FakeClock

MIGRATIONS = Path(tables.__file__).parent / "migrations"
ANNA = Account("usr_anna", "Anna@example.com", "anna@example.com", "sv", START)
BO = Account("usr_bo", "bo@example.com", "bo@example.com", "sv", START)
TICK = timedelta(microseconds=1)
RACERS = 6
SEED = b"sealed seed"
CHALLENGE = Challenge(Purpose.SECOND, "usr_anna", "", START + timedelta(minutes=5))
PASSKEY = Passkey(
    "psk_1", "usr_anna", b"credential", b"key", 3, verifies_user=True, transports=("internal", "usb"),
    display_name="Åsas nyckel", created=START,
)  # fmt: skip
HASH = PasswordHash("$argon2id$v=19$m=19456,t=2,p=1", "$salt$tag", "p1")


@dataclass
class Bench:
    """A migrated database with two accounts."""

    database: Database
    units: SqlUnits

    async def race(self, use: Callable[[FactorStore], Awaitable[object]]) -> list[object]:
        """Do the same at once in transactions of their own; returns what was truthy."""

        async def one() -> object:
            async with self.units.write() as store:
                return await use(store.factors)

        return [result for result in await asyncio.gather(*(one() for _ in range(RACERS))) if result]


@pytest.fixture(params=["sqlite", "postgresql"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """The same stores on each database."""
    sqlite = request.param == "sqlite"
    url = f"sqlite+aiosqlite:///{tmp_path}/auth.db" if sqlite else request.getfixturevalue("postgres_url")
    config = DatabaseConfig(url)
    await asyncio.to_thread(migrate, MIGRATIONS, config)
    database, clock = Database(config), FakeClock()
    made = Bench(database, SqlUnits(database, Outbox(database, clock, Ids(clock))))
    async with made.units.write() as store:
        await store.accounts.ensure(ANNA)
        await store.accounts.ensure(BO)
    yield made
    await database.close()


async def enrol(bench: Bench, step: int = 10) -> None:
    async with bench.units.write() as store:
        assert await store.factors.totp.begin("usr_anna", SEED, START)
        assert await store.factors.totp.confirm("usr_anna", SEED, step, START + TICK)


async def test_an_app_waits_is_replaced_is_confirmed_and_then_stays(bench: Bench) -> None:
    async with bench.units.write() as store:
        totp = store.factors.totp
        assert await totp.find("usr_anna") is None
        assert await totp.begin("usr_anna", b"first", START)
        assert await totp.begin("usr_anna", SEED, START + TICK)
        assert not await totp.accept("usr_anna", SEED, 11)
        assert not await totp.confirm("usr_anna", b"first", 10, START)
        assert not await totp.remove("usr_anna")
        assert await totp.confirm("usr_anna", SEED, 10, START + TICK)
        assert not await totp.confirm("usr_anna", SEED, 11, START)
        assert not await totp.begin("usr_anna", b"third", START)
    async with bench.units.read() as store:
        found = await store.factors.totp.find("usr_anna")
    assert found is not None
    assert (found.sealed, found.begun, found.confirmed, found.last_step) == (SEED, START + TICK, START + TICK, 10)
    async with bench.units.write() as store:
        assert await store.factors.totp.remove("usr_anna")
        assert not await store.factors.totp.remove("usr_anna")


async def test_only_what_is_confirmed_is_a_second_factor(bench: Bench) -> None:
    async with bench.units.write() as store:
        assert not await store.factors.has_second("usr_anna")
        await store.factors.totp.begin("usr_anna", SEED, START)
        assert not await store.factors.has_second("usr_anna")
        await store.factors.totp.confirm("usr_anna", SEED, 1, START)
        assert await store.factors.has_second("usr_anna")
        assert not await store.factors.has_second("usr_bo")
        await store.factors.passkeys.add(replace(PASSKEY, account_id="usr_bo"))
        assert await store.factors.has_second("usr_bo")


@pytest.mark.clause("ASVS 6.5.1", "NIST 800-63B-4 3.1.4")
async def test_steps_only_rise_and_one_of_racing_calls_takes_a_step(bench: Bench) -> None:
    await enrol(bench)
    assert len(await bench.race(lambda factors: factors.totp.accept("usr_anna", SEED, 12))) == 1
    async with bench.units.write() as store:
        for step in (9, 10, 11, 12):
            assert not await store.factors.totp.accept("usr_anna", SEED, step)
        assert not await store.factors.totp.accept("usr_bo", SEED, 13)
        assert not await store.factors.totp.accept("usr_anna", b"another seed", 13)
        assert await store.factors.totp.accept("usr_anna", SEED, 13)


async def test_of_racing_confirmations_one_wins(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.factors.totp.begin("usr_anna", SEED, START)
    assert len(await bench.race(lambda factors: factors.totp.confirm("usr_anna", SEED, 1, START))) == 1


@pytest.mark.clause("ASVS 6.5.1", "ASVS 6.5.2")
async def test_a_recovery_code_is_used_once_by_its_owner(bench: Bench) -> None:
    digests = [bytes([number]) * 32 for number in range(10)]
    async with bench.units.write() as store:
        await store.factors.recovery_codes.replace("usr_anna", digests, START)
        assert not await store.factors.recovery_codes.use("usr_bo", digests[0], START)
    assert len(await bench.race(lambda factors: factors.recovery_codes.use("usr_anna", digests[0], START))) == 1
    async with bench.units.write() as store:
        codes = store.factors.recovery_codes
        assert await codes.left("usr_anna") == 9
        assert not await codes.has("usr_anna", digests[0])
        assert await codes.has("usr_anna", digests[1])
        assert not await codes.has("usr_bo", digests[1])
        await codes.replace("usr_anna", [b"x" * 32], START)
        assert not await codes.use("usr_anna", digests[1], START)
        assert await codes.left("usr_anna") == 1
        await codes.replace("usr_anna", [], START)
        assert await codes.left("usr_anna") == 0


async def test_a_passkey_is_found_as_it_was_added_and_only_its_owner_changes_it(bench: Bench) -> None:
    async with bench.units.write() as store:
        passkeys = store.factors.passkeys
        assert await passkeys.add(PASSKEY)
        assert not await passkeys.add(replace(PASSKEY, passkey_id="psk_2", account_id="usr_bo"))
        second = replace(PASSKEY, passkey_id="psk_3", credential_id=b"other", verifies_user=False, transports=())
        assert await passkeys.add(second)
    async with bench.units.read() as store:
        assert await store.factors.passkeys.of("usr_anna") == [PASSKEY, second]
        assert await store.factors.passkeys.of("usr_bo") == []
        assert await store.factors.passkeys.by_credential(b"credential") == PASSKEY
        assert await store.factors.passkeys.by_credential(b"nobody's") is None
    async with bench.units.write() as store:
        passkeys = store.factors.passkeys
        assert not await passkeys.rename("usr_bo", "psk_1", "Bos")
        assert not await passkeys.remove("usr_bo", "psk_1")
        assert await passkeys.rename("usr_anna", "psk_1", "Anna's")
        assert [one.display_name for one in await passkeys.of("usr_anna")] == ["Anna's", "Åsas nyckel"]
        assert await passkeys.remove("usr_anna", "psk_1")
        assert not await passkeys.remove("usr_anna", "psk_1")


@pytest.mark.clause("NIST 800-63B-4 3.1.7", "P9")
async def test_a_count_only_rises_and_who_does_not_count_stays_at_zero(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.factors.passkeys.add(PASSKEY)
        await store.factors.passkeys.add(replace(PASSKEY, passkey_id="psk_0", credential_id=b"0", sign_count=0))
    assert len(await bench.race(lambda factors: factors.passkeys.used("psk_1", 4, START))) == 1
    assert len(await bench.race(lambda factors: factors.passkeys.used("psk_0", 0, START))) == RACERS
    async with bench.units.write() as store:
        for count in (0, 3, 4):
            assert not await store.factors.passkeys.used("psk_1", count, START)
        assert await store.factors.passkeys.used("psk_0", 1, START + TICK)
        assert not await store.factors.passkeys.used("psk_0", 0, START)
        found = await store.factors.passkeys.by_credential(b"0")
    assert found is not None
    assert (found.sign_count, found.used) == (1, START + TICK)


@pytest.mark.clause("ASVS 6.6.2", "ASVS 6.6.3")
async def test_a_challenge_has_few_attempts_however_many_race_for_them(bench: Bench) -> None:
    async with bench.units.write() as store:
        await store.factors.challenges.add(CHALLENGE, bytes(32))
    taken = await bench.race(lambda factors: factors.challenges.attempt(bytes(32), START, 4))
    assert taken == [CHALLENGE] * 4
    assert len(await bench.race(lambda factors: factors.challenges.use(bytes(32), START))) == 1
    async with bench.units.write() as store:
        await store.factors.challenges.add(CHALLENGE, b"1" * 32)
        assert await store.factors.challenges.use(b"1" * 32, START)
        assert await store.factors.challenges.attempt(b"1" * 32, START, 4) is None


async def test_a_challenge_ends_at_its_time(bench: Bench) -> None:
    async with bench.units.write() as store:
        challenges = store.factors.challenges
        await challenges.add(CHALLENGE, bytes(32))
        assert await challenges.attempt(b"?" * 32, START, 5) is None
        assert await challenges.attempt(bytes(32), CHALLENGE.expires, 5) is None
        assert not await challenges.use(bytes(32), CHALLENGE.expires)
        assert await challenges.attempt(bytes(32), CHALLENGE.expires - TICK, 5) == CHALLENGE
        assert await challenges.use(bytes(32), CHALLENGE.expires - TICK)


async def test_an_accounts_challenges_are_dropped_and_nobody_elses(bench: Bench) -> None:
    async with bench.units.write() as store:
        challenges = store.factors.challenges
        for number, account in enumerate(("usr_anna", "usr_bo", "")):
            await challenges.add(replace(CHALLENGE, account_id=account), bytes([number]) * 32)
        await challenges.drop("usr_anna")
        left = [await challenges.attempt(bytes([number]) * 32, START, 5) for number in range(3)]
    assert [one and one.account_id for one in left] == [None, "usr_bo", ""]


async def test_a_password_is_set_replaced_and_taken_away(bench: Bench) -> None:
    newer = replace(HASH, digest="$b$b", pepper="p2")
    async with bench.units.write() as store:
        assert await store.accounts.password_of("usr_anna") is None
        for wanted in (HASH, newer, None, None):
            await store.accounts.set_password("usr_anna", wanted)
            assert await store.accounts.password_of("usr_anna") == wanted


async def test_who_locks_an_account_waits_for_who_has_it(bench: Bench) -> None:
    order: list[str] = []
    locked = asyncio.Event()

    async def first() -> None:
        async with bench.units.write() as store:
            await store.accounts.lock("usr_anna")
            locked.set()
            await asyncio.sleep(0.1)
            order.append("first")

    async def second() -> None:
        await locked.wait()
        async with bench.units.write() as store:
            await store.accounts.lock("usr_anna")
            order.append("second")

    await asyncio.gather(second(), first())
    assert order == ["first", "second"]


@pytest.mark.clause("P8")
async def test_ending_all_sessions_and_one_of_them_at_once_waits_and_never_fails(bench: Bench) -> None:
    clock = FakeClock()
    sessions = Sessions(Limits(), clock, Ids(clock), secrets.token_bytes, SqlActivity(bench.database))

    async def opened() -> str:
        async with bench.units.write() as store:
            return (await sessions.open(store.sessions, "usr_anna", ("pwd",))).session.session_id

    async def end_one(name: str) -> bool:
        async with bench.units.write() as store:
            ended = await store.sessions.end(name, START)
            await asyncio.sleep(0)
            if ended:
                await store.revocations.add(name, START)
            return ended

    async def end_all() -> int:
        async with bench.units.write() as store:
            return await sessions.end_all(store.sessions, store.revocations, "usr_anna")

    for _ in range(10):
        names = [await opened() for _ in range(4)]
        counts = await asyncio.gather(end_all(), *(end_one(name) for name in reversed(names)), end_all())
        assert sum(counts) == 4


async def test_upkeep_drops_what_nobody_can_answer_any_more(bench: Bench) -> None:
    await enrol(bench)
    async with bench.units.write() as store:
        await store.factors.totp.begin("usr_bo", b"never confirmed", START)
        await store.factors.challenges.add(replace(CHALLENGE, expires=START), bytes(32))
    for after, left in ((1, (2, 1)), (24, (2, 0))):
        await SqlUpkeep(bench.database).sweep(START + timedelta(hours=after))
        assert await rows(bench) == left
    await SqlUpkeep(bench.database).sweep(START + timedelta(hours=24) + TICK)
    assert await rows(bench) == (1, 0)


async def rows(bench: Bench) -> tuple[int, int]:
    async with bench.database.read() as connection:
        return (
            len((await connection.execute(select(tables.totp))).all()),
            len((await connection.execute(select(tables.challenges))).all()),
        )
