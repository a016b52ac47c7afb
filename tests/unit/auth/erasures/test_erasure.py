"""How an account is erased: asked for, taken back, carried out step by step, and whole wherever it is killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from services.auth import tables
from services.auth.courier import Undelivered
from services.auth.erasures.eraser import Eraser
from services.auth.erasures.erasure import Blocked, Erasure, ErasureConfig, Erasures, Phase, State
from services.auth.erasures.receipts import LastReceipts, ReceiptsAway
from services.auth.erasures.sql import KEPT, AccountTies
from services.auth.errors import BAD_CREDENTIALS, ERASURE_BEGUN, ERASURE_NOT_REQUESTED
from services.auth.mail import ERASURE_DONE, Outgoing
from services.auth.operators.standing import Standings
from services.auth.sql import SqlStore, SqlUnits
from services.auth.store import StoreAway, Units, Work
from services.kit.faults import NOT_FOUND, SESSION_ENDED, Fault, Reason
from tests.unit.auth.world import EMAIL, Trail, World, world_in

CONFIG = ErasureConfig(grace_seconds=3600)
UNTIL = Blocked("charge", 3, "statutory", None)
NOBODY = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9"


def erasures(world: World) -> Erasures:
    return Erasures(CONFIG, world.clock, world.ids)


def eraser(world: World, units: Units | None = None) -> Eraser:
    broadcaster, _, _ = world.make_broadcaster()

    async def unlink(work: Work, account_id: str) -> int:
        """Forget links on the step's own transaction, without a third party."""
        store = await work.write()
        mine = await store.links.connected(account_id)
        return sum([await store.links.remove(account_id, one.link_id) for one in mine])

    ties, stopped = AccountTies(unlink, world.keys), lambda: None
    return Eraser(units or world.units, ties, world.sessions, broadcaster, CONFIG, world.clock, world.ids, stopped)


async def request(world: World, account: str) -> Erasure:
    async with world.work() as work:
        return await erasures(world).request(work, account)


async def cancel(world: World, account: str) -> None:
    async with world.work() as work:
        await erasures(world).cancel(work, account)


async def acknowledge(world: World, account: str, service: str, *blocked: Blocked) -> None:
    async with world.work() as work:
        event = world.ids.new("evt")
        await erasures(world).acknowledge(work, Trail(), account, service, event, blocked)


async def state(world: World, account: str) -> State | None:
    found = await erasures(world).get(world.work(), account)
    return found.state if found else None


async def refused(world: World, reason: Reason, service: str, account: str) -> None:
    with pytest.raises(Fault) as fault:
        await acknowledge(world, account, service)
    assert fault.value.reason is reason


async def rows_about(world: World, account: str) -> list[str]:
    """Every table that has the account's id, or its address, anywhere in a row."""
    found = []
    async with world.database.read() as connection:
        for table in tables.metadata.sorted_tables:
            rows = (await connection.execute(select(table))).all()
            if table.name != "outbox" and any(account in map(str, row) or EMAIL in str(row) for row in rows):
                found.append(table.name)
    return found


async def test_it_waits_for_its_grace_and_can_be_taken_back_until_then(world: World) -> None:
    account = await world.member()
    asked = await request(world, account)
    assert asked.due == world.clock.now() + timedelta(hours=1)
    world.clock.advance(1800)
    assert await request(world, account) == asked
    assert await eraser(world).step() == 0
    await world.sign_in()
    await cancel(world, account)
    assert await erasures(world).get(world.work(), account) is None
    world.clock.advance(7200)
    assert await eraser(world).step() == 0
    with pytest.raises(Fault) as fault:
        await cancel(world, account)
    assert fault.value.reason is ERASURE_NOT_REQUESTED
    await request(world, account)
    world.clock.advance(3600)
    assert await eraser(world).step() == 1
    with pytest.raises(Fault) as fault:
        await cancel(world, account)
    assert fault.value.reason is ERASURE_BEGUN


