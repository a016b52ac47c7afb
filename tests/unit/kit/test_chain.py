"""What stands around every handler: who may call, what is recorded, and what a peer is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from sqlalchemy import select, text

from services.kit.assertion import Assertion
from services.kit.call import Call
from services.kit.chain import Chain
from services.kit.faults import AUDIT_UNAVAILABLE, NOT_FOUND, SESSION_ENDED, UNAUTHENTICATED, Fault
from services.kit.ids import Ids
from services.kit.origin import Origin
from services.kit.outbox import Outbox
from services.kit.policy import Method, methods_of
from services.kit.postgres import ALONE, AWAITED, Patience, patience
from services.kit.refusals import WINDOW_SECONDS, Refusals
from services.kit.telemetry import Log
from services.kit.tls import Peer
from tests.support.clock import START, FakeClock
from tests.support.stores import make_outbox
from valv.audit.v1 import event_pb2
from valv.auth.v1 import account_pb2, session_pb2
from valv.billing.v1 import charge_pb2
from valv.files.v1 import file_pb2

CUSTOMER, SESSION = "usr_01jd9xk8w0q2m3n4p5r6s7t8v9", "ses_01jd9xk8w0q2m3n4p5r6s7t8v9"
OTHER = "usr_01jd9xk8w0q2m3n4p5r6s7t8w0"


class FakeVerifier:
    """Knows one good token."""

    def verify(self, token: str) -> Assertion:
        if token != "good":
            raise Fault(SESSION_ENDED)
        return Assertion(
            subject=CUSTOMER,
            session=SESSION,
            issued=START,
            expires=START + timedelta(seconds=30),
            ends=START + timedelta(seconds=1800),
            auth_time=START,
            amr=("pwd",),
        )


class Bench:
    """A chain over a real outbox, and a way to call through it."""

    def __init__(self, outbox: Outbox, clock: FakeClock) -> None:
        self.outbox, self.clock = outbox, clock
        self.refusals = Refusals(outbox, clock, Log("test"))
        self.chain = self._chain()

    def _chain(self) -> Chain:
        return Chain(self.clock, Log("test"), self.outbox, self.refusals, FakeVerifier(), 2)  # type: ignore[arg-type]  # the test hands over what types forbid, or a stand-in

    def limit_subjects(self, most: int) -> None:
        self.refusals = Refusals(self.outbox, self.clock, Log("test"), most)
        self.chain = self._chain()

    def call(self, method: Method, role: str = "envoy", token: str | None = "good") -> Call:
        metadata = {} if token is None else {"x-valv-assertion": token}
        origin = Origin("192.0.2.7", "firefox/linux")
        return Call(method, Peer(role), Ids(self.clock).new("req"), "", origin, metadata)

    async def run(
        self, call: Call, handle: Callable[[Call], Awaitable[None]] | None = None, request: Message | None = None
    ) -> None:
        async with self.chain.around(call, request or call.method.input()):
            if handle is not None:
                await handle(call)

    async def events(self) -> list[event_pb2.Event]:
        async with self.outbox.database.read() as connection:
            rows = await connection.execute(select(self.outbox.table.c.event).order_by(self.outbox.table.c.id))
            return [event_pb2.Event.FromString(data) for data in rows.scalars()]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = FakeClock()
    outbox = await make_outbox(tmp_path, clock)
    async with outbox.database.write() as connection:
        await connection.execute(text("CREATE TABLE thing (name TEXT)"))
    yield Bench(outbox, clock)
    await outbox.close()
    await outbox.database.close()


def method(service: ServiceDescriptor, name: str) -> Method:
    return next(found for found in methods_of(service) if found.name == name)


DELETE = method(file_pb2.DESCRIPTOR.services_by_name["FileService"], "delete_file")
LIST = method(file_pb2.DESCRIPTOR.services_by_name["FileService"], "list_files")
SIGN_IN = method(account_pb2.DESCRIPTOR.services_by_name["AccountService"], "sign_in")
CHARGE = method(charge_pb2.DESCRIPTOR.services_by_name["ChargeService"], "create_charge")
RENEW = method(session_pb2.DESCRIPTOR.services_by_name["SessionService"], "renew")


async def test_a_transaction_that_cannot_be_begun_is_a_store_that_is_away(bench: Bench, tmp_path: Path) -> None:
    await bench.outbox.database.close()
    (tmp_path / "outbox.db").unlink()
    (tmp_path / "outbox.db").mkdir()  # nothing opens it

    async def write(call: Call) -> None:
        _ = await call.tx()

    with pytest.raises(Fault) as error:
        await bench.run(bench.call(DELETE), write)
    assert error.value.reason is AUDIT_UNAVAILABLE  # its refusal cannot be recorded either


async def test_a_store_is_waited_for_longer_where_the_policy_gives_time(bench: Bench) -> None:
    waited: list[Patience] = []

    async def read(_call: Call) -> None:
        waited.append(patience())

    for given in (LIST, replace(LIST, policy=replace(LIST.policy, within=600))):
        await bench.run(bench.call(given), read)
    assert waited == [AWAITED, ALONE]


async def _things(bench: Bench) -> int:
    async with bench.outbox.database.read() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM thing"))).scalar_one())


async def _insert(call: Call) -> None:
    await (await call.tx()).execute(text("INSERT INTO thing VALUES ('a')"))
    call.record.object("file", "fil_1")
    call.record.detail(bytes=7)


@pytest.mark.clause("P5", "PCI DSS 10.2.2", "ASVS 16.2.1")
async def test_a_write_and_its_record_are_one(bench: Bench) -> None:
    await bench.run(bench.call(DELETE), _insert)
    (event,) = await bench.events()
    assert await _things(bench) == 1
    assert (event.action, event.outcome) == ("files.file.delete", event_pb2.OUTCOME_SUCCESS)
    assert (event.actor.kind, event.actor.id) == (event_pb2.Actor.KIND_CUSTOMER, CUSTOMER)
    assert (event.subject, event.session) == (CUSTOMER, SESSION)
    assert (event.object.id, event.details.bytes) == ("fil_1", 7)
    assert (event.origin.address, event.origin.device) == ("192.0.2.7", "firefox/linux")
    assert event.request_id.startswith("req_")
    assert event.time.ToJsonString() == "2026-11-22T12:00:00Z"


@pytest.mark.clause("P5", "ASVS 16.5.3")
async def test_a_write_that_cannot_be_recorded_does_not_happen(bench: Bench) -> None:
    async with bench.outbox.database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE outbox RENAME TO gone")
    with pytest.raises(Fault) as caught:
        await bench.run(bench.call(DELETE), _insert)
    assert caught.value.reason.name == "AUDIT_UNAVAILABLE"
    assert await _things(bench) == 0


async def test_a_call_records_only_actions_that_its_policy_declares(bench: Bench) -> None:
    async def call_it_something_else(call: Call) -> None:
        await _insert(call)
        call.record.instead("files.file.invent")

    with pytest.raises(Fault) as caught:
        await bench.run(bench.call(DELETE), call_it_something_else)
    assert caught.value.reason.name == "INTERNAL"
    assert await _things(bench) == 0
    either = replace(DELETE, policy=replace(DELETE.policy, alternatives=("files.file.invent",)))
    await bench.run(bench.call(either), call_it_something_else)
    assert (await bench.events())[-1].action == "files.file.invent"


@pytest.mark.clause("P5", "PCI DSS 10.2.1.4")
async def test_a_refusal_undoes_the_write_and_is_recorded(bench: Bench) -> None:
    async def refuse(call: Call) -> None:
        await _insert(call)
        raise Fault(NOT_FOUND)

    with pytest.raises(Fault, match="NOT_FOUND"):
        await bench.run(bench.call(DELETE), refuse)
    (event,) = await bench.events()
    assert await _things(bench) == 0
    assert (event.outcome, event.reason) == (event_pb2.OUTCOME_DENIED, "NOT_FOUND")


async def test_what_an_exception_says_reaches_nobody(bench: Bench) -> None:
    async def fail(_call: Call) -> None:
        raise RuntimeError("password=hunter2")

    with pytest.raises(Fault) as caught:
        await bench.run(bench.call(LIST), fail)
    assert caught.value.reason.name == "INTERNAL"
    assert "hunter2" not in repr(caught.value) + str(caught.value.__cause__)
    (event,) = await bench.events()
    assert (event.outcome, event.reason) == (event_pb2.OUTCOME_FAILED, "INTERNAL")


async def test_a_read_is_recorded_and_may_not_write(bench: Bench) -> None:
    await bench.run(bench.call(LIST))
    assert [event.action for event in await bench.events()] == ["files.file.list"]
    with pytest.raises(Fault, match="INTERNAL"):
        await bench.run(bench.call(LIST), _insert)


async def test_a_read_may_be_recorded_before_its_first_byte(bench: Bench) -> None:
    seen: list[int] = []

    async def download(call: Call) -> None:
        await call.recorded()
        seen.append(len(await bench.events()))

    await bench.run(bench.call(LIST), download)
    assert seen == [1]
    assert len(await bench.events()) == 1


async def test_phases_commit_one_after_the_other(bench: Bench) -> None:
    request = charge_pb2.CreateChargeRequest(idempotency_key="k")

    async def charge(call: Call) -> None:
        await _insert(call)
        await call.phase("billing.intent.create")
        assert await _things(bench) == 1
        await _insert(call)
        raise Fault(NOT_FOUND)

    with pytest.raises(Fault, match="NOT_FOUND"):
        await bench.run(bench.call(CHARGE, "shop", None), charge, request)
    assert await _things(bench) == 1
    assert [event.action for event in await bench.events()] == ["billing.intent.create", "billing.charge.create"]


@pytest.mark.clause("P8")
@pytest.mark.parametrize("token", [None, "forged"])
async def test_a_customer_method_needs_a_live_assertion(bench: Bench, token: str | None) -> None:
    with pytest.raises(Fault) as caught:
        await bench.run(bench.call(LIST, token=token))
    assert caught.value.reason in (UNAUTHENTICATED, SESSION_ENDED)


@pytest.mark.clause("P3")
@pytest.mark.parametrize("called, role", [(LIST, "billing"), (RENEW, "envoy"), (CHARGE, "envoy"), (LIST, "")])
async def test_only_the_callers_of_the_policy_get_in(bench: Bench, called: Method, role: str) -> None:
    with pytest.raises(Fault, match="PERMISSION_DENIED"):
        await bench.run(bench.call(called, role))


async def test_money_needs_an_idempotency_key(bench: Bench) -> None:
    for key in ("", "x" * 256):
        with pytest.raises(Fault, match="IDEMPOTENCY_KEY_REQUIRED"):
            await bench.run(bench.call(CHARGE, "shop"), None, charge_pb2.CreateChargeRequest(idempotency_key=key))


@pytest.mark.clause("P11", "PCI DSS 12.10.7")
async def test_a_card_number_is_refused_and_the_refusal_recorded(bench: Bench) -> None:
    with pytest.raises(Fault, match="CARD_NUMBER_REFUSED"):
        await bench.run(bench.call(DELETE), None, file_pb2.DeleteFileRequest(file="4242 4242 4242 4242"))
    (event,) = await bench.events()
    assert event.reason == "CARD_NUMBER_REFUSED"
    assert "4242" not in str(event)


async def test_strangers_are_counted_so_that_a_flood_cannot_fill_the_log(bench: Bench) -> None:
    async def refuse(_call: Call) -> None:
        raise Fault(UNAUTHENTICATED)

    for _ in range(100):
        with pytest.raises(Fault):
            await bench.run(bench.call(SIGN_IN, token=None), refuse)
    assert len(await bench.events()) == 1
    bench.clock.advance(WINDOW_SECONDS)
    await bench.refusals.close()
    first, last = await bench.events()
    assert (first.details.count, last.details.count) == (1, 99)
    assert last.actor.kind == event_pb2.Actor.KIND_NOBODY


async def _refused(
    bench: Bench, subject: str, times: int = 1, otherwise: Callable[[], Awaitable[None]] | None = None
) -> None:
    async def refuse(call: Call) -> None:
        call.record.subject, call.record.otherwise = subject, otherwise
        raise Fault(UNAUTHENTICATED)

    for _ in range(times):
        with pytest.raises(Fault):
            await bench.run(bench.call(SIGN_IN, token=None), refuse)


@pytest.mark.clause("P5", "ASVS 16.3.1")
async def test_refusals_about_an_account_are_counted_for_its_owner_to_see(bench: Bench) -> None:
    await _refused(bench, CUSTOMER)
    (first,) = await bench.events()
    assert (first.subject, first.details.count, first.origin.address) == (CUSTOMER, 1, "192.0.2.7")
    await _refused(bench, CUSTOMER, 99)
    await _refused(bench, OTHER, 5)
    await _refused(bench, "", 3)
    assert len(await bench.events()) == 3
    bench.clock.advance(WINDOW_SECONDS)
    await bench.refusals.close(bench.clock.monotonic() - WINDOW_SECONDS)
    told = [(event.subject, event.details.count) for event in (await bench.events())[3:]]
    assert told == [(CUSTOMER, 99), (OTHER, 4), ("", 2)]


async def test_a_flood_against_many_accounts_opens_so_many_windows_and_no_more(bench: Bench) -> None:
    bench.limit_subjects(2)
    accounts = [f"{CUSTOMER[:-2]}{number:02}" for number in range(50)]
    for account in accounts:
        await _refused(bench, account)
    assert [event.subject for event in await bench.events()] == [*accounts[:2], ""]
    await bench.refusals.close()
    assert [event.details.count for event in (await bench.events())[3:]] == [47]
    await _refused(bench, OTHER)
    assert (await bench.events())[-1].subject == OTHER


@pytest.mark.clause("ASVS 6.3.8")
@pytest.mark.parametrize("subject", ["", CUSTOMER])
async def test_a_refusal_that_is_only_counted_does_what_the_call_says_in_place_of_the_record(
    bench: Bench, subject: str
) -> None:
    done: list[int] = []

    async def instead() -> None:
        done.append(len(await bench.events()))

    await _refused(bench, subject, 4, instead)
    assert done == [1, 1, 1]


async def test_a_peer_has_a_limit(bench: Bench) -> None:
    release = asyncio.Event()

    async def wait(_call: Call) -> None:
        await release.wait()

    running = [asyncio.create_task(bench.run(bench.call(LIST), wait)) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(Fault, match="OVERLOADED"):
        await bench.run(bench.call(LIST))
    release.set()
    await asyncio.gather(*running)
    await bench.run(bench.call(LIST))


async def test_a_cancelled_write_leaves_nothing(bench: Bench) -> None:
    async def hang(call: Call) -> None:
        await _insert(call)
        await asyncio.sleep(60)

    running = asyncio.create_task(bench.run(bench.call(DELETE), hang))
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await _things(bench) == 0
    await bench.run(bench.call(DELETE), _insert)
    assert await _things(bench) == 1