async def test_the_owner_is_told_when_it_is_asked_for_and_only_once(world: World) -> None:
    account = await world.member()
    await request(world, account)
    await request(world, account)
    before = len(world.server.taken)
    while await world.courier.step():
        pass
    (mail,) = world.server.taken[before:]
    text = mail.get_body(("plain",))
    assert text is not None
    assert "2026-11-22 13:00 UTC" in text.get_content()


async def test_a_notice_of_what_was_taken_back_before_it_left_is_not_sent(world: World) -> None:
    account = await world.member()
    await request(world, account)
    await cancel(world, account)
    before = len(world.server.taken)
    await world.courier.step()
    assert len(world.server.taken) == before


@pytest.mark.clause("P8", "ASVS 7.4.2")
async def test_when_it_begins_nobody_is_signed_in_and_nobody_gets_in_again(world: World) -> None:
    account = await world.member()
    opened = await world.sign_in()
    await request(world, account)
    world.clock.advance(1000)
    kept = await world.sign_in()
    world.clock.advance(2600)
    await eraser(world).step()
    for token in (opened.token, kept.token):
        with pytest.raises(Fault) as fault:
            await world.sessions.find(world.work(), token)
        assert fault.value.reason is SESSION_ENDED
    with pytest.raises(Fault) as fault:
        await world.sign_in()
    assert fault.value.reason is BAD_CREDENTIALS
    with pytest.raises(Fault) as fault:
        async with world.work() as work:
            await Standings(world.sessions, world.clock, world.ids).enable(work, Trail(), account)
    assert fault.value.reason is ERASURE_BEGUN
    async with world.units.read() as store:
        assert [(one.account_id, one.phase) for one in await store.lifecycle.erasures.orders(0, 9)] == [
            (account, Phase.DATA)
        ]


async def test_the_log_comes_last_and_only_when_the_owner_was_told(world: World) -> None:
    account = await world.member()
    await refused(world, NOT_FOUND, "files", account)
    await request(world, account)
    await refused(world, NOT_FOUND, "files", account)
    world.clock.advance(3600)
    work = eraser(world)
    await work.step()
    await acknowledge(world, account, "files")
    await refused(world, NOT_FOUND, "audit", account)
    assert await work.step() == 0
    assert await state(world, account) is State.DATA
    await acknowledge(world, account, "billing", UNTIL)
    await acknowledge(world, account, "billing", UNTIL)
    assert await work.step() == 1
    assert await state(world, account) is State.TELLING
    assert await work.step() == 0, "the mail has not left"
    while await world.courier.step():
        pass
    assert await work.step() == 1
    await acknowledge(world, account, "audit")
    assert await work.step() == 1
    assert await state(world, account) is State.ERASED
    await acknowledge(world, account, "files")
    text = world.server.taken[-1].get_body(("plain",))
    assert text is not None
    assert "records of payments (3), which the law demands" in text.get_content()


@pytest.mark.clause("P14")
async def test_nothing_is_left_of_it_but_opaque_ids_and_the_address_is_free(world: World) -> None:
    account = await world.member()
    other = await world.member("bo@example.com")
    await world.sign_in()
    for owner in (account, other):
        await world.keys.get_or_create(owner)
    await through(world, account)
    assert set(await rows_about(world, account)) <= KEPT | {"revocations"}
    assert await world.keys.get(account) is None
    assert await world.keys.get(other) is not None
    async with world.units.read() as store:
        assert await store.accounts.get(other) is not None
    again = await world.member()
    assert again != account
    assert (await world.sign_in()).session.account_id == again
    assert [event.action for event in await world.events() if event.action.startswith("auth.erasure.")] == [
        "auth.erasure.begin",
        "auth.erasure.end",
    ]


def test_every_table_that_names_an_account_is_emptied_or_listed() -> None:
    named = {table.name for table in tables.metadata.sorted_tables if "account_id" in table.c}
    assert named > KEPT
    others = {table.name for table in tables.metadata.sorted_tables} - named
    known = {"activity", "counters", "erasure_head", "outbox", "outbox_state", "revocation_head", "revocations"}
    assert others <= known, "a table that names an account otherwise is not erased: say how it is"


async def through(world: World, account: str, units: Units | None = None) -> None:
    """Carry an erasure out, as services, mail server and eraser do together; each may be called in any state."""
    if await state(world, account) is None:
        await request(world, account)
    world.clock.advance(3600)
    for _ in range(12):
        await eraser(world, units).step()
        while await world.courier.step():
            pass
        now = await state(world, account)
        if now is State.DATA:
            await acknowledge(world, account, "files")
            await acknowledge(world, account, "billing")
        if now is State.LOG:
            await acknowledge(world, account, "audit")
        if now is State.ERASED:
            return
    raise AssertionError("it did not end")


class Crashing:
    """Transactions, of which the n-th to write is lost: before it, or when all but its commit is done."""

    def __init__(self, units: SqlUnits, fatal: int, *, late: bool) -> None:
        self._units, self._left, self._late = units, fatal, late
        self.crashed = False

    def read(self) -> object:
        return self._units.read()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlStore]:
        self._left -= 1
        crash = self._left < 0 and not self.crashed
        self.crashed |= crash
        if crash and not self._late:
            raise StoreAway
        async with self._units.write() as store:
            yield store
            if crash:
                raise StoreAway


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("fatal", range(4))
async def test_killed_at_any_step_it_goes_on(tmp_path: Path, fatal: int, *, late: bool) -> None:
    async with world_in(tmp_path) as world:
        account = await world.member()
        await world.sign_in()
        units = Crashing(world.units, fatal, late=late)
        with pytest.raises(StoreAway):
            await through(world, account, units)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in
        assert units.crashed
        await through(world, account)
        assert set(await rows_about(world, account)) <= KEPT | {"revocations"}
        async with world.units.read() as store:
            orders = await store.lifecycle.erasures.orders(0, 9)
        assert [(one.sequence, one.phase) for one in orders] == [(1, Phase.DATA), (2, Phase.LOG)]
        sent = [event.details.version for event in await world.events() if event.action == "auth.mail.send"]
        assert sent.count("erasure_done") == 1


class Log:
    """The log, which may be away."""

    def __init__(self) -> None:
        self.away = True

    async def receipts(self, account_id: str, events: Sequence[str]) -> Sequence[bytes]:
        if self.away:
            raise ReceiptsAway
        return [f"{account_id} {event}".encode() for event in events]


async def test_the_last_mail_encloses_a_receipt_of_each_service_and_waits_for_them(world: World) -> None:
    account = await world.member()
    await request(world, account)
    world.clock.advance(3600)
    await eraser(world).step()
    await acknowledge(world, account, "files")
    await acknowledge(world, account, "billing")
    log = Log()
    enclosing = LastReceipts(world.units, log)
    mail = Outgoing(world.ids.new("mai"), account, ERASURE_DONE, "", world.clock.now())
    with pytest.raises(Undelivered) as waits:
        await enclosing.enclosures(mail)
    assert not waits.value.for_good
    log.away = False
    found = await enclosing.enclosures(mail)
    assert [name for name, _ in found] == ["billing.tlog-proof", "files.tlog-proof"]
    assert all(data.startswith(account.encode()) for _, data in found)


async def test_operators_see_how_far_it_has_come(world: World) -> None:
    account = await world.member()
    with pytest.raises(Fault) as fault:
        await erasures(world).progress(world.work(), Trail(), account)
    assert fault.value.reason is NOT_FOUND
    await request(world, account)
    world.clock.advance(3600)
    await eraser(world).step()
    await acknowledge(world, account, "billing", UNTIL)
    trail = Trail()
    found, parts = await erasures(world).progress(world.work(), trail, account)
    assert (found.state, trail.subject) == (State.DATA, account)
    assert [(part.service, part.blocked) for part in parts] == [("billing", (UNTIL,))]


def test_a_configuration_that_forgets_the_services_or_names_the_log_is_refused() -> None:
    for wrong in ({"services": ()}, {"services": ("files", "audit")}, {"grace_seconds": -1}):
        with pytest.raises(ValueError, match="erasure"):
            ErasureConfig(**wrong)
